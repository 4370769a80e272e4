"""The row of a task; `transitions` has the writes that change it."""

import zlib
from datetime import datetime
from typing import Any

from pynamodb.attributes import (
    ListAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)

from chalicelib.lifecycle import ACTIVE, MAX_DELAY, Status, next_sweep
from chalicelib.models import events
from chalicelib.models.sweep import SWEEP_SHARDS
from chalicelib.models.table import IntegerAttribute, Item, Row, get, task_key


class Finished(Item):
    """The keys of a finished task by its status, for the lists of one status."""


class Task(Row, discriminator="task"):
    """A task that a user owns."""

    #: The name of a type in chalicelib/task_types.
    task_type = UnicodeAttribute()
    #: JSON text, as the client sent it.
    input_data = UnicodeAttribute()
    #: The request that made the task; see `chalicelib.logs.origin`.
    origin = UnicodeAttribute(null=True)
    #: A `Status`.
    status = UnicodeAttribute()
    #: JSON text of what the type returned, on success.
    result = UnicodeAttribute(null=True)
    #: JSON text of {"code", "detail"}, on failure.
    error = UnicodeAttribute(null=True)
    #: How often it was taken up.
    attempts = IntegerAttribute(default=0)
    #: The same since the last snooze; limited by the type's `max_tries`.
    attempts_since_progress = IntegerAttribute(default=0)
    #: The claim of the worker that runs it; None while nobody does.
    lease_id = UnicodeAttribute(null=True)
    #: Nobody takes the task up before this: its time, the moment it waits for, or the end of
    #: a worker's lease. None: at once.
    next_run_at = UTCDateTimeAttribute(null=True)
    #: The time that the client asked for; None: at once.
    scheduled_at = UTCDateTimeAttribute(null=True)
    #: When the API stored the task.
    created_at = UTCDateTimeAttribute()
    #: When it was first taken up.
    started_at = UTCDateTimeAttribute(null=True)
    #: When the task ended, in whatever way.
    finished_at = UTCDateTimeAttribute(null=True)
    #: JSON texts; see `chalicelib.models.events`.
    events: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute, null=True)

    @property
    def task_id(self) -> str:
        return self.sk.removeprefix("task#")

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    @property
    def is_waiting(self) -> bool:
        """Whether it is started, but nothing runs until its moment comes."""
        return self.status == Status.STARTED and self.lease_id is None

    @property
    def ran_inline(self) -> bool:
        """Whether it ran in the request that created it: every claim leaves an event."""
        return self.started_at is not None and not self.events

    @property
    def due_at(self) -> datetime:
        """When the task wants its next message."""
        return self.next_run_at or self.created_at

    @property
    def history(self) -> list[dict[str, Any]]:
        """What happened to the task, oldest first, as clients see it."""
        return events.history(self)

    @property
    def may_have_schedule(self) -> bool:
        """Whether a one-time schedule for its next run may exist, or be in the making."""
        if self.status == Status.PENDING:
            return self.scheduled_at is not None
        wait = events.last_wait(self.events) if self.is_waiting else None
        return wait is not None and wait > MAX_DELAY

    @classmethod
    def find(cls, user_id: str, task_id: str) -> "Task | None":
        return get(cls, *task_key(user_id, task_id))

    @classmethod
    def new(
        cls,
        user_id: str,
        task_id: str,
        *,
        task_type: str,
        input_data: str,
        scheduled_at: datetime | None,
        now: datetime,
        origin: str | None = None,
    ) -> "Task":
        """Return a task as it begins, not stored yet."""
        return cls(
            *task_key(user_id, task_id),
            task_type=task_type,
            input_data=input_data,
            origin=origin,
            status=Status.PENDING,
            scheduled_at=scheduled_at,
            next_run_at=scheduled_at,
            created_at=now,
            sweep_shard=zlib.crc32(task_id.encode()) % SWEEP_SHARDS,
            # Soon, whatever its time: nothing may have been sent by then.
            sweep_at=next_sweep(now, now),
        )

    def end_inline(
        self,
        status: Status,
        result: str | None,
        error: str | None,
        *,
        started_at: datetime,
        now: datetime,
    ) -> None:
        """Let a task that is not stored yet begin with its end."""
        self.status, self.result, self.error = status, result, error
        self.attempts = self.attempts_since_progress = 1
        self.started_at, self.finished_at = started_at, now
        self.sweep_shard = self.sweep_at = None

    def as_created(self) -> "Task":
        """Return the task as it was when it was created."""
        if self.ran_inline:
            return self
        return Task.new(
            self.user_id,
            self.task_id,
            task_type=self.task_type,
            input_data=self.input_data,
            scheduled_at=self.scheduled_at,
            now=self.created_at,
        )
