"""The sweeper finds lost tasks again and leaves healthy ones alone."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.aws_calls import Calls
from tests.drivers import Api, Clock, Lambdas, sweep
from tests.integration.tools import (
    OUTAGE,
    Define,
    Fail,
    LambdaDied,
    Rows,
    counters,
    doing,
    message,
    minutes_pass,
    named,
    row_of,
)

Schedules = Callable[[], list[str]]


def ahead(clock: Clock, **parts: float) -> str:
    return (clock.now + timedelta(**parts)).isoformat()


def lost(api: Api, fail: Fail, **fields: Any) -> dict[str, Any]:
    """Create a task that is stored but whose message is never sent."""
    fail("SendMessage", OUTAGE, times=1)
    return api.created(**fields)


def bodies(messages: list[dict[str, Any]]) -> list[str]:
    return [named(one) for one in messages]


def task_ids(messages: list[dict[str, Any]]) -> list[str]:
    return sorted(json.loads(body)["task"] for body in bodies(messages))


def is_in_sweep(rows: Rows, api: Api, task: dict[str, Any]) -> bool:
    return "sweep_at" in row_of(rows, api, f"task#{task['id']}")


@pytest.mark.parametrize("late", [0, 59.9], ids=["early in a minute", "late in a minute"])
def test_a_task_that_was_not_sent_is_sent_within_2_minutes(
    ann: Api, lambdas: Lambdas, clock: Clock, fail: Fail, late: float
) -> None:
    clock.advance(seconds=late)
    task = lost(ann, fail)
    clock.advance(seconds=-late)
    minutes_pass(clock, 2)
    sent, *_ = lambdas.sent()
    assert (named(sent), sent.get("DelaySeconds", 0)) == (message(ann, task), 0)
    lambdas.work(sent["MessageBody"])
    assert ann.task(task["id"])["result"] == 16


def test_a_task_whose_api_lambda_died_before_the_send_is_sent(
    ann: Api, lambdas: Lambdas, clock: Clock, fail: Fail
) -> None:
    fail("SendMessage", LambdaDied(), times=1)
    with pytest.raises(LambdaDied):
        ann.create()
    minutes_pass(clock, 2)
    assert lambdas.work_off() == []
    [task] = ann.get("/api/tasks/").json["results"]
    assert task["status"] == "success"


def test_a_scheduled_task_without_a_schedule_gets_one_within_2_minutes(
    ann: Api, lambdas: Lambdas, clock: Clock, fail: Fail, schedules: Schedules
) -> None:
    fail("CreateSchedule", OUTAGE, times=1)
    task = ann.created(scheduled_at=ahead(clock, days=1))
    assert schedules() == []
    minutes_pass(clock, 2)
    assert schedules() == [f"task-{task['id']}-0"]
    assert lambdas.sent() == []


def test_a_task_due_soon_gets_its_message_and_schedule_within_2_minutes(
    ann: Api, lambdas: Lambdas, clock: Clock, fail: Fail, schedules: Schedules
) -> None:
    task = lost(ann, fail, scheduled_at=ahead(clock, minutes=10))
    minutes_pass(clock, 2)
    [sent] = lambdas.sent()
    assert named(sent) == message(ann, task)
    assert sent["DelaySeconds"] == 9 * 60
    assert schedules() == [f"task-{task['id']}-0"]


@pytest.mark.parametrize("in_advance", [{"minutes": 10}, {"days": 1}], ids=["soon", "tomorrow"])
def test_a_scheduled_task_that_nobody_claimed_is_sent_within_2_minutes_of_its_time(
    ann: Api, lambdas: Lambdas, clock: Clock, in_advance: dict[str, int]
) -> None:
    task = ann.created(scheduled_at=ahead(clock, **in_advance))
    lambdas.sent()
    clock.advance(**in_advance)
    minutes_pass(clock, 2)
    assert {*bodies(lambdas.sent())} == {message(ann, task)}


def test_a_task_that_cannot_be_sent_now_is_sent_at_the_next_tick(
    ann: Api, lambdas: Lambdas, clock: Clock, fail: Fail
) -> None:
    task = lost(ann, fail)
    fail("SendMessageBatch", OUTAGE, times=1)
    minutes_pass(clock, 1)
    assert lambdas.sent() == []
    minutes_pass(clock, 1)
    assert bodies(lambdas.sent()) == [message(ann, task)]


def test_a_task_that_was_sent_again_is_left_alone_for_as_long_as_it_is_late_up_to_15_minutes(
    ann: Api, lambdas: Lambdas, clock: Clock
) -> None:
    task = ann.created()
    lambdas.sent()
    sent_after = {}
    for minute in range(1, 50):
        minutes_pass(clock, 1)
        sent_after[minute] = bodies(lambdas.sent())
    assert {minute: sent for minute, sent in sent_after.items() if sent} == {
        minute: [message(ann, task)] for minute in (1, 2, 4, 8, 16, 31, 46)
    }


def test_a_task_is_late_from_its_time_on(ann: Api, lambdas: Lambdas, clock: Clock) -> None:
    ann.created(scheduled_at=ahead(clock, hours=3))
    clock.advance(hours=3)
    lambdas.sent()
    assert [len(sent_in_a_minute(lambdas, clock)) for _ in range(8)] == [1, 1, 0, 1, 0, 0, 0, 1]


def sent_in_a_minute(lambdas: Lambdas, clock: Clock) -> list[dict[str, Any]]:
    minutes_pass(clock, 1)
    return lambdas.sent()


def test_a_task_that_is_sent_again_waits_at_least_45_seconds_for_the_next_time(
    ann: Api, lambdas: Lambdas, clock: Clock, fail: Fail
) -> None:
    lost(ann, fail)
    clock.advance(seconds=45)
    sweep()
    assert len(lambdas.sent()) == 1
    clock.advance(seconds=44)
    sweep()
    assert lambdas.sent() == []
    clock.advance(seconds=1)
    sweep()
    assert len(lambdas.sent()) == 1


def test_a_dead_workers_task_is_claimed_again(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, fail: Fail
) -> None:
    task = ann.created()
    fail("TransactWriteItems", OUTAGE, times=1)
    assert lambdas.work_off() == ["0"]
    minutes_pass(clock, 1)
    [sent] = lambdas.sent()
    assert (named(sent), sent["DelaySeconds"]) == (message(ann, task), 5)
    clock.advance(seconds=5)
    assert lambdas.work(sent["MessageBody"]) == []
    assert ann.task(task["id"])["status"] == "success"
    assert counters(rows, ann) == {"success": 1}


def test_a_task_without_tries_left_whose_dead_letter_was_lost_ends_in_failure(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define
) -> None:
    define(doing(LambdaDied()), max_tries=1)
    task = ann.created("probe", input_data={})
    with pytest.raises(LambdaDied):
        lambdas.work_off()
    minutes_pass(clock, 3)
    assert lambdas.work(*bodies(lambdas.sent())) == []
    assert ann.task(task["id"])["error"]["code"] == "retries_exhausted"


def test_healthy_tasks_are_left_alone(
    ann: Api, lambdas: Lambdas, clock: Clock, calls: Calls
) -> None:
    ann.created()
    ann.created("countdown", input_data={"seconds": 1800})
    lambdas.work_off()
    ann.created(scheduled_at=ahead(clock, minutes=14))
    ann.created(scheduled_at=ahead(clock, days=1))
    calls.clear()
    minutes_pass(clock, 14)
    assert {*calls.operations} <= {"Query", "BatchGetItem", "UpdateItem"}


def test_a_healthy_task_costs_the_sweeper_nothing(
    ann: Api, lambdas: Lambdas, clock: Clock, calls: Calls
) -> None:
    ann.created()
    lambdas.work_off()
    ann.created(scheduled_at=ahead(clock, days=1))
    calls.clear()
    minutes_pass(clock, 9)
    assert {*calls.operations} == {"Query"}


def test_a_finished_task_is_no_longer_in_the_sweepers_index(
    ann: Api, lambdas: Lambdas, rows: Rows
) -> None:
    task = ann.created()
    assert is_in_sweep(rows, ann, task)
    lambdas.work_off()
    assert not is_in_sweep(rows, ann, task)


def test_a_stale_index_entry_does_nothing(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, fail: Fail, calls: Calls
) -> None:
    task = lost(ann, fail)
    calls.meanwhile("Query", lambda: lambdas.work(message(ann, task)), index="sweep")
    minutes_pass(clock, 2)
    assert lambdas.sent() == []
    assert ann.task(task["id"])["attempts"] == 1
    assert counters(rows, ann) == {"success": 1}


def test_an_entry_that_another_sweep_handled_does_nothing(
    ann: Api, lambdas: Lambdas, clock: Clock, fail: Fail, calls: Calls
) -> None:
    lost(ann, fail)
    calls.meanwhile("Query", sweep, index="sweep")
    minutes_pass(clock, 1)
    assert len(lambdas.sent()) == 1


def test_a_task_cancelled_while_it_is_sent_again_stays_cancelled(
    ann: Api, clock: Clock, rows: Rows, fail: Fail, calls: Calls
) -> None:
    task = lost(ann, fail)
    calls.meanwhile("SendMessageBatch", lambda: ann.post(f"/api/tasks/{task['id']}/cancel/"))
    minutes_pass(clock, 2)
    assert ann.task(task["id"])["status"] == "cancelled"
    assert not is_in_sweep(rows, ann, task)


def test_a_task_whose_move_in_the_index_fails_is_sent_again_by_the_next_sweep(
    ann: Api, bob: Api, lambdas: Lambdas, clock: Clock, fail: Fail
) -> None:
    tasks = [lost(ann, fail), lost(ann, fail), lost(bob, fail)]
    fail("UpdateItem", OUTAGE, times=1)
    minutes_pass(clock, 1)
    assert task_ids(lambdas.sent()) == sorted(task["id"] for task in tasks)
    clock.advance(seconds=1)
    sweep()
    [again] = task_ids(lambdas.sent())
    assert again in {task["id"] for task in tasks}


def test_a_sweep_changes_nothing_of_a_user(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, fail: Fail
) -> None:
    ann.created()
    lambdas.work_off()
    ann.post(f"/api/tasks/{ann.created()['id']}/cancel/")
    ann.created(scheduled_at=ahead(clock, days=1))
    lost(ann, fail)
    before = row_of(rows, ann, "user")
    minutes_pass(clock, 11)
    assert row_of(rows, ann, "user") == before
    assert counters(rows, ann) == {"active": 2, "success": 1, "cancelled": 1}


def test_a_sweep_never_scans(ann: Api, bob: Api, clock: Clock, fail: Fail, calls: Calls) -> None:
    lost(ann, fail)
    fail("CreateSchedule", OUTAGE, times=1)
    bob.created(scheduled_at=ahead(clock, days=1))
    minutes_pass(clock, 20)
    assert "Scan" not in calls.operations
