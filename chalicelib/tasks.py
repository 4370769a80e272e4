"""Use cases of tasks: create, show, cancel."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import randbits
from uuid import UUID

from aws_lambda_powertools import Logger

from chalicelib import (
    dispatch,
    errors,
    exact_json,
    logs,
    metrics,
    runner,
    scheduling,
    task_types,
    times,
)
from chalicelib.lifecycle import ACTIVE_LIMIT, INLINE_TIMEOUT, Status
from chalicelib.models import (
    IdempotencyRecord,
    KeyTaken,
    SlotsTaken,
    Task,
    User,
    task_list,
    transitions,
)
from chalicelib.task_types import Snooze
from chalicelib.time_limit import TimeLimitExceeded

log = Logger(service="tasks", child=True)

#: How far ahead a task may be scheduled.
MAX_AHEAD = timedelta(days=365)

#: How often a cancel looks again when the task changes in the meantime.
_CANCEL_TRIES = 5


@dataclass(frozen=True)
class NewTask:
    """What a client asks for, checked."""

    task_type: str
    #: As the client sent it; JSON whose numbers are int or Decimal.
    input_data: object
    scheduled_at: datetime | None
    #: The request; see `chalicelib.logs.origin`.
    origin: str | None = None
    #: Whether the client prefers to wait for the end.
    wait: bool = False


@dataclass(frozen=True)
class IdempotencyKey:
    """A client's key, and the hash of the body that came with it."""

    key: str
    body_hash: str


def check_scheduled_at(moment: datetime, now: datetime) -> None:
    """Raise ValueError, in words for the client, if no task may be scheduled at this time."""
    if moment < now:
        raise ValueError("The time must not be in the past.")
    if moment > now + MAX_AHEAD:
        raise ValueError(f"The time must be at most {MAX_AHEAD.days} days ahead.")


def create(
    user_id: str, new: NewTask, key: IdempotencyKey | None, now: datetime
) -> tuple[Task, bool]:
    """Store a task and hand it to AWS; return it, and whether it is a replay.

    A stored task will run: if dispatch fails, the sweeper sends it. If the client waits for a task
    of an inline type, it runs now and is stored with its end.

    Raises ActiveTaskLimit, UserNotFound, IdempotencyKeyReused.
    """
    task = Task.new(
        user_id,
        _new_id(now),
        task_type=new.task_type,
        input_data=exact_json.dumps(new.input_data),
        scheduled_at=new.scheduled_at,
        now=now,
        origin=new.origin,
    )
    if new.wait:
        _run_inline(task)
    record = (
        IdempotencyRecord.make(user_id, key.key, key.body_hash, task.task_id, now) if key else None
    )
    try:
        _store(task, record)
    except KeyTaken as taken:
        return _replay(taken.record, key), True
    metrics.count("TasksCreated")
    log.info("task_created", task_id=task.task_id, user_id=user_id, task_type=task.task_type)
    if not task.is_active:
        metrics.task_finished(task.status)
        log.info("task_finished", task_id=task.task_id, status=task.status, attempts=1)
        return task, False
    try:
        if task.scheduled_at is None:
            dispatch.send(task)
        else:
            scheduling.schedule(task, now)
    except Exception as error:
        # The task is stored, so the answer is 201 and the sweeper sends it.
        log.error("dispatch_failed", task_id=task.task_id, **logs.exception_keys(error))
    return task, False


def _run_inline(task: Task) -> None:
    """Run a task that is not stored yet, if its type allows it and its time is now.

    If the task does not end here, the worker runs it, with all the tries of its type.
    """
    task_type = task_types.get(task.task_type)
    if task_type is None or not task_type.inline or task.scheduled_at:
        return
    started_at = times.now()
    try:
        end = runner.run(task, INLINE_TIMEOUT)
    except (Exception, TimeLimitExceeded) as error:
        keys = logs.exception_keys(error)
        log.warning("inline_run_failed", task_id=task.task_id, task_type=task.task_type, **keys)
        return
    if not isinstance(end, Snooze):
        task.end_inline(*end, started_at=started_at, now=times.now())


def _store(task: Task, record: IdempotencyRecord | None) -> None:
    """Store a task. At the limit, first free the slots of tasks that hold none any more."""
    try:
        transitions.create(task, record)
        return
    except SlotsTaken as taken:
        _free_stale_slots(taken.user)
    try:
        transitions.create(task, record)
    except SlotsTaken as taken:
        raise errors.ActiveTaskLimit(len(taken.user.active_ids), ACTIVE_LIMIT) from None


def _free_stale_slots(user: User) -> None:
    """Look at the tasks that hold a user's slots. Raises ActiveTaskLimit if all are active."""
    active = {task.task_id for task in task_list.active(user)}
    stale = user.active_ids - active
    if not stale:
        raise errors.ActiveTaskLimit(len(active), ACTIVE_LIMIT) from None
    log.info("slots_freed", user_id=user.user_id, task_ids=sorted(stale))
    user.free_slots(stale)


def find_replay(user_id: str, key: IdempotencyKey, now: datetime) -> Task | None:
    """Return the task as it was when the key made it, if it made one within 24 hours.

    Raises IdempotencyKeyReused if that was with another body.
    """
    record = IdempotencyRecord.find(user_id, key.key, now)
    return _replay(record, key) if record else None


def show(user_id: str, task_id: str) -> Task:
    """Return a user's task. Raises NotFound."""
    normal_id = _read_id(task_id)
    task = Task.find(user_id, normal_id) if normal_id else None
    if task is None:
        raise errors.NotFound("No Task matches the given query.")
    return task


def cancel(user_id: str, task_id: str, now: datetime) -> Task:
    """Cancel a task, free its slot and delete its schedule; return it.

    Cancelling a cancelled task again is success.

    Raises NotFound, AlreadyFinished, and Unavailable if the task keeps changing.
    """
    for _ in range(_CANCEL_TRIES):
        task = show(user_id, task_id)
        if task.status == Status.CANCELLED:
            return task
        if not task.is_active:
            raise errors.AlreadyFinished(task)
        has_schedule = task.may_have_schedule
        if transitions.cancel(task, now):
            metrics.task_finished(Status.CANCELLED)
            break
    else:
        raise errors.Unavailable
    if has_schedule:
        try:
            dispatch.delete_schedule(task)
        except Exception as error:
            # The sweeper looks at the task once more and deletes the schedule then.
            log.error("delete_schedule_failed", task_id=task.task_id, **logs.exception_keys(error))
    return task


def _replay(record: IdempotencyRecord, key: IdempotencyKey | None) -> Task:
    if key is None or record.body_hash != key.body_hash:
        raise errors.IdempotencyKeyReused
    return show(record.user_id, record.task_id).as_created()


def _new_id(now: datetime) -> str:
    """Make a UUIDv7 whose 12 bits after the milliseconds are their fraction (RFC 9562, 6.2)."""
    milliseconds, microseconds = divmod(int(now.timestamp() * 1_000_000), 1000)
    fraction = microseconds * 4096 // 1000
    number = milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | randbits(62)
    return str(UUID(int=number))


def _read_id(text: str) -> str | None:
    """Return an id as it is stored, or None for what is not an id."""
    try:
        task_id = str(UUID(text))
    except ValueError:
        return None
    return task_id if task_id == text.lower() else None
