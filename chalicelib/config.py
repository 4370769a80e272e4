"""The settings of the service, read once from the environment."""

import os
import re
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import Any, Literal

# Ten years in minutes. A longer lifetime is a typing error, and one that is far longer
# does not fit into a datetime.
_MAX_LIFETIME = 5_256_000


def _whole_number(least: int, most: int, default: int) -> Any:
    def read(text: str) -> int:
        if not re.fullmatch("[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return _optional(read, default)


def _one_of(*choices: str) -> Any:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be {' or '.join(map(repr, choices))}")
        return text

    return _optional(read, choices[0])


def _optional(read: Callable[[str], Any], default: Any) -> Any:
    return field(default=default, metadata={"read": read})


# Not a model of pydantic's: the sweeper needs no other, and importing pydantic takes a quarter of
# its cold start.
@dataclass(frozen=True)
class Settings:
    """Where the service finds its AWS resources, and what an operator may choose.

    Each field is an environment variable of the same name in capitals. Fields without a
    default must be set; `infra/` sets all of them from the stack of a stage.
    """

    table_name: str
    queue_url: str
    queue_arn: str
    dead_letter_queue_name: str
    schedule_group: str
    schedule_role_arn: str
    schedule_dead_letter_arn: str
    signing_keys_arn: str
    #: Lifetime of an access token, in minutes. A shorter one also applies to tokens that were
    #: issued before; a longer one does not.
    access_token_minutes: int = _whole_number(1, _MAX_LIFETIME, default=15)
    #: Lifetime of a refresh token, in days; it applies to earlier tokens in the same way.
    refresh_token_days: int = _whole_number(1, _MAX_LIFETIME, default=7)
    #: How long after its rotation a refresh token gets an answer again, in seconds; 0: never.
    refresh_grace_seconds: int = _whole_number(0, 300, default=10)
    #: New accounts from one address; 0: without a limit.
    registrations_per_hour: int = _whole_number(0, 1_000_000, default=20)
    #: "strict" also refuses common, entirely numeric and username-like passwords.
    password_policy: Literal["basic", "strict"] = _one_of("basic", "strict")

    @property
    def queue_name(self) -> str:
        return self.queue_arn.rsplit(":", 1)[1]

    @property
    def dead_letter_queue_url(self) -> str:
        return self.queue_url.rsplit("/", 1)[0] + "/" + self.dead_letter_queue_name

    @property
    def service(self) -> str:
        """The name of this deployment: the dimension `service` of its metrics."""
        return self.table_name


@cache
def settings() -> Settings:
    """Return the settings of this process. An empty variable counts as not set.

    Raises RuntimeError naming every variable that is missing or wrong.
    """
    found: dict[str, Any] = {}
    faults = []
    for one in fields(Settings):
        variable = one.name.upper()
        text = os.environ.get(variable)
        if not text:
            if one.default is MISSING:
                faults.append(f"{variable} is not set")
            continue
        try:
            found[one.name] = one.metadata.get("read", str)(text)
        except ValueError as error:
            faults.append(f"{variable} {error}")
    if faults:
        raise RuntimeError(f"The environment is not complete: {'; '.join(faults)}")
    return Settings(**found)
