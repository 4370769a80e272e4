"""Use cases of tasks: create, show, list, cancel."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import randbits
from uuid import UUID

from aws_lambda_powertools import Logger

from chalicelib import dispatch, errors, exact_json
from chalicelib.models import ACTIVE, CANCELLED, LOST_AFTER, IdempotencyRecord, KeyTaken, Task, User

log = Logger(service="tasks", child=True)

#: Tasks on a page of the list.
PAGE_SIZE = 20

#: How far ahead a task may be scheduled.
MAX_AHEAD = timedelta(days=365)

#: How often a cancel looks again when the task changes under its hands.
_CANCEL_TRIES = 5


@dataclass(frozen=True)
class NewTask:
    """What a client asks for, checked."""

    task_type: str
    #: As the client sent it; JSON whose numbers are int or Decimal.
    input_data: object
    scheduled_at: datetime | None


@dataclass(frozen=True)
class IdempotencyKey:
    """A client's key, and the hash of the body that came with it."""

    key: str
    body_hash: str


@dataclass(frozen=True)
class Position:
    """Where a page of the list lies: from a task on, or right above one."""

    task_id: str
    above: bool


@dataclass(frozen=True)
class Page:
    """One page of the list, newest first, with the way to its neighbours."""

    count: int
    number: int
    tasks: list[Task]
    next: Position | None
    previous: Position | None


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

    Once it is stored it will run: what the dispatch misses the sweeper makes good.

    Raises ActiveTaskLimit, UserNotFound, IdempotencyKeyReused.
    """
    task = Task.new(
        user_id,
        _new_id(now),
        task_type=new.task_type,
        input_data=exact_json.dumps(new.input_data),
        scheduled_at=new.scheduled_at,
        now=now,
    )
    if key is None:
        task.create(None)
    else:
        record = IdempotencyRecord.make(user_id, key.key, key.body_hash, task.task_id, now)
        try:
            task.create(record)
        except KeyTaken as taken:
            return _replay(taken.record, key), True
    try:
        if task.scheduled_at is None:
            dispatch.send(user_id, task.task_id)
        else:
            schedule(task, now)
    except Exception:
        # Whatever it is: the task is stored, so the answer is 201 and the sweeper's turn.
        log.exception("dispatch failed, the sweeper will do it", task_id=task.task_id)
    return task, False


def schedule(task: Task, now: datetime) -> None:
    """Make sure that a task whose time is to come is sent then."""
    dispatch.send_at(task.user_id, task.task_id, task.due, now)
    if task.rewatch(task.due + LOST_AFTER):
        return
    stored = Task.find(task.user_id, task.task_id)
    if stored and not stored.is_active:
        # It was cancelled just before its one-shot was there to be called off.
        dispatch.call_off(task.task_id)


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
    """Cancel a task, free its slot and call its schedule off; return it.

    A task that was cancelled before stays so, and that is success.

    Raises NotFound, AlreadyFinished, and Unavailable if the task never holds still.
    """
    for _ in range(_CANCEL_TRIES):
        task = show(user_id, task_id)
        if task.status == CANCELLED:
            return task
        if not task.is_active:
            raise errors.AlreadyFinished(task)
        if task.cancel(now):
            break
    else:
        raise errors.Unavailable
    if task.scheduled_at:
        try:
            dispatch.call_off(task.task_id)
            task.rewatch(None)
        except Exception:
            # The task is cancelled; that its one-shot goes as well the sweeper sees to.
            log.exception("calling off failed, the sweeper will do it", task_id=task.task_id)
    return task


def list_page(
    user_id: str, *, status: str | None, number: int | None, position: Position | None
) -> Page:
    """Return a page of a user's tasks, newest first, of one status or of all.

    `number` is the page's number, None for the last one. With a position the page lies
    there, whatever its number; without one it is counted from the ends of the list.

    Raises NotFound for a page that is not there, and UserNotFound.
    """
    if status in ACTIVE:
        # There are a handful at most: all are read, which also counts them.
        active = [task for task in Task.active_of(user_id) if task.status == status]
        if number not in (1, None):
            raise _no_such_page()
        return Page(len(active), 1, active, None, None)
    if number == 1 or position:
        tasks, next_id, user = _read_at(user_id, status, position)
        return _page(_counters(user_id, user).total(status), number or 1, tasks, next_id)
    count = _counters(user_id).total(status)
    last = max(1, -(-count // PAGE_SIZE))
    number = number or last
    if number > last:
        raise _no_such_page()
    rows = _read_numbered(user_id, status, number, count)
    return _page(count, number, *_split(rows))


def _read_at(
    user_id: str, status: str | None, position: Position | None
) -> tuple[list[Task], str | None, User | None]:
    """Read a page, the id that the next one begins with, and the user where it came along."""
    if position and position.above:
        tasks, user = Task.page(user_id, status, PAGE_SIZE, above=position.task_id)
        return tasks, position.task_id, user
    upto = position.task_id if position else None
    rows, user = Task.page(user_id, status, PAGE_SIZE + 1, upto=upto)
    return *_split(rows), user


def _read_numbered(user_id: str, status: str | None, number: int, count: int) -> list[Task]:
    """Read a page and one more by walking there from the nearer end of the list."""
    skipped = (number - 1) * PAGE_SIZE
    rest = count - skipped
    if rest < skipped + PAGE_SIZE:
        return Task.page(user_id, status, rest, above="")[0]
    return Task.page(user_id, status, skipped + PAGE_SIZE + 1)[0][skipped:]


def _split(rows: list[Task]) -> tuple[list[Task], str | None]:
    """Part the rows of a page from the id that the next one begins with."""
    return rows[:PAGE_SIZE], rows[PAGE_SIZE].task_id if len(rows) > PAGE_SIZE else None


def _page(count: int, number: int, tasks: list[Task], next_id: str | None) -> Page:
    return Page(
        count=count,
        number=number,
        tasks=tasks,
        next=Position(next_id, above=False) if next_id else None,
        previous=Position(tasks[0].task_id, above=True) if number > 1 and tasks else None,
    )


def _counters(user_id: str, user: User | None = None) -> User:
    user = user or User.find(user_id)
    if user is None:
        raise errors.UserNotFound
    return user


def _no_such_page() -> errors.NotFound:
    return errors.NotFound("Invalid page.")


def _replay(record: IdempotencyRecord, key: IdempotencyKey) -> Task:
    if record.body_hash != key.body_hash:
        raise errors.IdempotencyKeyReused
    return show(record.user_id, record.task_id).as_created()


def _new_id(now: datetime) -> str:
    """Make a UUIDv7 whose 12 bits after the milliseconds are their fraction (RFC 9562, 6.2)."""
    milliseconds, microseconds = divmod(int(now.timestamp() * 1_000_000), 1000)
    fraction = microseconds * 4096 // 1000
    number = milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | randbits(62)
    return str(UUID(int=number))


def _read_id(text: str) -> str | None:
    """Return an id as it is stored, or None for what is no id."""
    try:
        task_id = str(UUID(text))
    except ValueError:
        return None
    return task_id if task_id == text.lower() else None
