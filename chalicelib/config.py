"""The settings of the service, read once from the environment."""

import os
import re
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

# Ten years in minutes. A longer lifetime is a typing error, and one that is far longer
# does not fit into a datetime.
_MAX_LIFETIME = 5_256_000


def _whole_number(least: int, most: int) -> BeforeValidator:
    def read(text: object) -> int:
        if not re.fullmatch("[0-9]{1,9}", str(text)) or not least <= int(str(text)) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(str(text))

    return BeforeValidator(read)


Lifetime = Annotated[int, _whole_number(1, _MAX_LIFETIME)]


class Settings(BaseModel):
    """Where the service finds its AWS resources, and what an operator may choose.

    Each field is an environment variable of the same name in capitals. Fields without a
    default must be set; `infra/` sets all of them from the stack of a stage.
    """

    model_config = ConfigDict(frozen=True)

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
    access_token_minutes: Lifetime = 15
    #: Lifetime of a refresh token, in days; it applies to earlier tokens in the same way.
    refresh_token_days: Lifetime = 7
    #: How long after its rotation a refresh token gets an answer again, in seconds; 0: never.
    refresh_grace_seconds: Annotated[int, _whole_number(0, 300)] = 10
    #: New accounts from one address; 0: without a limit.
    registrations_per_hour: Annotated[int, _whole_number(0, 1_000_000)] = 20
    #: "strict" also refuses common, entirely numeric and username-like passwords.
    password_policy: Literal["basic", "strict"] = "basic"

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
    variables = {name: os.environ.get(name.upper()) for name in Settings.model_fields}
    try:
        return Settings.model_validate({name: text for name, text in variables.items() if text})
    except ValidationError as error:
        faults = "; ".join(_explain(fault) for fault in error.errors())
        raise RuntimeError(f"The environment is not complete: {faults}") from None


def _explain(fault: Any) -> str:
    name = str(fault["loc"][0]).upper()
    if fault["type"] == "missing":
        return f"{name} is not set"
    if fault["type"] == "literal_error":
        return f"{name} must be {fault['ctx']['expected']}"
    return f"{name} {fault['ctx']['error']}"
