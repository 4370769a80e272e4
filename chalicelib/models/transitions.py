"""Every change of a task's state, each one conditional write (see docs/lifecycle.md)."""

from datetime import datetime
from typing import Any

from pynamodb.expressions.condition import Condition, size
from pynamodb.expressions.update import Action

from chalicelib import errors
from chalicelib.lifecycle import (
    ACTIVE,
    ACTIVE_LIMIT,
    LEASE,
    RESCUE_MARGIN,
    Status,
    next_sweep,
)
from chalicelib.models import events
from chalicelib.models.idempotency import IdempotencyRecord
from chalicelib.models.table import ALL_OLD, Row, Transaction, task_key, update
from chalicelib.models.task import Finished, Task
from chalicelib.models.user import User


class KeyTaken(Exception):
    """An Idempotency-Key is already in use."""

    def __init__(self, record: IdempotencyRecord) -> None:
        super().__init__()
        self.record = record


class SlotsTaken(Exception):
    """The user has as many active tasks as anybody may have."""

    def __init__(self, user: User) -> None:
        super().__init__()
        self.user = user


def create(task: Task, record: IdempotencyRecord | None) -> None:
    """Store a new task, take a slot and remember the key, all or nothing.

    A task that begins with its end is counted and takes no slot, but there must be one.

    Raises SlotsTaken, UserNotFound, or KeyTaken with the record that holds the key.
    """
    transaction = Transaction()
    transaction.save(task, condition=Task.pk.does_not_exist())
    if record:
        transaction.save(
            record,
            condition=Row.pk.does_not_exist() | (Row.expires_at <= task.created_at),
            return_values=ALL_OLD,
        )
    if task.is_active:
        change = User.active.add({task.task_id})
    else:
        transaction.save(Finished(task.pk, f"{task.status}#{task.task_id}"))
        change = getattr(User, task.status).add(1)
    has_slot = User.active.does_not_exist() | (size(User.active) < ACTIVE_LIMIT)
    transaction.update(
        User(task.pk, "user"),
        [change],
        condition=User.pk.exists() & has_slot,
        return_values=ALL_OLD,
    )
    # Only the record of the key can tell whether this makes a task or replays one.
    refusals = transaction.commit(None if record else lambda: _refuse_above_limit(task))
    if not refusals or refusals[0]:
        # Ids are new, so a task that exists already is this one: the call was repeated.
        return
    if record and refusals[1]:
        raise KeyTaken(IdempotencyRecord.from_raw_data(refusals[1].raw_item or {}))
    stored = refusals[-1] and refusals[-1].raw_item
    if not stored:
        raise errors.UserNotFound
    raise SlotsTaken(User.from_raw_data(stored))


def claim(
    user_id: str, task_id: str, *, lease_id: str, now: datetime, max_tries: int
) -> tuple[Task | None, bool]:
    """Take up a task that is due and has tries left.

    Returns the task as it is stored, and whether this lease holds it.
    """
    task = Task(*task_key(user_id, task_id))
    is_due = Task.next_run_at.does_not_exist() | (Task.next_run_at <= now)
    claimed = update(
        task,
        [
            Task.status.set(Status.STARTED),
            Task.attempts.add(1),
            Task.attempts_since_progress.add(1),
            Task.started_at.set(Task.started_at | now),
            Task.lease_id.set(lease_id),
            Task.next_run_at.set(now + LEASE),
            Task.events.set((Task.events | []).append([events.started(now)])),
        ],
        Task.status.is_in(*ACTIVE) & is_due & (Task.attempts_since_progress < max_tries),
    )
    if claimed:
        return task, True
    stored = Task.find(user_id, task_id)
    # If the answer to a claim is lost, botocore repeats it, and the repeat is refused.
    return stored, stored is not None and stored.lease_id == lease_id


def snooze(task: Task, now: datetime, until: datetime) -> bool:
    """Keep a claimed task started, to run again later; False if the lease was lost.

    A snooze is progress: the count of tries begins anew.
    """
    progress = Task.attempts_since_progress.set(0)
    return _wait(task, now, until, events.snoozed(now, until), progress)


def schedule_retry(task: Task, now: datetime, next_try_at: datetime, code: str) -> bool:
    """Plan the next try of a claimed task that failed; False if the lease was lost."""
    return _wait(task, now, next_try_at, events.attempt_failed(now, code, next_try_at))


def finish(
    task: Task,
    status: Status,
    now: datetime,
    *,
    result: str | None = None,
    error: str | None = None,
    event: str | None = None,
) -> bool:
    """End a claimed task, with one more event if there is one; False if the lease was lost."""
    condition = (Task.status == Status.STARTED) & (Task.lease_id == task.lease_id)
    changes: dict[str, Any] = {"result": result, "error": error}
    if event:
        changes["events"] = [*events.newest(task.events), event]
    return _end(task, status, now, condition, changes)


def discard(task: Task, now: datetime, error: str | None, max_tries: int) -> bool:
    """End in failure a task with no tries left and no worker; False if that does not apply."""
    condition = (
        (Task.status == Status.STARTED)
        & (Task.next_run_at <= now)
        & (Task.attempts_since_progress >= max_tries)
    )
    return _end(task, Status.FAILURE, now, condition, {"error": error})


def cancel(task: Task, now: datetime) -> bool:
    """Cancel a task as it was read; False if it has changed since.

    A task that may have a schedule stays in the sweeper's index until every Lambda that could
    still be creating it has ended.
    """
    lease = Task.lease_id
    same_lease = lease == task.lease_id if task.lease_id else lease.does_not_exist()
    condition = (Task.status == task.status) & (Task.attempts == task.attempts) & same_lease
    sweep_at = next_sweep(now, now + LEASE) if task.may_have_schedule else None
    return _end(task, Status.CANCELLED, now, condition, sweep_at=sweep_at)


def move_sweep(task: Task, sweep_at: datetime | None) -> bool:
    """Move or end the sweeper's look at a task; False if the row has changed. No transition."""
    unchanged = (Task.sweep_at == task.sweep_at) & (Task.status == task.status)
    if sweep_at is None:
        return update(task, [Task.sweep_shard.remove(), Task.sweep_at.remove()], unchanged)
    return update(task, [Task.sweep_at.set(sweep_at)], unchanged)


def _refuse_above_limit(task: Task) -> None:
    """End a race for the last slots early: a read never conflicts."""
    user = User.find(task.user_id)
    if user and len(user.active_ids) >= ACTIVE_LIMIT:
        raise SlotsTaken(user)


def _wait(task: Task, now: datetime, until: datetime, event: str, *more: Action) -> bool:
    actions: list[Action] = [
        Task.lease_id.remove(),
        Task.next_run_at.set(until),
        Task.events.set([*events.newest(task.events), event]),
        *more,
    ]
    if task.sweep_at is None or task.sweep_at < until + RESCUE_MARGIN:
        actions.append(Task.sweep_at.set(next_sweep(now, until)))
    if update(task, actions, Task.lease_id == task.lease_id):
        return True
    # If the answer is lost, botocore repeats the write, and the repeat is refused.
    stored = Task.find(task.user_id, task.task_id)
    return stored is not None and stored.is_waiting and stored.attempts == task.attempts


def _end(
    task: Task,
    status: Status,
    now: datetime,
    condition: Condition,
    more: dict[str, Any] | None = None,
    sweep_at: datetime | None = None,
) -> bool:
    """Free the slot, count the outcome and record it, all or nothing."""
    changes: dict[str, Any] = {
        "status": status,
        "finished_at": now,
        "lease_id": None,
        "next_run_at": None,
        "sweep_shard": task.sweep_shard if sweep_at else None,
        "sweep_at": sweep_at,
        **(more or {}),
    }
    attributes = Task.get_attributes()
    actions: list[Action] = [
        attributes[name].remove() if value is None else attributes[name].set(value)
        for name, value in changes.items()
    ]
    transaction = Transaction()
    transaction.save(Finished(task.pk, f"{status}#{task.task_id}"))
    transaction.update(task, actions, condition=condition)
    transaction.update(
        User(task.pk, "user"),
        [User.active.delete({task.task_id}), getattr(User, status).add(1)],
    )
    if transaction.commit():
        return False
    for name, value in changes.items():
        setattr(task, name, value)
    return True
