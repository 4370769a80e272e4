"""The use case of listing: pages of a user's tasks, newest first."""

from dataclasses import dataclass

from chalicelib import errors
from chalicelib.lifecycle import ACTIVE
from chalicelib.models import Task, User, task_list

#: Tasks per page.
PAGE_SIZE = 20
#: A page is found by its number within this many tasks from either end of the list.
NUMBERED_REACH = 10_000


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


def list_page(
    user_id: str, *, status: str | None, number: int | None, position: Position | None
) -> Page:
    """Return a page of a user's tasks, newest first, of one status or of all.

    `number` is the page's number, None for the last one. A page with a position lies there,
    whatever its number; one without is counted from the nearer end of the list.

    Raises NotFound for a page that does not exist or is out of reach, and UserNotFound.
    """
    if status in ACTIVE:
        if number not in (1, None):
            raise _invalid_page()
        tasks = [task for task in task_list.active(_user(user_id)) if task.status == status]
        return Page(len(tasks), 1, tasks, None, None)
    if number == 1 or position:
        tasks, next_id, user = _read_at(user_id, status, position)
        return _page(_user(user_id, user).total(status), number or 1, tasks, next_id)
    count = _user(user_id).total(status)
    last = max(1, -(-count // PAGE_SIZE))
    number = number or last
    if number > last:
        raise _invalid_page()
    return _page(count, number, *_split(_read_numbered(user_id, status, number, count)))


def _read_at(
    user_id: str, status: str | None, position: Position | None
) -> tuple[list[Task], str | None, User | None]:
    """Read a page, the id that the next one begins with, and the user where it came along."""
    if position and position.above:
        tasks, user = task_list.page(user_id, status, PAGE_SIZE, above=position.task_id)
        return tasks, position.task_id, user
    upto = position.task_id if position else None
    rows, user = task_list.page(user_id, status, PAGE_SIZE + 1, upto=upto)
    return *_split(rows), user


def _read_numbered(user_id: str, status: str | None, number: int, count: int) -> list[Task]:
    """Read a page and one task more, passing what lies between it and the nearer end."""
    from_top = (number - 1) * PAGE_SIZE
    rest = count - from_top
    from_bottom = max(0, rest - PAGE_SIZE - 1)
    if min(from_top, from_bottom) > NUMBERED_REACH:
        raise _invalid_page()
    if from_top <= from_bottom:
        key = task_list.skip(user_id, status, from_top, oldest_first=False)
        return task_list.page(user_id, status, PAGE_SIZE + 1, start_key=key)[0]
    key = task_list.skip(user_id, status, from_bottom, oldest_first=True)
    limit = min(rest, PAGE_SIZE + 1)
    return task_list.page(user_id, status, limit, above="", start_key=key)[0]


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


def _user(user_id: str, user: User | None = None) -> User:
    user = user or User.find(user_id)
    if user is None:
        raise errors.UserNotFound
    return user


def _invalid_page() -> errors.NotFound:
    return errors.NotFound("Invalid page.")
