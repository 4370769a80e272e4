"""Each message of a batch is handled by itself, in the time that it needs."""

import json
from typing import Any

import pytest

from chalicelib.batch import BatchFailed
from tests.aws_calls import Calls, Parameters, Which
from tests.drivers import Api, Clock, Lambdas, function, records
from tests.integration.tools import OUTAGE, Define, Fail, LambdaDied, Rows, doing, message

ID = "0199aaaa-0000-7000-8000-000000000000"


def claim_of(task: dict[str, Any]) -> Which:
    """Return which call is the claim of a task."""

    def is_meant(operation: str, parameters: Parameters) -> bool:
        return operation == "UpdateItem" and parameters["Key"]["sk"]["S"] == f"task#{task['id']}"

    return is_meant


def redeliveries(calls: Calls) -> list[dict[str, int]]:
    """Return the pause of each receipt, per ChangeMessageVisibilityBatch."""
    changes = calls.of("ChangeMessageVisibilityBatch")
    return [
        {entry["ReceiptHandle"]: entry["VisibilityTimeout"] for entry in change["Entries"]}
        for change in changes
    ]


def test_only_the_record_whose_handling_failed_is_reported(
    ann: Api, lambdas: Lambdas, fail: Fail
) -> None:
    tasks = [ann.created() for _ in range(3)]
    fail(claim_of(tasks[1]), OUTAGE)
    assert lambdas.work(*(message(ann, task) for task in tasks)) == ["1"]
    statuses = [ann.task(task["id"])["status"] for task in tasks]
    assert statuses == ["success", "pending", "success"]


@pytest.mark.parametrize(
    ("receives", "pause"), [(1, 5), (2, 10), (3, 20), (4, 40), (5, 80), (6, 90), (7, 90), (50, 90)]
)
def test_a_record_whose_handling_failed_comes_again_after_a_pause_that_grows_with_its_receives(
    ann: Api, lambdas: Lambdas, calls: Calls, fail: Fail, receives: int, pause: int
) -> None:
    good, bad = ann.created(), ann.created()
    [queue_url] = {sent["QueueUrl"] for sent in calls.of("SendMessage")}
    fail(claim_of(bad), OUTAGE)
    assert lambdas.work(message(ann, good), message(ann, bad), receives=receives) == ["1"]
    assert calls.of("ChangeMessageVisibilityBatch") == [
        {
            "QueueUrl": queue_url,
            "Entries": [{"Id": "0", "ReceiptHandle": "receipt-1", "VisibilityTimeout": pause}],
        }
    ]


def test_a_batch_in_which_every_record_failed_is_an_error_of_the_lambda(
    ann: Api, lambdas: Lambdas, calls: Calls, fail: Fail
) -> None:
    bodies = [message(ann, ann.created()) for _ in range(2)]
    fail("UpdateItem", OUTAGE)
    with pytest.raises(BatchFailed, match="all 2 records"):
        function("worker", lambdas.time_left)({"Records": records(bodies)}, None)
    assert redeliveries(calls) == [{"receipt-0": 5}, {"receipt-1": 5}]


def test_a_batch_of_which_one_record_succeeded_is_not_an_error(
    ann: Api, lambdas: Lambdas, fail: Fail
) -> None:
    good, bad = ann.created(), ann.created()
    fail(claim_of(bad), OUTAGE)
    event = {"Records": records([message(ann, bad), message(ann, good)])}
    answer = function("worker", lambdas.time_left)(event, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}]}


@pytest.mark.parametrize("after", [False, True], ids=["before its effect", "after its effect"])
def test_a_pause_that_the_queue_does_not_take_harms_nothing(
    ann: Api, lambdas: Lambdas, calls: Calls, fail: Fail, after: bool
) -> None:
    bad, good = ann.created(), ann.created()
    fail(claim_of(bad), OUTAGE, times=1)
    fail("ChangeMessageVisibilityBatch", OUTAGE, after=after)
    assert lambdas.work(message(ann, bad), message(ann, good)) == ["0"]
    assert ann.task(good["id"])["status"] == "success"
    assert lambdas.work(message(ann, bad), receives=2) == []
    assert ann.task(bad["id"])["attempts"] == 1


def slow(ann: Api, clock: Clock, define: Define, seconds: float) -> dict[str, Any]:
    """Create a task whose run takes this long."""
    define(lambda: clock.advance(seconds=seconds))
    return ann.created("probe", input_data={})


def test_records_for_which_too_little_time_is_left_go_back_at_once(
    ann: Api, lambdas: Lambdas, clock: Clock, calls: Calls, rows: Rows, define: Define
) -> None:
    tasks = [ann.created(), slow(ann, clock, define, seconds=25.1), ann.created(), ann.created()]
    before = {row["sk"]["S"]: row for row in rows()}
    calls.clear()
    assert lambdas.work(*(message(ann, task) for task in tasks)) == ["2", "3"]
    # The two that finished cost a claim and a finish each, the rest one call together.
    assert calls.operations == [
        *["UpdateItem", "TransactWriteItems"] * 2,
        "ChangeMessageVisibilityBatch",
    ]
    assert redeliveries(calls) == [{"receipt-2": 0, "receipt-3": 0}]
    after = {row["sk"]["S"]: row for row in rows()}
    for task in tasks[2:]:
        assert after[f"task#{task['id']}"] == before[f"task#{task['id']}"]
    assert [ann.task(task["id"])["status"] for task in tasks[:2]] == ["success", "success"]


def test_a_record_that_failed_and_the_rest_that_found_no_time_come_again_each_in_its_time(
    ann: Api, lambdas: Lambdas, clock: Clock, calls: Calls, fail: Fail, define: Define
) -> None:
    tasks = [ann.created(), slow(ann, clock, define, seconds=40), ann.created()]
    fail(claim_of(tasks[0]), OUTAGE)
    assert lambdas.work(*(message(ann, task) for task in tasks), receives=3) == ["0", "2"]
    assert redeliveries(calls) == [{"receipt-0": 20}, {"receipt-2": 0}]


def test_records_that_went_back_are_not_an_error_of_the_lambda_even_if_they_are_all(
    ann: Api, calls: Calls, rows: Rows
) -> None:
    body = message(ann, ann.created())
    before = rows()
    answer = function("worker", 30_000)({"Records": records([body])}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert redeliveries(calls) == [{"receipt-0": 0}]
    assert rows() == before


def test_records_that_the_queue_does_not_take_back_are_still_reported(
    ann: Api, lambdas: Lambdas, fail: Fail
) -> None:
    lambdas.time_left = 1000
    fail("ChangeMessageVisibilityBatch", OUTAGE)
    bodies = [message(ann, ann.created()) for _ in range(2)]
    assert lambdas.work(*bodies) == ["0", "1"]


@pytest.mark.parametrize(("time_left", "status"), [(35_000, "success"), (34_999, "pending")])
def test_a_type_that_names_no_timeout_needs_35_seconds(
    ann: Api, lambdas: Lambdas, time_left: int, status: str
) -> None:
    task = ann.created()
    lambdas.time_left = time_left
    lambdas.work(message(ann, task))
    assert ann.task(task["id"])["status"] == status


@pytest.mark.parametrize(("time_left", "status"), [(55_000, "success"), (54_999, "pending")])
def test_a_type_with_a_timeout_of_50_seconds_needs_55(
    ann: Api, lambdas: Lambdas, define: Define, probe: Any, time_left: int, status: str
) -> None:
    define(lambda: "done", timeout=50)
    task = probe()
    lambdas.time_left = time_left
    lambdas.work(message(ann, task))
    assert ann.task(task["id"])["status"] == status


def test_a_type_that_needs_little_time_still_runs_when_little_is_left(
    ann: Api, lambdas: Lambdas, define: Define, probe: Any
) -> None:
    define(lambda: "done", timeout=2)
    quick, sum_task = probe(), ann.created()
    lambdas.time_left = 7_000
    assert lambdas.work(message(ann, quick), message(ann, sum_task)) == ["1"]
    assert ann.task(quick["id"])["status"] == "success"


def body(**changes: Any) -> str:
    """Return a message with some fields changed."""
    return json.dumps({"user": "id-of-ann", "task": ID, "type": "sum"} | changes)


MALFORMED = [
    "",
    "not JSON",
    "[]",
    "null",
    "5",
    '"text"',
    "{}",
    "[" * 100_000,
    json.dumps({"user": "id-of-ann", "task": ID}),
    json.dumps({"user": "id-of-ann", "type": "sum"}),
    json.dumps({"task": ID, "type": "sum"}),
    body(user=1),
    body(user=None),
    body(user=["id-of-ann"]),
    body(user=""),
    body(user="u" * 65),
    body(task={}),
    body(task="\ud800"),
    body(task=f"{ID}\n"),
    body(type=None),
    body(type="sum#1"),
]


@pytest.mark.parametrize("deliver", ["work", "handle_dead_letters"])
def test_malformed_messages_are_logged_and_acknowledged_and_change_nothing(
    ann: Api,
    lambdas: Lambdas,
    calls: Calls,
    rows: Rows,
    caplog: pytest.LogCaptureFixture,
    deliver: str,
) -> None:
    ann.created()
    before = rows()
    calls.clear()
    caplog.clear()
    assert getattr(lambdas, deliver)(*MALFORMED) == []
    assert calls == []
    assert rows() == before
    assert caplog.messages == ["message_malformed"] * len(MALFORMED)


def test_a_malformed_message_does_not_hold_up_the_others(ann: Api, lambdas: Lambdas) -> None:
    task = ann.created()
    assert lambdas.work("{}", message(ann, task)) == []
    assert ann.task(task["id"])["status"] == "success"


def test_a_type_that_dies_with_its_lambda_costs_no_other_task_a_try(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define, probe: Any
) -> None:
    killer, mate = probe(), ann.created()
    define(doing(LambdaDied()))
    with pytest.raises(LambdaDied):
        lambdas.work(message(ann, killer), message(ann, mate))
    clock.advance(minutes=6)
    assert lambdas.work(message(ann, mate), receives=2) == []
    assert (ann.task(mate["id"])["status"], ann.task(mate["id"])["attempts"]) == ("success", 1)
    assert ann.task(killer["id"])["attempts"] == 1
