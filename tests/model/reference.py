"""What the service does, without AWS, threads and lost messages: docs/lifecycle.md as a model."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from chalicelib.lifecycle import ACTIVE, ACTIVE_LIMIT, DEFAULT_MAX_TRIES, LEASE, MAX_BACKOFF

KEY_PERIOD = timedelta(hours=24)
#: How the types that `machine.py` defines are tried again.
PAUSES = {"failing": MAX_BACKOFF, "retrying": timedelta(minutes=20)}
MAX_TRIES = {"failing": 2, "retrying": 3}


@dataclass
class Task:
    id: str
    owner: str
    body: dict[str, Any]
    created_at: datetime
    scheduled_at: datetime | None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    status: str = "pending"
    result: Any = None
    error: str | None = None
    attempts: int = 0
    tries: int = 0
    #: The attempt of the worker that holds the task.
    lease: int | None = None

    def __post_init__(self) -> None:
        #: Nobody takes the task up before this.
        self.due = self.scheduled_at or self.created_at
        self.max_tries = MAX_TRIES.get(self.body["task_type"], DEFAULT_MAX_TRIES)

    def cancel(self, now: datetime) -> None:
        if self.status in ACTIVE:
            self._end("cancelled", now)

    def handle_message(self, now: datetime) -> Iterator[None]:
        """Claim the task, then run it; yields after the write of each."""
        is_free = self.status in ACTIVE and self.due <= now
        if is_claimed := is_free and self.tries < self.max_tries:
            self.status, self.started_at = "started", self.started_at or now
            self.attempts, self.tries, self.due = self.attempts + 1, self.tries + 1, now + LEASE
            self.lease = attempt = self.attempts
        yield
        if is_claimed and self.lease == attempt:
            self._run(now)
        elif not is_claimed:
            self.discard(now)
        yield

    def discard(self, now: datetime) -> None:
        if self.status in ACTIVE and self.due <= now and self.tries >= self.max_tries:
            self._end("failure", now, error="retries_exhausted")

    def _run(self, now: datetime) -> None:
        passed, self.lease = (now - (self.started_at or now)).total_seconds(), None
        match self.body["task_type"], self.body["input_data"]:
            case "sum", {"values": values}:
                self._end("success", now, sum(values))
            case "refusing", _:
                self._end("failure", now, error="invalid_input")
            case _, {"seconds": seconds} if passed >= seconds:
                self._end("success", now, {"seconds": seconds})
            case "countdown", {"seconds": seconds}:
                self.tries, self.due = 0, now + timedelta(seconds=seconds - passed)
            case name, _ if self.tries < self.max_tries:
                self.due = now + PAUSES[name]
            case _:
                self._end("failure", now, error="retries_exhausted")

    def _end(self, status: str, now: datetime, result: Any = None, error: Any = None) -> None:
        self.status, self.finished_at, self.lease = status, now, None
        self.result, self.error = result, error


@dataclass
class Model:
    tasks: list[Task] = field(default_factory=list)
    #: What each user's Idempotency-Keys made.
    keys: dict[tuple[str, str], Task] = field(default_factory=dict)

    def of(self, owner: str, *statuses: str) -> list[Task]:
        """Return a user's tasks, newest first, in all or of some statuses."""
        own = [task for task in self.tasks if task.owner == owner]
        own = [task for task in own if not statuses or task.status in statuses]
        return sorted(own, key=lambda task: (task.created_at, task.id), reverse=True)

    def create(
        self, owner: str, body: dict[str, Any], key: str | None, at: datetime | None, now: datetime
    ) -> tuple[int, Task | None]:
        """Return the HTTP status, and the task if it is a replay."""
        first = self.keys.get((owner, key or ""))
        if first and now < first.created_at + KEY_PERIOD:
            return (201, first) if first.body == body else (422, None)
        if at and at < now:
            return 400, None
        return (429 if len(self.of(owner, *ACTIVE)) >= ACTIVE_LIMIT else 201), None
