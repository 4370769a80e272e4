"""The registry of task types; it finds and loads every file in this folder."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from chalicelib.lazy_model import LazyModel
from chalicelib.lifecycle import (
    DEFAULT_BACKOFF,
    DEFAULT_MAX_TRIES,
    DEFAULT_TIMEOUT,
    MAX_TIMEOUT,
    MAX_TRIES,
)


class TaskInput(LazyModel):
    """The base of a type's input: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Run:
    """What a type is told of the run it is in; both times are aware."""

    #: When the task was taken up for the first time.
    started_at: datetime
    now: datetime


@dataclass(frozen=True)
class Snooze:
    """Returned instead of a result: run me again at this moment, not before.

    A snooze costs nothing, however long it is. It counts as progress, so the tries begin anew.
    The function starts from the top after it.
    """

    until: datetime

    def __post_init__(self) -> None:
        if self.until.tzinfo is None:
            raise ValueError("A snooze needs a time with an offset.")


class Retry(Exception):
    """Raised to choose when a failed attempt is tried again; `code` goes to the task's events."""

    def __init__(self, after: timedelta, code: str = "retry") -> None:
        super().__init__(f"try again after {after}")
        self.after = after
        self.code = code


Function = Callable[[Any, Run], Any]
Progress = Callable[[Mapping[str, Any], Run], Mapping[str, Any]]


@dataclass(frozen=True)
class TaskType:
    """One kind of work: what it takes, what it does, how far it is, how it is retried."""

    name: str
    description: str
    run: Function
    progress: Progress | None
    #: How long one run may take.
    timeout: timedelta
    #: Attempts without progress before the task ends in failure.
    max_tries: int
    #: The pause before the second try; it doubles with each one, up to 15 minutes.
    backoff: timedelta
    #: Whether it may run in the request that creates the task.
    inline: bool
    _input_model: Any = field(repr=False)

    @cached_property
    def _input(self) -> TypeAdapter[Any]:
        return TypeAdapter(self._input_model)

    def read(self, input_data: Mapping[str, Any]) -> Any:
        """Check `input_data` and return it typed. Raises pydantic.ValidationError."""
        # Older clients put the time of the task in here; it is not the type's business.
        own = {name: value for name, value in input_data.items() if name != "scheduled_at"}
        return self._input.validate_python(own)

    def schema(self, ref_template: str = "#/$defs/{model}") -> dict[str, Any]:
        """Return the JSON Schema (2020-12) of `input_data`."""
        return self._input.json_schema(ref_template=ref_template)


_types: dict[str, TaskType] = {}


def task_type(
    name: str,
    input_model: Any,
    *,
    progress: Progress | None = None,
    timeout: float = DEFAULT_TIMEOUT.total_seconds(),
    max_tries: int = DEFAULT_MAX_TRIES,
    backoff: timedelta = DEFAULT_BACKOFF,
    inline: bool = False,
) -> Callable[[Function], Function]:
    """Register the decorated function as a task type.

    The function gets its checked input and a `Run`, and returns what JSON can carry, or a
    `Snooze`. A run that takes longer than `timeout` seconds (at most 50) is interrupted. The
    function may run more than once for one task, so a second run must do no harm.

    TaskError says that the input is at fault: the task ends in failure. Every other exception
    is a dependency's: the task is tried again after `backoff`, doubling, or when `Retry` says,
    up to `max_tries` times without a snooze in between.

    An `inline` type is pure and takes far less than a second. If the client prefers to wait, the
    API runs it, for at most 1 second, and stores the finished task. If it does not end there, the
    task is run as any other.

    `progress` gets `input_data` as the client sent it and returns what a started task shows.

    Raises ValueError if the name is taken or a limit is out of range.
    """
    if not 0 < timeout <= MAX_TIMEOUT.total_seconds():
        raise ValueError(f"The timeout must be at most {MAX_TIMEOUT.seconds} seconds.")
    if not 1 <= max_tries <= MAX_TRIES:
        raise ValueError(f"max_tries must be from 1 to {MAX_TRIES}.")
    if backoff <= timedelta():
        raise ValueError("The backoff must be longer than 0.")

    def register(function: Function) -> Function:
        if name in _types:
            raise ValueError(f'The task type "{name}" exists already: choose another name.')
        _types[name] = TaskType(
            name=name,
            description=(function.__doc__ or "").strip(),
            run=function,
            progress=progress,
            timeout=timedelta(seconds=timeout),
            max_tries=max_tries,
            backoff=backoff,
            inline=inline,
            _input_model=input_model,
        )
        return function

    return register


def get(name: str) -> TaskType | None:
    return _types.get(name)


def all_types() -> list[TaskType]:
    """Return all types by name."""
    return [_types[name] for name in sorted(_types)]


def discover() -> None:
    """Import every file of this folder that was not imported before."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


discover()
