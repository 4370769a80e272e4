"""Tasks, task types and accounts as the service shows them; what it adds later is kept."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Status = Literal["pending", "started", "success", "failure", "cancelled"]


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    def document(self) -> dict[str, Any]:
        """Return it as the service sent it, with times as datetimes."""
        return self.model_dump(exclude_unset=True)


class Account(_Shown):
    """A user's account."""

    id: str
    username: str


class TaskError(_Shown):
    """Why a task failed."""

    code: str
    detail: str


class Event(_Shown):
    """Something that happened to a task; which of the optional fields are there depends on it."""

    at: datetime
    event: Literal["created", "started", "attempt_failed", "snoozed", "cancelled", "finished"]
    attempt: int | None = None
    code: str | None = None
    next_try_at: datetime | None = None
    until: datetime | None = None
    status: Status | None = None


class Task(_Shown):
    """A task. Its times are Moscow's; its numbers have every digit, as int or Decimal."""

    id: str
    task_type: str
    input_data: dict[str, Any]
    status: Status
    result: Any
    error: TaskError | None
    attempts: int
    scheduled_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    #: Only while a task runs whose type reports progress.
    progress: dict[str, Any] | None = None
    #: Oldest first; only a task that is shown by itself has them.
    events: tuple[Event, ...] = ()

    @property
    def is_finished(self) -> bool:
        return self.finished_at is not None


class Page(_Shown):
    """A page of tasks, newest first; `count` is the number of all."""

    count: int
    next: str | None
    previous: str | None
    results: tuple[Task, ...]


class TaskType(_Shown):
    """A kind of task, with the JSON Schema of its `input_data`."""

    task_type: str
    description: str
    input_schema: dict[str, Any]
