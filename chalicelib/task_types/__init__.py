"""The registry of task types: every file in this folder is found and loaded by itself."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter


class TaskInput(BaseModel):
    """The base of a type's input: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Run:
    """What a type is told of the run it is in; both times are aware."""

    #: When the task was taken up for the first time.
    started_at: datetime
    now: datetime


@dataclass(frozen=True)
class WaitUntil:
    """Returned instead of a result: run me again at this moment, until then run nothing.

    A wait costs nothing, whatever its length; the type starts from the top after it.
    """

    moment: datetime


@dataclass(frozen=True)
class TaskType:
    """One kind of work: what it takes, what it does, how far it is."""

    name: str
    description: str
    run: Callable[[Any, Run], Any]
    progress: Callable[[Any, Run], Mapping[str, Any]] | None
    _input: TypeAdapter[Any] = field(repr=False)

    def read(self, input_data: dict[str, Any]) -> Any:
        """Check `input_data` and return it typed. Raises pydantic.ValidationError."""
        # Older clients have the time of the task in here; it is not the type's business.
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
    progress: Callable[[Any, Run], Mapping[str, Any]] | None = None,
) -> Callable[[Callable[[Any, Run], Any]], Callable[[Any, Run], Any]]:
    """Register the decorated function as a task type.

    The function gets its checked input and a `Run`, and returns what JSON can carry (or
    `WaitUntil`). It may run more than once, so it must not matter that it does. What it
    raises: TaskError, ValueError and ArithmeticError are the input's fault and end the
    task in failure; everything else is a dependency's and is tried again.

    Raises ValueError for a name that is taken.
    """

    def register(function: Callable[[Any, Run], Any]) -> Callable[[Any, Run], Any]:
        if name in _types:
            raise ValueError(f'There already is a task type "{name}": choose another name.')
        description = (function.__doc__ or "").strip()
        _types[name] = TaskType(name, description, function, progress, TypeAdapter(input_model))
        return function

    return register


def get(name: str) -> TaskType | None:
    return _types.get(name)


def everything() -> list[TaskType]:
    """Return all types by name."""
    return [_types[name] for name in sorted(_types)]


def discover() -> None:
    """Import every file of this folder that was not imported before."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


discover()
