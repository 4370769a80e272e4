"""The settings of the service, read once from the environment."""

import os
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Settings:
    """Where the service finds its AWS resources and what an operator may choose.

    Every field is an environment variable of the same name in capitals. Those without
    a default must be set; `infra/` sets all of them from the stack of a stage.
    """

    table_name: str
    queue_url: str
    queue_arn: str
    dead_letter_queue_name: str
    schedule_group: str
    schedule_role_arn: str
    schedule_dead_letter_arn: str
    signing_keys_arn: str
    #: Lifetime of an access token, in minutes.
    access_token_minutes: int = 15
    #: Lifetime of a refresh token, in days.
    refresh_token_days: int = 7
    #: "basic", or "strict" to refuse common, numeric and username-like passwords too.
    password_policy: str = "basic"

    @property
    def queue_name(self) -> str:
        return self.queue_arn.rsplit(":", 1)[1]

    @property
    def dead_letter_queue_url(self) -> str:
        return self.queue_url.rsplit("/", 1)[0] + "/" + self.dead_letter_queue_name

    @property
    def service(self) -> str:
        return self.table_name


@cache
def settings() -> Settings:
    """Return the settings of this process.

    Raises RuntimeError that names every variable that is missing or wrong.
    """
    values: dict[str, str | int] = {}
    faults: list[str] = []
    for name, field in Settings.__dataclass_fields__.items():
        text = os.environ.get(name.upper(), "")
        if text and field.type is int:
            if text.isascii() and text.isdigit() and 0 < int(text[:9]) <= _MOST:
                values[name] = int(text)
            else:
                faults.append(f"{name.upper()} must be a whole number from 1 to {_MOST}")
        elif text:
            values[name] = text
        elif name not in _OPTIONAL:
            faults.append(f"{name.upper()} is not set")
    if values.get("password_policy", "basic") not in ("basic", "strict"):
        faults.append("PASSWORD_POLICY must be basic or strict")
    if faults:
        raise RuntimeError("The environment is not complete: " + "; ".join(faults))
    return Settings(**values)  # type: ignore[arg-type]


# Ten years in minutes: more is a slip, and far more is no time at all.
_MOST = 5_256_000
_OPTIONAL = {"access_token_minutes", "refresh_token_days", "password_policy"}
