"""What must hold for everything stored after any test, no matter what went wrong in it."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests import cloud

Row = dict[str, Any]

ACTIVE = ("pending", "started")
FINISHED = ("success", "failure", "cancelled")


def check() -> None:
    """Look at the whole table and all one-time schedules; fail with everything that is wrong."""
    found = faults(cloud.rows(), cloud.schedules())
    assert not found, "\n".join(found)


def faults(rows: list[Row], schedules: list[str]) -> list[str]:
    """Return everything that is wrong with what is stored."""
    users = [row for row in rows if row["sk"]["S"] == "user"]
    tasks = [row for row in rows if row["sk"]["S"].startswith("task#")]
    return [
        *_wrong_slots_and_counts(users, tasks),
        *_without_user(users, tasks),
        *_wrong_finished_keys(rows, tasks),
        *_out_of_the_sweepers_sight(tasks),
        *_wrong_ends(tasks),
        *_left_schedules(tasks, schedules),
    ]


def _wrong_slots_and_counts(users: list[Row], tasks: list[Row]) -> Iterator[str]:
    for user in users:
        pk = user["pk"]["S"]
        own = [task for task in tasks if task["pk"]["S"] == pk]
        active = {_id(task) for task in own if task["status"]["S"] in ACTIVE}
        stored = set(user.get("active", {"SS": []})["SS"])
        if stored != active or len(active) > 5:
            yield f"{pk} has the active set {stored} for {active}"
        found = Counter(task["status"]["S"] for task in own)
        counts = {status: int(user[status]["N"]) for status in FINISHED}
        if counts != {status: found[status] for status in FINISHED}:
            yield f"{pk} has the counts {counts} for {found}"


def _without_user(users: list[Row], tasks: list[Row]) -> Iterator[str]:
    known = {user["pk"]["S"] for user in users}
    for task in tasks:
        if task["pk"]["S"] not in known:
            yield f"{task['sk']['S']} has no user"


def _wrong_finished_keys(rows: list[Row], tasks: list[Row]) -> Iterator[str]:
    # A name has rows that begin with "failure#" too: its failed sign-ins.
    owned = [row for row in rows if row["pk"]["S"].startswith("user#")]
    stored = {_key(row) for row in owned if row["sk"]["S"].partition("#")[0] in FINISHED}
    expected = {
        (task["pk"]["S"], f"{task['status']['S']}#{_id(task)}")
        for task in tasks
        if task["status"]["S"] in FINISHED
    }
    for key in stored ^ expected:
        yield f"{key} lists a finished task that does not exist, or one is not listed"


def _out_of_the_sweepers_sight(tasks: list[Row]) -> Iterator[str]:
    for task in tasks:
        if task["status"]["S"] in ACTIVE and not _is_in_sweep(task):
            yield f"{task['sk']['S']} is {task['status']['S']} and no sweep will find it"


def _wrong_ends(tasks: list[Row]) -> Iterator[str]:
    for task in tasks:
        status = task["status"]["S"]
        if ("finished_at" in task) != (status in FINISHED):
            yield f"{task['sk']['S']} is {status} and has a wrong end"
        if status in ("success", "failure") and _is_in_sweep(task):
            yield f"{task['sk']['S']} is {status} and the sweeper still looks at it"
        # No event, no claim: only a run in the request that created the task begins like that.
        runs = "started_at" in task and "events" not in task
        if runs and (status not in ("success", "failure") or task["attempts"]["N"] != "1"):
            yield f"{task['sk']['S']} is {status} and nobody has claimed it"


def _left_schedules(tasks: list[Row], schedules: list[str]) -> Iterator[str]:
    # A schedule is due, or the sweeper deletes it: of a finished task it is on its way out.
    rows = {_id(task): task for task in tasks}
    for name in schedules:
        task = rows.get(name.removeprefix("task-").rpartition("-")[0])
        if task is None or (task["status"]["S"] == "cancelled" and not _is_in_sweep(task)):
            yield f"the schedule {name} belongs to no task that waits for it"


def _is_in_sweep(task: Row) -> bool:
    return "sweep_shard" in task and "sweep_at" in task


def _id(task: Row) -> str:
    return str(task["sk"]["S"].removeprefix("task#"))


def _key(row: Row) -> tuple[str, str]:
    return row["pk"]["S"], row["sk"]["S"]
