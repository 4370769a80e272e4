"""What a use case is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.faults.world import World

Given = Callable[[World], Any]


Act = Callable[..., Any]


PASSWORD = {"username": "eve", "password": "a long one"}


@dataclass(frozen=True)
class UseCase:
    """One thing that the service does."""

    name: str
    group: str
    given: Given
    act: Act
    #: The statuses of all tasks in the end, by their ids.
    ends: tuple[str, ...]
    #: What the last answer may be.
    answers: tuple[int, ...]
    #: Whether a client that got no answer makes a second task when it asks again.
    may_double: bool


USE_CASES: list[UseCase] = []


def nothing(world: World) -> None:
    """Nothing is given but a user."""


def use_case(
    group: str,
    given: Given = nothing,
    *,
    ends: Sequence[str] = (),
    answers: Sequence[int] = (),
    may_double: bool = False,
) -> Callable[[Act], Act]:
    def register(act: Act) -> Act:
        name = act.__name__.replace("_", " ")
        USE_CASES.append(UseCase(name, group, given, act, tuple(ends), tuple(answers), may_double))
        return act

    return register


def ahead(world: World, **parts: float) -> str:
    return (world.clock.now + timedelta(**parts)).isoformat()
