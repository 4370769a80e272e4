"""No cancelled task keeps a one-time schedule, whoever creates it and whatever fails."""

from typing import Any

import pytest

from tests.aws_calls import Calls
from tests.drivers import Api, Clock, Lambdas, sweep
from tests.integration.cancelling import GRACE, Schedules, cancel
from tests.integration.tools import (
    OUTAGE,
    Fail,
    Rows,
    message,
    refusal,
    row_of,
    without_events,
)


def cancel_the_newest(user: Api) -> None:
    cancel(user, user.get("/api/tasks/").json["results"][0])


def is_in_sweep(rows: Rows, user: Api, task: dict[str, Any]) -> bool:
    row = row_of(rows, user, f"task#{task['id']}")
    assert ("sweep_at" in row) == ("sweep_shard" in row)
    return "sweep_at" in row


def test_the_sweeper_looks_once_more_when_no_lambda_can_create_the_schedule_any_more(
    ann: Api, clock: Clock, rows: Rows, calls: Calls
) -> None:
    task = ann.created(scheduled_at="2026-03-01T12:00")
    cancel(ann, task)
    clock.advance(seconds=GRACE - 1)
    calls.clear()
    sweep()
    assert {*calls.operations} == {"Query"}
    assert is_in_sweep(rows, ann, task)
    clock.advance(seconds=1)
    calls.clear()
    sweep()
    assert calls.of("DeleteSchedule")[0]["Name"] == f"task-{task['id']}-0"
    assert not is_in_sweep(rows, ann, task)


def test_a_task_that_cannot_have_a_schedule_leaves_the_sweepers_index_at_once(
    ann: Api, lambdas: Lambdas, rows: Rows
) -> None:
    pending, waiting = ann.created(), ann.created("countdown")
    lambdas.work(message(ann, waiting))
    for task in (pending, waiting):
        cancel(ann, task)
        assert not is_in_sweep(rows, ann, task)


@pytest.mark.parametrize("scheduled_at", ["2026-02-02T12:05", "2026-03-01T12:00"])
def test_a_schedule_that_the_api_creates_after_the_cancel_is_deleted_by_the_sweeper(
    ann: Api, clock: Clock, rows: Rows, calls: Calls, schedules: Schedules, scheduled_at: str
) -> None:
    calls.before("CreateSchedule", lambda: cancel_the_newest(ann))
    task = ann.created(scheduled_at=scheduled_at)
    assert schedules() == [f"task-{task['id']}-0"]
    clock.advance(seconds=GRACE)
    sweep()
    assert schedules() == []
    assert not is_in_sweep(rows, ann, task)
    assert ann.task(task["id"])["status"] == "cancelled"


def test_a_schedule_that_a_worker_creates_after_the_cancel_is_deleted_by_the_sweeper(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, calls: Calls, schedules: Schedules
) -> None:
    task = ann.created("countdown", input_data={"seconds": 3600})
    calls.before("CreateSchedule", lambda: cancel(ann, task))
    lambdas.work_off()
    assert schedules() == [f"task-{task['id']}-1"]
    clock.advance(seconds=GRACE)
    sweep()
    assert schedules() == []
    assert not is_in_sweep(rows, ann, task)


def test_a_schedule_that_a_sweep_creates_after_the_cancel_is_deleted_by_a_later_one(
    ann: Api, clock: Clock, fail: Fail, calls: Calls, schedules: Schedules
) -> None:
    fail("CreateSchedule", OUTAGE, times=1)
    task = ann.created(scheduled_at="2026-03-01T12:00")
    calls.before("CreateSchedule", lambda: cancel(ann, task))
    clock.advance(seconds=45)
    sweep()
    assert schedules() == [f"task-{task['id']}-0"]
    clock.advance(seconds=GRACE)
    sweep()
    assert schedules() == []


def test_a_schedule_that_is_already_gone_does_not_fail_the_cancel(ann: Api, fail: Fail) -> None:
    fail("DeleteSchedule", refusal("ResourceNotFoundException"))
    assert cancel(ann, ann.created(scheduled_at="2026-02-02T12:05")).status == 200


@pytest.mark.parametrize("after", [False, True], ids=["still there", "gone"])
@pytest.mark.parametrize("error", [OUTAGE, refusal("ThrottlingException"), refusal("Refused")])
def test_the_sweeper_deletes_a_schedule_that_could_not_be_deleted(
    ann: Api, clock: Clock, rows: Rows, schedules: Schedules, fail: Fail, error: Any, after: bool
) -> None:
    task = ann.created(scheduled_at="2026-02-02T12:30")
    fail("DeleteSchedule", error, after=after, times=1)
    answer = cancel(ann, task)
    assert (answer.status, answer.json["status"]) == (200, "cancelled")
    assert schedules() == ([] if after else [f"task-{task['id']}-0"])
    clock.advance(seconds=GRACE)
    sweep()
    assert schedules() == []
    assert not is_in_sweep(rows, ann, task)
    assert without_events(ann.task(task["id"])) == answer.json


@pytest.mark.parametrize("operation", ["DeleteSchedule", "UpdateItem"])
def test_the_next_sweep_does_what_failed_in_the_last_look(
    ann: Api, clock: Clock, rows: Rows, schedules: Schedules, fail: Fail, operation: str
) -> None:
    task = ann.created(scheduled_at="2026-02-02T12:30")
    fail("DeleteSchedule", OUTAGE, times=1)
    cancel(ann, task)
    clock.advance(seconds=GRACE)
    fail(operation, OUTAGE, times=1)
    sweep()
    assert is_in_sweep(rows, ann, task)
    clock.advance(minutes=1)
    sweep()
    assert schedules() == []
    assert not is_in_sweep(rows, ann, task)


def test_a_message_of_a_cancelled_task_does_not_create_its_schedule_again(
    ann: Api, lambdas: Lambdas, schedules: Schedules
) -> None:
    task = ann.created("countdown", input_data={"seconds": 3600})
    lambdas.work_off()
    cancel(ann, task)
    assert lambdas.work(message(ann, task)) == []
    assert schedules() == []
