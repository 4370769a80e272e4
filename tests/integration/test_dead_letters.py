"""Dead letters lose no task and disturb nobody else's work."""

import json
from datetime import timedelta
from typing import Any

import pytest

from chalicelib import task_types
from tests import cloud
from tests.aws_calls import Calls
from tests.drivers import Api, Clock, Lambdas
from tests.integration.tools import (
    OUTAGE,
    RETRIES_EXHAUSTED,
    Define,
    Fail,
    LambdaDied,
    Rows,
    counters,
    doing,
    message,
    shown,
    sign_in_again,
)


def lose_the_worker(
    ann: Api, lambdas: Lambdas, define: Define, task: dict[str, Any], max_tries: int = 1
) -> None:
    """Let the worker of a task die, in its last try unless `max_tries` says otherwise."""
    define(doing(LambdaDied()), max_tries=max_tries)
    with pytest.raises(LambdaDied):
        lambdas.work(message(ann, task))
    lambdas.sent()


def test_a_task_that_nobody_tried_is_sent_again_and_stays_pending(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows
) -> None:
    task = ann.created()
    clock.advance(hours=3)
    lambdas.sent()
    before = rows()
    assert lambdas.handle_dead_letters(message(ann, task)) == []
    [sent] = lambdas.sent()
    assert (sent["MessageBody"], sent["DelaySeconds"]) == (message(ann, task), 60)
    assert rows() == before
    sign_in_again(ann)
    assert (ann.task(task["id"])["status"], ann.task(task["id"])["attempts"]) == ("pending", 0)


def test_a_task_that_was_sent_again_runs(ann: Api, lambdas: Lambdas, clock: Clock) -> None:
    task = ann.created()
    lambdas.sent()
    lambdas.handle_dead_letters(message(ann, task))
    clock.advance(seconds=60)
    [sent] = lambdas.sent()
    assert lambdas.work(sent["MessageBody"]) == []
    ended = ann.task(task["id"])
    assert (ended["status"], ended["attempts"]) == ("success", 1)


def test_a_task_with_tries_left_is_sent_again(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, define: Define, probe: Any
) -> None:
    task = probe()
    lose_the_worker(ann, lambdas, define, task, max_tries=2)
    clock.advance(seconds=65)
    before = rows()
    assert lambdas.handle_dead_letters(message(ann, task)) == []
    assert [one["DelaySeconds"] for one in lambdas.sent()] == [60]
    assert rows() == before


def test_a_task_without_tries_left_is_discarded_after_its_lease(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define, probe: Any
) -> None:
    task = probe()
    lose_the_worker(ann, lambdas, define, task)
    clock.advance(seconds=65)
    assert lambdas.handle_dead_letters(message(ann, task)) == []
    ended = ann.task(task["id"])
    assert (ended["status"], ended["error"]) == ("failure", RETRIES_EXHAUSTED)
    assert (ended["attempts"], ended["finished_at"]) == (1, shown(clock.now))
    assert lambdas.sent() == []


def test_a_task_in_its_last_try_is_sent_again_while_a_worker_may_have_it(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, define: Define, probe: Any
) -> None:
    task = probe()
    lose_the_worker(ann, lambdas, define, task)
    clock.advance(seconds=64)
    before = rows()
    assert lambdas.handle_dead_letters(message(ann, task)) == []
    assert [one["DelaySeconds"] for one in lambdas.sent()] == [60]
    assert rows() == before


def test_a_task_whose_type_is_gone_is_sent_again_to_the_worker(
    ann: Api, lambdas: Lambdas, probe: Any
) -> None:
    task = probe()
    task_types._types.pop("probe")
    lambdas.sent()
    assert lambdas.handle_dead_letters(message(ann, task)) == []
    assert [one["DelaySeconds"] for one in lambdas.sent()] == [60]


def test_a_scheduled_task_whose_time_has_passed_is_sent_again(
    ann: Api, lambdas: Lambdas, clock: Clock
) -> None:
    task = ann.created(scheduled_at=(clock.now + timedelta(minutes=5)).isoformat())
    clock.advance(minutes=5)
    lambdas.sent()
    assert lambdas.handle_dead_letters(message(ann, task)) == []
    assert [one["DelaySeconds"] for one in lambdas.sent()] == [60]
    assert ann.task(task["id"])["status"] == "pending"


def test_a_discarded_task_frees_its_slot_and_counts_as_a_failure(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, define: Define, probe: Any
) -> None:
    tasks = [probe() for _ in range(5)]
    assert ann.create().status == 429
    lose_the_worker(ann, lambdas, define, tasks[0])
    clock.advance(seconds=65)
    lambdas.handle_dead_letters(message(ann, tasks[0]))
    assert counters(rows, ann) == {"active": 4, "failure": 1}
    assert ann.create().status == 201


def test_a_dead_letter_that_comes_twice_counts_once(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, define: Define, probe: Any
) -> None:
    task = probe()
    lose_the_worker(ann, lambdas, define, task)
    clock.advance(seconds=65)
    assert lambdas.handle_dead_letters(message(ann, task), message(ann, task)) == []
    assert counters(rows, ann) == {"failure": 1}


@pytest.mark.parametrize("end", ["success", "cancelled"])
def test_an_ended_task_stays_unchanged(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, end: str
) -> None:
    task = ann.created()
    if end == "success":
        lambdas.work(message(ann, task))
    else:
        ann.post(f"/api/tasks/{task['id']}/cancel/")
    assert ann.task(task["id"])["status"] == end
    before = rows()
    clock.advance(hours=1)
    assert lambdas.handle_dead_letters(message(ann, task)) == []
    assert rows() == before


@pytest.mark.parametrize("owner", ["id-of-ann", "nobody"], ids=["unknown task", "unknown user"])
def test_a_dead_letter_of_an_unknown_task_is_acknowledged(
    ann: Api, lambdas: Lambdas, rows: Rows, owner: str
) -> None:
    ann.created()
    before = rows()
    user_id = ann.user_id if owner == "id-of-ann" else owner
    unknown = {"user": user_id, "task": "0199aaaa-0000-7000-8000-000000000000", "type": "sum"}
    lambdas.sent()
    assert lambdas.handle_dead_letters(json.dumps(unknown)) == []
    assert rows() == before
    assert lambdas.sent() == []


def test_a_running_countdown_keeps_its_moment(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows
) -> None:
    task = ann.created("countdown", input_data={"seconds": 600})
    lambdas.work_off()
    lambdas.sent()
    before = rows()
    clock.advance(seconds=400)
    assert lambdas.handle_dead_letters(message(ann, task)) == []
    assert [one["DelaySeconds"] for one in lambdas.sent()] == [200]
    assert rows() == before


def test_a_scheduled_task_that_is_not_due_keeps_its_time(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows
) -> None:
    task = ann.created(scheduled_at=(clock.now + timedelta(days=1)).isoformat())
    before = rows()
    clock.advance(hours=23)
    assert lambdas.handle_dead_letters(message(ann, task)) == []
    assert rows() == before
    clock.advance(hours=1)
    lambdas.work(message(ann, task))
    sign_in_again(ann)
    assert ann.task(task["id"])["status"] == "success"


def test_a_task_that_a_worker_claims_at_that_moment_is_left_to_it(
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    rows: Rows,
    calls: Calls,
    define: Define,
    probe: Any,
) -> None:
    task = probe()
    lose_the_worker(ann, lambdas, define, task)
    clock.advance(seconds=65)
    states: list[Any] = []

    def take_up() -> None:
        # A deployment gives the type one more try.
        lose_the_worker(ann, lambdas, define, task, max_tries=2)
        states.append(rows())

    calls.before("TransactWriteItems", take_up)
    assert lambdas.handle_dead_letters(message(ann, task)) == []
    assert states == [rows()]


@pytest.mark.parametrize(
    ("operation", "after"),
    [("GetItem", False), ("TransactWriteItems", False), ("TransactWriteItems", True)],
)
def test_a_failing_call_of_a_discard_keeps_the_dead_letter(
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    rows: Rows,
    fail: Fail,
    define: Define,
    probe: Any,
    operation: str,
    after: bool,
) -> None:
    task = probe()
    lose_the_worker(ann, lambdas, define, task)
    clock.advance(seconds=65)
    fail(operation, OUTAGE, after=after, times=1)
    assert lambdas.handle_dead_letters(message(ann, task)) == ["0"]
    assert lambdas.handle_dead_letters(message(ann, task)) == []
    assert ann.task(task["id"])["error"] == RETRIES_EXHAUSTED
    assert counters(rows, ann) == {"failure": 1}


def test_a_dead_letter_that_the_queue_does_not_take_is_kept(
    ann: Api, lambdas: Lambdas, fail: Fail
) -> None:
    task = ann.created()
    fail("SendMessage", OUTAGE, times=1)
    assert lambdas.handle_dead_letters(message(ann, task)) == ["0"]
    assert lambdas.handle_dead_letters(message(ann, task)) == []


def test_a_dead_letter_whose_handling_failed_comes_again_from_the_dead_letter_queue(
    ann: Api, lambdas: Lambdas, calls: Calls, fail: Fail
) -> None:
    tasks = [ann.created(), ann.created()]
    fail("GetItem", OUTAGE, times=1)
    assert lambdas.handle_dead_letters(*(message(ann, task) for task in tasks)) == ["0"]
    [change] = calls.of("ChangeMessageVisibilityBatch")
    assert change["QueueUrl"].endswith(f"/{cloud.ENVIRONMENT['DEAD_LETTER_QUEUE_NAME']}")
    assert change["Entries"] == [{"Id": "0", "ReceiptHandle": "receipt-0", "VisibilityTimeout": 5}]


def test_a_malformed_dead_letter_does_not_hold_up_the_others(ann: Api, lambdas: Lambdas) -> None:
    task = ann.created()
    lambdas.sent()
    assert lambdas.handle_dead_letters("not JSON", message(ann, task)) == []
    assert len(lambdas.sent()) == 1


def test_a_discard_costs_a_read_and_a_transaction(
    ann: Api, lambdas: Lambdas, clock: Clock, calls: Calls, define: Define, probe: Any
) -> None:
    task = probe()
    lose_the_worker(ann, lambdas, define, task)
    clock.advance(seconds=65)
    calls.clear()
    lambdas.handle_dead_letters(message(ann, task))
    assert calls.operations == ["GetItem", "TransactWriteItems"]


def test_a_dead_letter_runs_nothing(ann: Api, lambdas: Lambdas, calls: Calls) -> None:
    task = ann.created()
    calls.clear()
    lambdas.handle_dead_letters(message(ann, task))
    assert calls.operations == ["GetItem", "SendMessage"]
