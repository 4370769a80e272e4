"""What must hold for everything stored after any test, no matter what went wrong in it."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import boto3

from tests import cloud

Row = dict[str, Any]

ACTIVE = ("pending", "started")


def check() -> None:
    """Look at the whole table and all one-time schedules; fail with everything that is wrong."""
    rows, schedules = _rows(), _schedules()
    users = [row for row in rows if row["sk"]["S"] == "user"]
    tasks = [row for row in rows if row["sk"]["S"].startswith("task#")]
    faults = [
        *_wrong_counters(users, tasks),
        *_without_user(users, tasks),
        *_unwatched(tasks),
        *_left_schedules(tasks, schedules),
    ]
    assert not faults, "\n".join(faults)


def _wrong_counters(users: list[Row], tasks: list[Row]) -> Iterator[str]:
    found = Counter((row["pk"]["S"], row["status"]["S"]) for row in tasks)
    for user in users:
        pk = user["pk"]["S"]
        expected = {name: found[pk, name] for name in ("success", "failure", "cancelled")}
        expected["active"] = sum(found[pk, name] for name in ACTIVE)
        stored = {name: int(user.get(name, {"N": "0"})["N"]) for name in expected}
        if stored != expected or expected["active"] > 5:
            yield f"{pk} has the counters {stored} for {expected}"


def _without_user(users: list[Row], tasks: list[Row]) -> Iterator[str]:
    known = {user["pk"]["S"] for user in users}
    for task in tasks:
        if task["pk"]["S"] not in known:
            yield f"{task['sk']['S']} has no user"


def _unwatched(tasks: list[Row]) -> Iterator[str]:
    for task in tasks:
        if task["status"]["S"] in ACTIVE and not _is_watched(task):
            yield f"{task['sk']['S']} is {task['status']['S']} and no sweep will find it"


def _left_schedules(tasks: list[Row], schedules: list[str]) -> Iterator[str]:
    # The sweeper deletes the schedule of a cancelled task if the cancel could not.
    wanted = {
        f"task-{task['sk']['S'].removeprefix('task#')}"
        for task in tasks
        if task["status"]["S"] == "pending" or _is_watched(task)
    }
    for name in schedules:
        if name not in wanted:
            yield f"the schedule {name} belongs to no task that waits for it"


def _is_watched(task: Row) -> bool:
    return "watch" in task and "watch_at" in task


def _rows() -> list[Row]:
    pages = boto3.client("dynamodb").get_paginator("scan")
    table = cloud.ENVIRONMENT["TABLE_NAME"]
    return [
        row
        for page in pages.paginate(TableName=table, ConsistentRead=True)
        for row in page["Items"]
    ]


def _schedules() -> list[str]:
    pages = boto3.client("scheduler").get_paginator("list_schedules")
    group = cloud.ENVIRONMENT["SCHEDULE_GROUP"]
    return [one["Name"] for page in pages.paginate(GroupName=group) for one in page["Schedules"]]
