"""Dead letters lose no task and disturb nobody else's work."""

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.aws_calls import Calls
from tests.drivers import Api, Clock, Lambdas
from tests.integration.tools import (
    OUTAGE,
    Fail,
    Rows,
    counters,
    message,
    shown,
    sign_in_again,
)

RETRIES_EXHAUSTED = {
    "code": "retries_exhausted",
    "detail": "The task was given up after several failed attempts.",
}


def lose_the_finish(ann: Api, lambdas: Lambdas, fail: Fail, task: dict[str, Any]) -> None:
    """Claim the task and leave it started: its worker cannot finish it."""
    fail("TransactWriteItems", OUTAGE, times=1)
    assert lambdas.work(message(ann, task)) == ["0"]


def test_a_task_that_nobody_claimed_ends_in_failure(
    ann: Api, lambdas: Lambdas, clock: Clock
) -> None:
    task = ann.created()
    clock.advance(minutes=5)
    assert lambdas.handle_dead_letters(message(ann, task)) == []
    assert ann.task(task["id"]) == task | {
        "status": "failure",
        "error": RETRIES_EXHAUSTED,
        "finished_at": shown(clock.now),
    }


def test_a_task_whose_worker_died_ends_in_failure(
    ann: Api, lambdas: Lambdas, clock: Clock, fail: Fail
) -> None:
    task = ann.created()
    lose_the_finish(ann, lambdas, fail, task)
    clock.advance(seconds=65)
    assert lambdas.handle_dead_letters(message(ann, task)) == []
    ended = ann.task(task["id"])
    assert (ended["status"], ended["error"]) == ("failure", RETRIES_EXHAUSTED)
    assert ended["attempts"] == 1


def test_a_scheduled_task_whose_time_has_passed_ends_in_failure(
    ann: Api, lambdas: Lambdas, clock: Clock
) -> None:
    task = ann.created(scheduled_at=(clock.now + timedelta(minutes=5)).isoformat())
    clock.advance(minutes=5)
    assert lambdas.handle_dead_letters(message(ann, task)) == []
    assert ann.task(task["id"])["error"] == RETRIES_EXHAUSTED


def test_a_discarded_task_frees_its_slot_and_counts_as_a_failure(
    ann: Api, lambdas: Lambdas, rows: Rows
) -> None:
    tasks = [ann.created() for _ in range(5)]
    assert ann.create().status == 429
    lambdas.handle_dead_letters(message(ann, tasks[0]))
    assert counters(rows, ann) == {"active": 4, "failure": 1}
    assert ann.create().status == 201


def test_a_dead_letter_that_comes_twice_counts_once(ann: Api, lambdas: Lambdas, rows: Rows) -> None:
    task = ann.created()
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


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"user": "id-of-ann", "task": "0199aaaa-0000-7000-8000-000000000000"}),
        json.dumps({"user": "nobody", "task": "nothing"}),
        json.dumps({"user": "", "task": ""}),
        json.dumps({"user": "\ud800", "task": "\ud800"}),
        json.dumps({"user": "u" * 3000, "task": "t"}),
        json.dumps({"user": 1, "task": None}),
        json.dumps(["user", "task"]),
        "[" * 100_000,
        "null",
        "not JSON",
        "",
    ],
    ids=[
        "unknown task",
        "unknown user",
        "empty ids",
        "lone surrogates",
        "endless id",
        "ids of other kinds",
        "a list",
        "endless nesting",
        "null",
        "not JSON",
        "empty",
    ],
)
def test_a_dead_letter_that_names_no_task_is_acknowledged(
    ann: Api, lambdas: Lambdas, rows: Rows, body: str
) -> None:
    ann.created()
    before = rows()
    assert lambdas.handle_dead_letters(body) == []
    assert rows() == before


def test_a_task_that_a_worker_has_is_left_alone(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, fail: Fail
) -> None:
    task = ann.created()
    lose_the_finish(ann, lambdas, fail, task)
    before = rows()
    clock.advance(seconds=64)
    assert lambdas.handle_dead_letters(message(ann, task)) == []
    assert rows() == before


def test_a_running_countdown_is_left_alone(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows
) -> None:
    task = ann.created("countdown", input_data={"seconds": 600})
    lambdas.work_off()
    before = rows()
    clock.advance(seconds=599)
    assert lambdas.handle_dead_letters(message(ann, task)) == []
    assert rows() == before


def test_a_scheduled_task_that_is_not_due_is_left_alone(
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
    fail: Fail,
    rows: Rows,
    calls: Calls,
) -> None:
    task = ann.created()
    states: list[Any] = []

    def take_up() -> None:
        lose_the_finish(ann, lambdas, fail, task)
        states.append(rows())

    calls.meanwhile("GetItem", take_up)
    assert lambdas.handle_dead_letters(message(ann, task)) == []
    assert states == [rows()]


@pytest.mark.parametrize(
    ("operation", "after"),
    [("GetItem", False), ("TransactWriteItems", False), ("TransactWriteItems", True)],
)
def test_a_failing_call_keeps_the_dead_letter(
    ann: Api, lambdas: Lambdas, rows: Rows, fail: Fail, operation: str, after: bool
) -> None:
    task = ann.created()
    fail(operation, OUTAGE, after=after, times=1)
    assert lambdas.handle_dead_letters(message(ann, task)) == ["0"]
    assert lambdas.handle_dead_letters(message(ann, task)) == []
    assert ann.task(task["id"])["error"] == RETRIES_EXHAUSTED
    assert counters(rows, ann) == {"failure": 1}


def test_only_the_failed_dead_letter_of_a_batch_is_reported(
    ann: Api, lambdas: Lambdas, fail: Fail
) -> None:
    first, second = ann.created(), ann.created()
    fail("TransactWriteItems", OUTAGE, times=1)
    assert lambdas.handle_dead_letters(message(ann, first), "not JSON", message(ann, second)) == [
        "0"
    ]
    assert ann.task(second["id"])["status"] == "failure"


def test_handling_a_dead_letter_sends_nothing_and_runs_nothing(
    ann: Api, lambdas: Lambdas, calls: Calls
) -> None:
    task = ann.created()
    calls.clear()
    lambdas.handle_dead_letters(message(ann, task))
    assert calls.operations == ["GetItem", "TransactWriteItems"]
