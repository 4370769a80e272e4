"""Reading a user's tasks in order of their ids, which is the order of their creation."""

from collections.abc import Iterable
from typing import Any

from pynamodb.pagination import ResultIterator

from chalicelib.models.table import CONNECTION, Item, Row, get_many, owner_key, task_key
from chalicelib.models.task import Finished, Task
from chalicelib.models.user import User

#: A key to go on from, as DynamoDB writes it.
StartKey = dict[str, Any]


def active(user: User) -> list[Task]:
    """Read the pending and started tasks of a user, newest first, in one call."""
    keys = [task_key(user.user_id, task_id) for task_id in user.active_ids]
    tasks, _ = _sort(get_many(keys) if keys else [])
    return [task for task in tasks if task.is_active]


def page(
    user_id: str,
    status: str | None,
    limit: int,
    *,
    upto: str | None = None,
    above: str | None = None,
    start_key: StartKey | None = None,
) -> tuple[list[Task], User | None]:
    """Read up to `limit` tasks, newest first, in all or of one finished status.

    They begin with the newest task, with that of the id `upto`, or are the nearest ones above
    the id `above` (the oldest of all, if that is empty); `start_key` skips what `skip` passed.
    The user's row comes along where it costs no call of its own: at the top of the unfiltered
    list, and with every page of one status.
    """
    low, high = _range(status, above or "", upto)
    if status is None and upto is None and above is None and start_key is None:
        high, limit = "user", limit + 1
    row_class = Row if status is None else Finished
    # What `row_class.query` does, without its filter: no other kind of row has such a key.
    rows: Iterable[Item] = ResultIterator(
        CONNECTION.query,
        (owner_key(user_id),),
        {
            "range_key_condition": Item.sk.between(low, high),
            "consistent_read": True,
            "scan_index_forward": above is not None,
            "limit": limit,
            "exclusive_start_key": start_key,
        },
        map_fn=row_class.from_raw_data,
        limit=limit,
    )
    if status is None:
        return _sort(rows)
    keys = [task_key(user_id, row.sk.partition("#")[2]) for row in rows]
    return _sort(get_many([(owner_key(user_id), "user"), *keys]))


def skip(user_id: str, status: str | None, number: int, *, oldest_first: bool) -> StartKey | None:
    """Pass tasks without loading them; return where the next page starts.

    None if `number` is 0 or if there are no more tasks than that.
    """
    low, high = _range(status, "", None)
    key: StartKey | None = None
    while number > 0:
        answer = CONNECTION.query(
            owner_key(user_id),
            range_key_condition=Item.sk.between(low, high),
            consistent_read=True,
            exclusive_start_key=key,
            limit=number,
            scan_index_forward=oldest_first,
            select="COUNT",
        )
        key = answer.get("LastEvaluatedKey")
        if key is None:
            return None
        number -= answer["Count"]
    return key


def _range(status: str | None, above: str, upto: str | None) -> tuple[str, str]:
    # "!" and "~" sort before and after everything that ids are made of.
    prefix = status or "task"
    return f"{prefix}#{above}!" if above else f"{prefix}#", f"{prefix}#{upto or '~'}"


def _sort(rows: Iterable[Item]) -> tuple[list[Task], User | None]:
    """Part the tasks, newest first, from the user."""
    tasks, user = [], None
    for row in rows:
        if isinstance(row, User):
            user = row
        elif isinstance(row, Task):
            tasks.append(row)
    return sorted(tasks, key=lambda task: task.sk, reverse=True), user
