"""What must be true of everything that is stored, whatever has happened."""

from collections import Counter
from typing import Any

import boto3

from tests import cloud

ACTIVE = ("pending", "started")


def check() -> None:
    """Look at the whole table and all one-shots; fails with everything that is wrong."""
    rows = _rows()
    tasks = [row for row in rows if row["sk"]["S"].startswith("task#")]
    users = {row["pk"]["S"]: row for row in rows if row["sk"]["S"] == "user"}
    faults = [fault for user in users.values() for fault in _wrong_counters(user, tasks)]
    faults += [f"{row['sk']['S']} has no user" for row in tasks if row["pk"]["S"] not in users]
    faults += [
        f"{row['sk']['S']} is {row['status']['S']} and nobody watches it"
        for row in tasks
        if row["status"]["S"] in ACTIVE and not ("watch" in row and "watch_at" in row)
    ]
    pending = {row["sk"]["S"].partition("#")[2] for row in tasks if row["status"]["S"] == "pending"}
    faults += [
        f"{name} is the one-shot of no pending task"
        for name in _schedules()
        if name.removeprefix("task-") not in pending
    ]
    assert not faults, "\n".join(faults)


def _wrong_counters(user: dict[str, Any], tasks: list[dict[str, Any]]) -> list[str]:
    found = Counter(row["status"]["S"] for row in tasks if row["pk"] == user["pk"])
    expected = {name: found[name] for name in ("success", "failure", "cancelled")}
    expected["active"] = found["pending"] + found["started"]
    stored = {name: int(user.get(name, {"N": "0"})["N"]) for name in expected}
    if stored == expected and expected["active"] <= 5:
        return []
    return [f"{user['pk']['S']} has the counters {stored} for {expected}"]


def _rows() -> list[dict[str, Any]]:
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
