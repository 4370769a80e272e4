"""A snooze of more than 15 minutes waits for a one-time schedule of its own."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import boto3
import pytest

from chalicelib.task_types import Snooze
from infra.local.loops import OneTimeSchedules
from tests import cloud
from tests.aws_calls import Calls, Parameters
from tests.drivers import Api, Clock, Lambdas
from tests.integration.tools import (
    OUTAGE,
    Define,
    Fail,
    Rows,
    counters,
    message,
    named,
    shown,
    sign_in_again,
)

Schedules = Callable[[], list[str]]


@pytest.fixture
def aws_scheduler(aws: None) -> OneTimeSchedules:
    """`aws_scheduler.fire_due(now)`: what EventBridge Scheduler does at a moment."""
    return OneTimeSchedules(
        boto3.client("scheduler"), boto3.client("sqs"), cloud.ENVIRONMENT["SCHEDULE_GROUP"]
    )


def without_token(parameters: Parameters) -> Parameters:
    """Return a call's parameters as the service gives them; boto adds a token."""
    return {name: value for name, value in parameters.items() if name != "ClientToken"}


def count_down(api: Api, lambdas: Lambdas, seconds: int) -> dict[str, Any]:
    """Create a countdown and let it begin."""
    task = api.created("countdown", input_data={"seconds": seconds})
    assert lambdas.work_off() == []
    return task


def test_a_countdown_of_15_minutes_and_a_second_creates_a_schedule_and_sends_no_message(
    ann: Api, lambdas: Lambdas, calls: Calls
) -> None:
    task = ann.created("countdown", input_data={"seconds": 901})
    calls.clear()
    assert lambdas.work_off() == []
    assert calls.operations == ["UpdateItem", "UpdateItem", "CreateSchedule"]
    body = calls[-1].parameters["Target"]["Input"]
    assert named({"MessageBody": body}) == message(ann, task)
    # It began at 12:00 in Moscow, and a schedule is set a minute early.
    assert without_token(calls[-1].parameters) == {
        "Name": f"task-{task['id']}-1",
        "GroupName": cloud.ENVIRONMENT["SCHEDULE_GROUP"],
        "ScheduleExpression": "at(2026-02-02T12:14:01)",
        "ScheduleExpressionTimezone": "Europe/Moscow",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ActionAfterCompletion": "DELETE",
        "Target": {
            "Arn": cloud.ENVIRONMENT["QUEUE_ARN"],
            "RoleArn": cloud.ENVIRONMENT["SCHEDULE_ROLE_ARN"],
            "Input": body,
            "DeadLetterConfig": {"Arn": cloud.ENVIRONMENT["SCHEDULE_DEAD_LETTER_ARN"]},
        },
    }


def test_a_countdown_of_15_minutes_creates_no_schedule(
    ann: Api, lambdas: Lambdas, calls: Calls
) -> None:
    count_down(ann, lambdas, 900)
    assert calls.of("CreateSchedule") == []


def test_the_early_message_of_a_schedule_is_sent_on_with_the_rest_of_the_delay(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows
) -> None:
    task = count_down(ann, lambdas, 901)
    clock.advance(seconds=841)
    before = rows()
    assert lambdas.work(message(ann, task)) == []
    [sent] = lambdas.sent()
    assert (named(sent), sent["DelaySeconds"]) == (message(ann, task), 60)
    assert rows() == before


def test_a_message_that_comes_more_than_15_minutes_early_is_dropped_for_the_schedule(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, schedules: Schedules, calls: Calls
) -> None:
    task = count_down(ann, lambdas, 86_400)
    clock.advance(minutes=10)
    before = rows()
    calls.clear()
    assert lambdas.work(message(ann, task)) == []
    assert calls.of("SendMessage") == []
    assert schedules() == [f"task-{task['id']}-1"]
    assert rows() == before


def test_a_message_stays_in_the_queue_if_nobody_knows_whether_the_schedule_exists(
    ann: Api, lambdas: Lambdas, clock: Clock, fail: Fail
) -> None:
    task = count_down(ann, lambdas, 86_400)
    clock.advance(minutes=10)
    fail("CreateSchedule", OUTAGE)
    assert lambdas.work(message(ann, task)) == ["0"]


def test_a_countdown_of_a_day_takes_two_runs_and_no_sweeper(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, aws_scheduler: OneTimeSchedules
) -> None:
    task = ann.created("countdown", input_data={"seconds": 86_400})
    end = clock.now + timedelta(days=1)
    assert lambdas.feed() == 1
    clock.move_to(end - timedelta(seconds=61))
    aws_scheduler.fire_due(clock.now)
    assert lambdas.feed() == 0
    clock.advance(seconds=1)
    aws_scheduler.fire_due(clock.now)
    assert lambdas.feed() == 1
    clock.move_to(end)
    assert lambdas.feed() == 1
    sign_in_again(ann)
    ended = ann.task(task["id"])
    assert (ended["result"], ended["attempts"]) == ({"seconds": 86_400}, 2)
    assert ended["finished_at"] == shown(end)
    assert counters(rows, ann) == {"success": 1}


def test_each_long_snooze_of_a_task_gets_a_schedule_of_its_own(
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    calls: Calls,
    aws_scheduler: OneTimeSchedules,
    define: Define,
    probe: Any,
) -> None:
    task = probe()
    end = clock.now + timedelta(hours=1)
    define(lambda: "done" if clock.now >= end else Snooze(clock.now + timedelta(minutes=20)))
    lambdas.feed()
    while clock.now < end:
        clock.advance(minutes=19)
        aws_scheduler.fire_due(clock.now)
        lambdas.feed()
        clock.advance(minutes=1)
        lambdas.feed()
    names = [schedule["Name"] for schedule in calls.of("CreateSchedule")]
    assert names == [f"task-{task['id']}-{attempt}" for attempt in (1, 2, 3)]
    sign_in_again(ann)
    ended = ann.task(task["id"])
    assert (ended["result"], ended["attempts"]) == ("done", 4)
    assert ended["finished_at"] == shown(end)


def test_the_next_long_snooze_does_not_depend_on_the_schedule_of_the_one_before(
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    schedules: Schedules,
    define: Define,
    probe: Any,
) -> None:
    # ActionAfterCompletion takes effect some time after the schedule fired.
    task = probe()
    define(lambda: Snooze(clock.now + timedelta(minutes=20)))
    lambdas.work(message(ann, task))
    clock.advance(minutes=20)
    lambdas.work(message(ann, task))
    assert {*schedules()} == {f"task-{task['id']}-1", f"task-{task['id']}-2"}


def test_a_cancel_deletes_the_schedule_of_a_long_snooze(
    ann: Api, lambdas: Lambdas, clock: Clock, calls: Calls, schedules: Schedules
) -> None:
    task = count_down(ann, lambdas, 86_400)
    clock.advance(minutes=5)
    assert schedules() == [f"task-{task['id']}-1"]
    assert ann.post(f"/api/tasks/{task['id']}/cancel/").status == 200
    assert [without_token(one) for one in calls.of("DeleteSchedule")] == [
        {"Name": f"task-{task['id']}-1", "GroupName": cloud.ENVIRONMENT["SCHEDULE_GROUP"]}
    ]
    assert schedules() == []


def test_a_cancel_deletes_the_schedule_of_the_snooze_that_a_task_is_in(
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    calls: Calls,
    aws_scheduler: OneTimeSchedules,
    schedules: Schedules,
    define: Define,
    probe: Any,
) -> None:
    task = probe()
    define(lambda: Snooze(clock.now + timedelta(minutes=20)))
    lambdas.work(message(ann, task))
    clock.advance(minutes=20)
    aws_scheduler.fire_due(clock.now)
    lambdas.work(message(ann, task))
    sign_in_again(ann)
    ann.post(f"/api/tasks/{task['id']}/cancel/")
    assert [one["Name"] for one in calls.of("DeleteSchedule")] == [f"task-{task['id']}-2"]
    assert schedules() == []


def test_a_cancel_of_a_short_snooze_looks_for_no_schedule(
    ann: Api, lambdas: Lambdas, calls: Calls
) -> None:
    task = count_down(ann, lambdas, 900)
    ann.post(f"/api/tasks/{task['id']}/cancel/")
    assert calls.of("DeleteSchedule") == []


def test_a_schedule_that_is_created_after_a_cancel_is_deleted_by_the_sweeper(
    ann: Api, lambdas: Lambdas, clock: Clock, calls: Calls, schedules: Schedules
) -> None:
    task = ann.created("countdown", input_data={"seconds": 86_400})

    def cancel() -> None:
        assert ann.post(f"/api/tasks/{task['id']}/cancel/").status == 200

    calls.before("CreateSchedule", cancel)
    lambdas.work_off()
    assert len(schedules()) == 1
    clock.advance(minutes=2)
    lambdas.sweep()
    assert schedules() == []
    assert ann.task(task["id"])["status"] == "cancelled"
