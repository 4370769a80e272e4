"""Headers of answers: each is described once, where it is set."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Header:
    """A header of an answer, as OpenAPI has it."""

    name: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    #: Whether every answer of its kind has it.
    is_required: bool = True

    def describe(self) -> dict[str, Any]:
        described = {"description": self.description, "schema": self.schema}
        return described | ({"required": True} if self.is_required else {})


#: The hint when to ask again, in seconds.
RETRY_AFTER = Header(
    "Retry-After",
    "After how many seconds to ask again.",
    {"type": "integer", "minimum": 1},
)
