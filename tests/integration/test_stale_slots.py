"""A slot of a task that is finished or gone: the create that needs it frees it."""

from collections.abc import Callable

import boto3
import pytest
from botocore.exceptions import ClientError

from tests import cloud
from tests.aws_calls import Calls
from tests.drivers import Api, Clock, Lambdas
from tests.integration.slots import active_ids
from tests.integration.tools import (
    OUTAGE,
    Fail,
    Rows,
    counters,
    message,
    refusal,
    row_of,
)

MISSING = "019c1d94-8a80-7000-8000-000000000000"


@pytest.fixture
def finished(ann: Api, lambdas: Lambdas) -> Callable[[], str]:
    """`finished()`: the id of a finished task of ann's."""

    def finished() -> str:
        task_id: str = ann.created()["id"]
        lambdas.work_off()
        return task_id

    return finished


def leak(api: Api, *task_ids: str) -> None:
    """Put ids into a user's set that have no business there."""
    boto3.client("dynamodb").update_item(
        TableName=cloud.ENVIRONMENT["TABLE_NAME"],
        Key={"pk": {"S": f"user#{api.user_id}"}, "sk": {"S": "user"}},
        UpdateExpression="ADD active :ids",
        ExpressionAttributeValues={":ids": {"SS": list(task_ids)}},
    )


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
