"""Models whose validators are built when they are first used: a cold start needs few of them."""

from threading import RLock
from typing import Any

from pydantic import BaseModel, ConfigDict

# One model may be built within another. Pydantic itself would let two threads build the same one,
# and the second take away what the first uses.
_building = RLock()


class LazyModel(BaseModel):
    """The base of such models."""

    model_config = ConfigDict(defer_build=True)

    @classmethod
    def model_rebuild(cls, **options: Any) -> bool | None:
        with _building:
            return super().model_rebuild(**options)
