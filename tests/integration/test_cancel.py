"""POST /api/tasks/{id}/cancel/ from every state."""

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.errors import TaskError
from chalicelib.task_types import Retry
from tests.aws_calls import Calls
from tests.drivers import Api, Clock, Lambdas
from tests.integration.cancelling import GRACE, Schedules, cancel
from tests.integration.tools import (
    OUTAGE,
    Define,
    Fail,
    Rows,
    counters,
    doing,
    message,
    without_events,
)

NOBODYS = "019c1d94-8a80-7000-8000-000000000000"


def test_a_pending_task_is_cancelled(ann: Api, clock: Clock) -> None:
    task = ann.created()
    clock.advance(seconds=2)
    answer = cancel(ann, task)
    assert answer.status == 200
    assert answer.json == task | {
        "status": "cancelled",
        "finished_at": "2026-02-02T12:00:02+03:00",
    }
    assert list(answer.json) == list(task)
    assert without_events(ann.task(task["id"])) == answer.json


def test_a_cancelled_task_is_not_run(ann: Api, lambdas: Lambdas) -> None:
    task = ann.created()
    cancelled = cancel(ann, task).json
    assert lambdas.work_off() == []
    assert without_events(ann.task(task["id"])) == cancelled


def test_a_started_task_is_cancelled(ann: Api, lambdas: Lambdas, clock: Clock) -> None:
    task = ann.created("countdown")
    lambdas.work_off()
    started = ann.task(task["id"])
    clock.advance(seconds=10)
    answer = cancel(ann, task)
    assert answer.status == 200
    assert (answer.json["status"], answer.json["attempts"]) == ("cancelled", 1)
    assert answer.json["started_at"] == started["started_at"]
    assert answer.json["finished_at"] == "2026-02-02T12:00:10+03:00"
    assert "progress" not in answer.json


def test_a_cancelled_countdown_does_not_go_on(ann: Api, lambdas: Lambdas, clock: Clock) -> None:
    task = ann.created("countdown")
    lambdas.work_off()
    cancelled = cancel(ann, task).json
    clock.advance(seconds=61)
    assert lambdas.work(message(ann, task)) == []
    assert without_events(ann.task(task["id"])) == cancelled


@pytest.mark.parametrize("scheduled_at", ["2026-02-02T12:05", "2026-03-01T12:00"])
def test_cancelling_deletes_the_tasks_schedule(
    ann: Api, schedules: Schedules, scheduled_at: str
) -> None:
    task, other = (ann.created(scheduled_at=scheduled_at) for _ in range(2))
    assert cancel(ann, task).json["status"] == "cancelled"
    assert schedules() == [f"task-{other['id']}-0"]


def test_cancelling_deletes_the_schedule_of_a_long_countdown(
    ann: Api, lambdas: Lambdas, schedules: Schedules
) -> None:
    task = ann.created("countdown", input_data={"seconds": 3600})
    lambdas.work_off()
    assert schedules() == [f"task-{task['id']}-1"]
    assert cancel(ann, task).status == 200
    assert schedules() == []


def test_cancelling_deletes_the_schedule_of_a_late_retry(
    ann: Api, lambdas: Lambdas, define: Define, schedules: Schedules
) -> None:
    define(doing(Retry(timedelta(hours=1))))
    task = ann.created("probe", input_data={})
    lambdas.work_off()
    assert schedules() == [f"task-{task['id']}-1"]
    assert cancel(ann, task).status == 200
    assert schedules() == []


def test_a_cancelled_task_frees_its_slot_and_is_counted_once(ann: Api, rows: Rows) -> None:
    tasks = [ann.created() for _ in range(5)]
    for _ in range(3):
        cancel(ann, tasks[0])
    assert counters(rows, ann) == {"active": 4, "cancelled": 1}
    assert [ann.create().status for _ in range(2)] == [201, 429]


def test_cancelling_again_succeeds_and_changes_nothing(
    ann: Api, rows: Rows, calls: Calls, clock: Clock
) -> None:
    task = ann.created(scheduled_at="2026-02-02T12:05")
    first = cancel(ann, task)
    before = rows()
    clock.advance(seconds=1)
    calls.clear()
    again = cancel(ann, task)
    assert (again.status, again.text) == (200, first.text)
    assert calls.operations == ["GetItem"]
    assert rows() == before


@pytest.mark.parametrize("outcome", ["done", TaskError("No.")], ids=["success", "failure"])
def test_a_finished_task_is_a_conflict_that_shows_it(
    ann: Api, lambdas: Lambdas, rows: Rows, calls: Calls, define: Define, outcome: Any
) -> None:
    define(doing(outcome))
    task = ann.created("probe", input_data={})
    lambdas.work_off()
    shown = without_events(ann.task(task["id"]))
    before = rows()
    calls.clear()
    answer = cancel(ann, task)
    assert answer.status == 409
    assert list(answer.json.items()) == [
        ("detail", "The task has already finished."),
        ("code", "already_finished"),
        ("task", shown),
    ]
    assert calls.operations == ["GetItem"]
    assert rows() == before


def test_a_task_that_the_user_does_not_have_cannot_be_cancelled(
    ann: Api, bob: Api, rows: Rows
) -> None:
    bobs = bob.created(scheduled_at="2026-02-02T12:05")["id"]
    before = rows()
    answers = [
        ann.post(f"/api/tasks/{task_id}/cancel/") for task_id in (bobs, NOBODYS, "x", "%00", "*")
    ]
    assert {(answer.status, answer.text) for answer in answers} == {
        (404, '{"detail":"No Task matches the given query.","code":"not_found"}')
    }
    assert rows() == before


def test_an_id_in_capitals_is_the_same_id(ann: Api) -> None:
    task = ann.created()
    assert cancel(ann, {"id": task["id"].upper()}).json["id"] == task["id"]


def test_the_path_without_its_slash_cancels_as_well(ann: Api) -> None:
    task = ann.created()
    assert ann.post(f"/api/tasks/{task['id']}/cancel").json["status"] == "cancelled"


@pytest.mark.parametrize("raw", [b"", b"{}", b"no JSON", b"x" * 70_000])
def test_the_body_of_a_cancel_does_not_matter(ann: Api, raw: bytes) -> None:
    task = ann.created()
    headers = {"Content-Type": "text/plain"}
    path = f"/api/tasks/{task['id']}/cancel/"
    assert ann.request("POST", path, raw=raw, headers=headers).status == 200


@pytest.mark.parametrize(
    ("scheduled_at", "operations"),
    [
        (None, ["GetItem", "TransactWriteItems"]),
        (
            "2026-02-02T12:05",
            ["GetItem", "TransactWriteItems", "DeleteSchedule"],
        ),
    ],
    ids=["at once", "scheduled"],
)
def test_a_cancel_makes_no_more_aws_calls_than_it_needs(
    ann: Api, calls: Calls, scheduled_at: str | None, operations: list[str]
) -> None:
    task = ann.created(scheduled_at=scheduled_at)
    calls.clear()
    cancel(ann, task)
    assert calls.operations == operations


def test_cancelling_a_short_wait_looks_for_no_schedule(
    ann: Api, lambdas: Lambdas, calls: Calls
) -> None:
    task = ann.created("countdown", input_data={"seconds": 900})
    lambdas.work_off()
    calls.clear()
    cancel(ann, task)
    assert calls.operations == ["GetItem", "TransactWriteItems"]


def test_a_cancel_deletes_the_schedule_by_its_name(ann: Api, calls: Calls) -> None:
    task = ann.created(scheduled_at="2026-02-02T12:05")
    cancel(ann, task)
    (deleted,) = calls.of("DeleteSchedule")
    assert (deleted["Name"], deleted["GroupName"]) == (f"task-{task['id']}-0", "tasks-test")


def test_a_table_that_is_down_is_a_503_and_the_task_stays(
    ann: Api, rows: Rows, schedules: Schedules, fail: Fail
) -> None:
    task = ann.created(scheduled_at="2026-02-02T12:30")
    before = rows()
    fail("TransactWriteItems", OUTAGE, times=1)
    assert cancel(ann, task).status == 503
    assert rows() == before
    assert schedules() == [f"task-{task['id']}-0"]
    assert cancel(ann, task).status == 200


def test_a_cancel_whose_answer_was_lost_takes_effect_once(
    ann: Api,
    rows: Rows,
    lambdas: Lambdas,
    clock: Clock,
    schedules: Schedules,
    fail: Fail,
) -> None:
    task = ann.created(scheduled_at="2026-02-02T12:30")
    fail("TransactWriteItems", OUTAGE, after=True, times=1)
    assert cancel(ann, task).status == 503
    assert cancel(ann, task).status == 200
    assert counters(rows, ann) == {"cancelled": 1}
    clock.advance(seconds=GRACE)
    lambdas.sweep()
    assert schedules() == []
