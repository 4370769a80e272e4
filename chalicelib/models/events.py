"""What happened to a task, kept in the task's own row by the writes that are made anyway.

Only what the rest of the row does not say is stored: `created`, `finished` and `cancelled` are
computed from it, and so are the number of each attempt and the start of a task that ran in the
request that created it. A stored event is JSON text.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from chalicelib import times
from chalicelib.lifecycle import Status

if TYPE_CHECKING:
    from chalicelib.models.task import Task

#: All events there are.
NAMES = ("created", "started", "attempt_failed", "snoozed", "cancelled", "finished")
#: Events that a task shows at most: the first and the newest.
MAX_EVENTS = 20


def started(now: datetime) -> str:
    """Return the event of a worker that took the task up."""
    return _text(now, "started")


def attempt_failed(now: datetime, code: str, next_try_at: datetime | None) -> str:
    """Return the event of a failed attempt; None: it was the last one."""
    return _text(now, "attempt_failed", code=code, next_try_at=times.show(next_try_at))


def snoozed(now: datetime, until: datetime) -> str:
    """Return the event of a run that asked to be continued later."""
    return _text(now, "snoozed", until=times.show(until))


def newest(stored: Sequence[str] | None) -> list[str]:
    """Return as many stored events as leave room for `created` and one more."""
    return list(stored or ())[-(MAX_EVENTS - 2) :]


def last_wait(stored: Sequence[str] | None) -> timedelta | None:
    """Return the length of the wait that the last event began; None if it began none."""
    event = json.loads(stored[-1]) if stored else {}
    until = event.get("until") or event.get("next_try_at")
    if until is None:
        return None
    return datetime.fromisoformat(until) - datetime.fromisoformat(event["at"])


def history(task: "Task") -> list[dict[str, Any]]:
    """Return what happened to a task, oldest first, as clients see it."""
    texts = [started(task.started_at)] if task.ran_inline else task.events or ()
    stored: list[dict[str, Any]] = [json.loads(text) for text in texts]
    _number_attempts(stored, task.attempts)
    created = {"at": times.show(task.created_at), "event": "created"}
    events = [created, *stored, *_end(task)]
    return events[:1] + events[1:][-(MAX_EVENTS - 1) :]


def _number_attempts(stored: list[dict[str, Any]], attempts: int) -> None:
    """Number the starts backwards: the newest is the task's last attempt."""
    for event in reversed(stored):
        if event["event"] == "started":
            event["attempt"] = attempts
            attempts -= 1


def _end(task: "Task") -> list[dict[str, Any]]:
    if task.finished_at is None:
        return []
    at = times.show(task.finished_at)
    if task.status == Status.CANCELLED:
        return [{"at": at, "event": "cancelled"}]
    return [{"at": at, "event": "finished", "status": task.status}]


def _text(now: datetime, event: str, **facts: str | None) -> str:
    return json.dumps({"at": times.show(now), "event": event} | facts)
