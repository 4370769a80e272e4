"""A task with a time: its message, its one-time schedule, and its start."""

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib import security, times
from tests import cloud
from tests.aws_calls import Calls
from tests.drivers import NOON, Api, Clock, Lambdas
from tests.integration.tools import OUTAGE, Fail, refusal, without_events


def in_moscow(**ahead: float) -> str:
    return (NOON + timedelta(**ahead)).astimezone(times.ZONE).isoformat()


def stay_signed_in(user: Api, clock: Clock) -> None:
    user.token = security.issue_token(security.ACCESS, user.user_id, clock.now)


def test_a_one_time_schedule_is_created_with_all_it_needs(ann: Api, calls: Calls) -> None:
    task = ann.created(scheduled_at="2026-02-20 15:30:00")
    (schedule,) = calls.of("CreateSchedule")
    body = json.loads(schedule["Target"]["Input"])
    assert (body["user"], body["task"], body["type"]) == (ann.user_id, task["id"], "sum")
    assert {name: value for name, value in schedule.items() if name != "ClientToken"} == {
        "Name": f"task-{task['id']}-0",
        "GroupName": cloud.ENVIRONMENT["SCHEDULE_GROUP"],
        "ScheduleExpression": "at(2026-02-20T15:29:00)",
        "ScheduleExpressionTimezone": "Europe/Moscow",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ActionAfterCompletion": "DELETE",
        "Target": {
            "Arn": cloud.ENVIRONMENT["QUEUE_ARN"],
            "RoleArn": cloud.ENVIRONMENT["SCHEDULE_ROLE_ARN"],
            "Input": schedule["Target"]["Input"],
            "DeadLetterConfig": {"Arn": cloud.ENVIRONMENT["SCHEDULE_DEAD_LETTER_ARN"]},
        },
    }


def test_a_one_time_schedule_sends_the_same_message_as_the_queue(ann: Api, calls: Calls) -> None:
    ann.created(scheduled_at="2026-02-02T12:05")
    (schedule,), (message,) = calls.of("CreateSchedule"), calls.of("SendMessage")
    assert schedule["Target"]["Input"] == message["MessageBody"]


@pytest.mark.parametrize(
    ("seconds", "delay", "at"),
    [
        (0, 0, None),
        (1, 1, "12:00:01"),
        (61, 61, "12:01:01"),
        (120, 120, "12:02:00"),
        (121, 121, "12:01:01"),
        (899, 899, "12:13:59"),
        (900, 900, "12:14:00"),
        (901, None, "12:14:01"),
    ],
)
def test_the_time_until_a_task_decides_how_its_message_is_sent(
    ann: Api, calls: Calls, seconds: int, delay: int | None, at: str | None
) -> None:
    ann.created(scheduled_at=in_moscow(seconds=seconds))
    delays = [message["DelaySeconds"] for message in calls.of("SendMessage")]
    assert delays == ([] if delay is None else [delay])
    times = [schedule["ScheduleExpression"] for schedule in calls.of("CreateSchedule")]
    assert times == ([] if at is None else [f"at(2026-02-02T{at})"])


def test_a_delay_is_rounded_up(ann: Api, calls: Calls, clock: Clock) -> None:
    clock.move_to(NOON + timedelta(seconds=0.3))
    ann.created(scheduled_at="2026-02-02T12:00:10")
    assert calls.of("SendMessage")[0]["DelaySeconds"] == 10


@pytest.mark.parametrize("seconds", [60, 3600])
def test_a_task_starts_at_its_time_and_not_before(
    ann: Api, lambdas: Lambdas, calls: Calls, clock: Clock, seconds: int
) -> None:
    task = ann.created(scheduled_at=in_moscow(seconds=seconds))
    message = calls.of("CreateSchedule")[0]["Target"]["Input"]
    clock.move_to(NOON + timedelta(seconds=seconds - 1))
    stay_signed_in(ann, clock)
    assert lambdas.work(message) == []
    assert without_events(ann.task(task["id"])) == task
    assert calls.of("SendMessage")[-1]["DelaySeconds"] == 1
    clock.advance(seconds=1)
    lambdas.work(message)
    done = ann.task(task["id"])
    assert (done["status"], done["started_at"]) == ("success", task["scheduled_at"])


@pytest.mark.parametrize("minutes", [5, 60])
def test_a_one_time_schedule_that_exists_is_enough(
    ann: Api, lambdas: Lambdas, calls: Calls, clock: Clock, fail: Fail, minutes: int
) -> None:
    fail("CreateSchedule", refusal("ConflictException"))
    ann.created(scheduled_at=in_moscow(minutes=minutes))
    calls.clear()
    clock.advance(seconds=46)
    lambdas.sweep()
    assert set(calls.operations) == {"Query"}


def test_a_near_time_that_passes_on_the_way_needs_no_schedule(
    ann: Api, lambdas: Lambdas, calls: Calls, clock: Clock, fail: Fail
) -> None:
    fail("CreateSchedule", refusal("ValidationException"))
    ann.created(scheduled_at="2026-02-02T12:10")
    calls.clear()
    clock.advance(seconds=46)
    lambdas.sweep()
    assert set(calls.operations) == {"Query"}


@pytest.mark.parametrize(
    "error",
    [
        OUTAGE,
        refusal("ThrottlingException"),
        refusal("ResourceNotFoundException"),
        refusal("ValidationException"),
    ],
    ids=["outage", "throttled", "no group", "invalid"],
)
def test_the_sweeper_creates_a_schedule_that_could_not_be_created(
    ann: Api, lambdas: Lambdas, schedules: Any, clock: Clock, fail: Fail, error: ClientError
) -> None:
    fail("CreateSchedule", error, times=1)
    task = ann.created(scheduled_at=in_moscow(minutes=60))
    assert schedules() == []
    clock.advance(seconds=46)
    lambdas.sweep()
    assert schedules() == [f"task-{task['id']}-0"]


def test_a_schedule_whose_answer_was_lost_exists_once(
    ann: Api, lambdas: Lambdas, schedules: Any, clock: Clock, fail: Fail
) -> None:
    fail("CreateSchedule", OUTAGE, after=True, times=1)
    task = ann.created(scheduled_at=in_moscow(minutes=60))
    clock.advance(seconds=46)
    lambdas.sweep()
    assert schedules() == [f"task-{task['id']}-0"]
