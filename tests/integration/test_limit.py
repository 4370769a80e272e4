"""At most 5 active tasks per user: the set of their ids, and how it is repaired."""

from collections.abc import Callable

import boto3
import pytest
from botocore.exceptions import ClientError

from chalicelib.errors import TaskError
from tests import cloud
from tests.aws_calls import Calls
from tests.drivers import Api, Clock, Lambdas
from tests.integration.tools import (
    OUTAGE,
    Define,
    Fail,
    Rows,
    counters,
    doing,
    message,
    refusal,
    row_of,
)

MISSING = "019c1d94-8a80-7000-8000-000000000000"

CONFLICT = refusal(
    "TransactionCanceledException",
    CancellationReasons=[{"Code": "None"}, {"Code": "TransactionConflict"}],
)


def active_ids(rows: Rows, api: Api) -> set[str]:
    return set(row_of(rows, api, "user").get("active", {"SS": []})["SS"])


def leak(api: Api, *task_ids: str) -> None:
    """Put ids into a user's set that have no business there."""
    boto3.client("dynamodb").update_item(
        TableName=cloud.ENVIRONMENT["TABLE_NAME"],
        Key={"pk": {"S": f"user#{api.user_id}"}, "sk": {"S": "user"}},
        UpdateExpression="ADD active :ids",
        ExpressionAttributeValues={":ids": {"SS": list(task_ids)}},
    )


# -- the limit


def test_a_sixth_active_task_is_refused(ann: Api, calls: Calls, rows: Rows) -> None:
    for _ in range(3):
        ann.created()
    ann.created(scheduled_at="2026-02-02T12:05")
    ann.created(scheduled_at="2026-03-01T12:00")
    before = rows()
    answer = ann.create(scheduled_at="2026-03-01T12:00")
    assert answer.status == 429
    assert list(answer.json.items()) == [
        (
            "detail",
            "You already have 5 active tasks and may have 5 at most: "
            "wait for one to finish, or cancel one.",
        ),
        ("code", "active_task_limit"),
        ("limit", 5),
        ("active", 5),
    ]
    assert rows() == before


def test_a_refusal_costs_one_look_at_the_five_tasks(ann: Api, calls: Calls) -> None:
    tasks = [ann.created() for _ in range(5)]
    calls.clear()
    assert ann.create().status == 429
    assert calls.operations == ["TransactWriteItems", "BatchGetItem"]
    [wanted] = calls.of("BatchGetItem")[0]["RequestItems"].values()
    assert {key["sk"]["S"] for key in wanted["Keys"]} == {f"task#{task['id']}" for task in tasks}
    assert wanted["ConsistentRead"] is True


def test_started_tasks_count_against_the_limit(ann: Api, lambdas: Lambdas) -> None:
    for _ in range(5):
        ann.created("countdown")
    lambdas.work_off()
    assert ann.get("/api/tasks/?status=started").json["count"] == 5
    assert ann.create().status == 429


def test_a_task_that_finishes_frees_its_slot(ann: Api, lambdas: Lambdas) -> None:
    tasks = [ann.created() for _ in range(5)]
    lambdas.work(message(ann, tasks[0]))
    assert [ann.create().status for _ in range(2)] == [201, 429]


def test_a_task_that_fails_frees_its_slot(ann: Api, lambdas: Lambdas, define: Define) -> None:
    define(doing(TaskError("No.")))
    tasks = [ann.created("probe", input_data={}) for _ in range(5)]
    lambdas.work(message(ann, tasks[0]))
    assert ann.task(tasks[0]["id"])["status"] == "failure"
    assert [ann.create().status for _ in range(2)] == [201, 429]


def test_a_task_that_is_cancelled_frees_its_slot(ann: Api) -> None:
    tasks = [ann.created() for _ in range(5)]
    ann.post(f"/api/tasks/{tasks[2]['id']}/cancel/")
    assert [ann.create().status for _ in range(2)] == [201, 429]


def test_a_task_that_waits_for_its_next_try_keeps_its_slot(
    ann: Api, lambdas: Lambdas, define: Define
) -> None:
    define(doing(OSError()))
    tasks = [ann.created("probe", input_data={}) for _ in range(5)]
    lambdas.work(message(ann, tasks[0]))
    assert ann.task(tasks[0]["id"])["events"][-1]["event"] == "attempt_failed"
    assert ann.create().status == 429


def test_a_conflict_at_the_limit_is_a_429_at_once(ann: Api, calls: Calls, fail: Fail) -> None:
    for _ in range(5):
        ann.created()
    calls.clear()
    fail("TransactWriteItems", CONFLICT)
    assert ann.create().json["active"] == 5
    assert calls.operations == ["GetItem", "BatchGetItem"]


# -- the set of active ids


def test_the_ids_of_active_tasks_are_with_the_user(
    ann: Api, bob: Api, lambdas: Lambdas, rows: Rows
) -> None:
    assert "active" not in row_of(rows, ann, "user")
    finished, cancelled, started = ann.created(), ann.created(), ann.created("countdown")
    scheduled = ann.created(scheduled_at="2026-03-01T12:00")
    bob.created()
    ids = {task["id"] for task in (finished, cancelled, started, scheduled)}
    assert active_ids(rows, ann) == ids
    lambdas.work(message(ann, finished), message(ann, started))
    assert active_ids(rows, ann) == ids - {finished["id"]}
    ann.post(f"/api/tasks/{cancelled['id']}/cancel/")
    assert active_ids(rows, ann) == {started["id"], scheduled["id"]}


def test_a_user_whose_last_task_ended_has_no_set(ann: Api, lambdas: Lambdas, rows: Rows) -> None:
    ann.created()
    lambdas.work_off()
    assert "active" not in row_of(rows, ann, "user")


def test_a_create_that_is_made_twice_takes_one_slot(ann: Api, rows: Rows, calls: Calls) -> None:
    calls.repeat("TransactWriteItems")
    task = ann.created()
    assert active_ids(rows, ann) == {task["id"]}


def test_a_finish_that_is_made_twice_frees_one_slot(
    ann: Api, lambdas: Lambdas, rows: Rows, calls: Calls
) -> None:
    other = ann.created(scheduled_at="2026-03-01T12:00")
    ann.created()
    calls.repeat("TransactWriteItems")
    lambdas.work_off()
    assert counters(rows, ann) == {"active": 1, "success": 1}
    assert active_ids(rows, ann) == {other["id"]}


def test_a_cancel_that_is_made_twice_frees_one_slot(ann: Api, rows: Rows, calls: Calls) -> None:
    task, other = ann.created(), ann.created()
    calls.repeat("TransactWriteItems")
    assert ann.post(f"/api/tasks/{task['id']}/cancel/").status == 200
    assert counters(rows, ann) == {"active": 1, "cancelled": 1}
    assert active_ids(rows, ann) == {other["id"]}


# -- stale ids


@pytest.fixture
def finished(ann: Api, lambdas: Lambdas) -> Callable[[], str]:
    """`finished()`: the id of a finished task of ann's."""

    def finished() -> str:
        task_id: str = ann.created()["id"]
        lambdas.work_off()
        return task_id

    return finished


def test_the_slot_of_a_finished_task_is_freed_by_the_create_that_needs_it(
    ann: Api, rows: Rows, finished: Callable[[], str]
) -> None:
    stale = finished()
    tasks = [ann.created() for _ in range(4)]
    leak(ann, stale)
    tasks.append(ann.created())
    assert active_ids(rows, ann) == {task["id"] for task in tasks}
    assert counters(rows, ann) == {"active": 5, "success": 1}
    assert ann.create().status == 429


def test_the_slot_of_a_missing_task_is_freed_by_the_create_that_needs_it(
    ann: Api, rows: Rows
) -> None:
    tasks = [ann.created() for _ in range(4)]
    leak(ann, MISSING)
    tasks.append(ann.created())
    assert active_ids(rows, ann) == {task["id"] for task in tasks}
    assert ann.create().status == 429


def test_a_user_all_of_whose_slots_leaked_gets_all_of_them_back(ann: Api, rows: Rows) -> None:
    leak(ann, *[f"{MISSING[:-1]}{number}" for number in range(5)])
    assert [ann.create().status for _ in range(6)] == [201] * 5 + [429]
    assert counters(rows, ann) == {"active": 5}


def test_a_repair_is_one_read_and_one_write(ann: Api, calls: Calls) -> None:
    for _ in range(4):
        ann.created()
    leak(ann, MISSING)
    calls.clear()
    ann.created()
    assert calls.operations == [
        "TransactWriteItems",
        "BatchGetItem",
        "UpdateItem",
        "TransactWriteItems",
        "SendMessage",
    ]


def test_a_create_with_a_key_repairs_too_and_makes_one_task(ann: Api, rows: Rows) -> None:
    for _ in range(4):
        ann.created()
    leak(ann, MISSING)
    task = ann.created(key="k")
    replay = ann.create(key="k")
    assert (replay.json, replay.headers["idempotent-replayed"]) == (task, "true")
    assert counters(rows, ann) == {"active": 5}


def test_a_freed_slot_that_another_create_takes_is_not_fought_for(
    ann: Api, rows: Rows, calls: Calls
) -> None:
    for _ in range(4):
        ann.created()
    leak(ann, MISSING)
    calls.before("TransactWriteItems", lambda: None, ann.created)
    calls.clear()
    answer = ann.create()
    assert (answer.status, answer.json["active"]) == (429, 5)
    # Two of this create, and one of the other.
    assert calls.operations.count("TransactWriteItems") == 3
    assert counters(rows, ann) == {"active": 5}


def test_a_task_that_finishes_right_after_the_refusal_makes_room(
    ann: Api, lambdas: Lambdas, rows: Rows, calls: Calls
) -> None:
    tasks = [ann.created() for _ in range(5)]
    calls.before("BatchGetItem", lambda: lambdas.work(message(ann, tasks[0])))
    assert ann.create().status == 201
    assert counters(rows, ann) == {"active": 5, "success": 1}


def test_a_repair_in_conflict_with_a_transaction_is_made_again(
    ann: Api, rows: Rows, fail: Fail
) -> None:
    for _ in range(4):
        ann.created()
    leak(ann, MISSING)
    fail("UpdateItem", refusal("TransactionConflictException", "UpdateItem"), times=3)
    ann.created()
    assert MISSING not in active_ids(rows, ann)


@pytest.mark.parametrize("error", [OUTAGE, refusal("ThrottlingException")])
@pytest.mark.parametrize("operation", ["BatchGetItem", "UpdateItem"])
def test_a_repair_that_fails_is_a_503_and_the_next_create_repairs(
    ann: Api, rows: Rows, fail: Fail, operation: str, error: ClientError
) -> None:
    for _ in range(4):
        ann.created()
    leak(ann, MISSING)
    heal = fail(operation, error)
    assert ann.create().status == 503
    heal()
    ann.created()
    assert counters(rows, ann) == {"active": 5}


def test_no_sweep_looks_at_a_user(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, calls: Calls
) -> None:
    ann.created(scheduled_at="2026-03-01T12:00")
    clock.advance(hours=1)
    calls.clear()
    lambdas.sweep()
    assert "sweep_at" not in row_of(rows, ann, "user")
    assert {*calls.operations} == {"Query"}


def test_a_set_with_a_stale_id_shows_no_task_of_it(ann: Api, finished: Callable[[], str]) -> None:
    leak(ann, finished(), MISSING)
    for _ in range(3):
        ann.created()
    for status, count in (("pending", 3), ("started", 0)):
        page = ann.get(f"/api/tasks/?status={status}").json
        assert (page["count"], len(page["results"])) == (count, count)
    # The next create repairs the set.
    ann.created()
    assert ann.get("/api/tasks/").json["count"] == 5
