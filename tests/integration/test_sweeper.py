"""The sweeper finds lost tasks again and leaves healthy ones alone."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import boto3
import pytest

from tests import cloud
from tests.aws_calls import Calls
from tests.drivers import Api, Clock, Lambdas, sweep
from tests.integration.tools import (
    OUTAGE,
    Fail,
    LambdaDied,
    Rows,
    counters,
    message,
    minutes_pass,
    row_of,
    sign_in_again,
)

Schedules = Callable[[], list[str]]


def ahead(clock: Clock, **parts: float) -> str:
    return (clock.now + timedelta(**parts)).isoformat()


def lost(api: Api, fail: Fail, **fields: Any) -> dict[str, Any]:
    """Create a task that is stored but whose message is never sent."""
    fail("SendMessage", OUTAGE, times=1)
    return api.created(**fields)


def bodies(messages: list[dict[str, Any]]) -> list[str]:
    return [one["MessageBody"] for one in messages]


def is_watched(rows: Rows, api: Api, task: dict[str, Any]) -> bool:
    return "watch_at" in row_of(rows, api, f"task#{task['id']}")


@pytest.mark.parametrize("late", [0, 59.9], ids=["early in a minute", "late in a minute"])
def test_a_task_that_was_not_sent_is_sent_within_2_minutes(
    ann: Api, lambdas: Lambdas, clock: Clock, fail: Fail, late: float
) -> None:
    clock.advance(seconds=late)
    task = lost(ann, fail)
    clock.advance(seconds=-late)
    minutes_pass(clock, 2)
    [sent] = lambdas.sent()
    assert (sent["MessageBody"], sent["DelaySeconds"]) == (message(ann, task), 0)
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
    assert schedules() == [f"task-{task['id']}"]
    assert lambdas.sent() == []


def test_a_task_due_soon_gets_its_message_and_schedule_within_2_minutes(
    ann: Api, lambdas: Lambdas, clock: Clock, fail: Fail, schedules: Schedules
) -> None:
    task = lost(ann, fail, scheduled_at=ahead(clock, minutes=10))
    minutes_pass(clock, 2)
    [sent] = lambdas.sent()
    assert sent["MessageBody"] == message(ann, task)
    assert sent["DelaySeconds"] in (8 * 60, 9 * 60)
    assert schedules() == [f"task-{task['id']}"]


@pytest.mark.parametrize("in_advance", [{"minutes": 10}, {"days": 1}], ids=["soon", "tomorrow"])
def test_a_scheduled_task_that_nobody_claimed_is_sent_within_2_minutes_of_its_time(
    ann: Api, lambdas: Lambdas, clock: Clock, in_advance: dict[str, int]
) -> None:
    task = ann.created(scheduled_at=ahead(clock, **in_advance))
    lambdas.sent()
    clock.advance(**in_advance)
    minutes_pass(clock, 2)
    assert bodies(lambdas.sent()) == [message(ann, task)]


def test_a_task_that_cannot_be_sent_now_is_sent_at_the_next_tick(
    ann: Api, lambdas: Lambdas, clock: Clock, fail: Fail
) -> None:
    task = lost(ann, fail)
    fail("SendMessage", OUTAGE, times=1)
    minutes_pass(clock, 1)
    assert lambdas.sent() == []
    minutes_pass(clock, 1)
    assert bodies(lambdas.sent()) == [message(ann, task)]


def test_a_task_that_was_sent_again_is_left_alone_for_15_minutes(
    ann: Api, lambdas: Lambdas, clock: Clock
) -> None:
    task = ann.created()
    lambdas.sent()
    minutes_pass(clock, 2)
    assert bodies(lambdas.sent()) == [message(ann, task)]
    minutes_pass(clock, 13)
    assert lambdas.sent() == []
    minutes_pass(clock, 2)
    assert bodies(lambdas.sent()) == [message(ann, task)]


def test_a_dead_workers_task_is_claimed_again(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, fail: Fail
) -> None:
    task = ann.created()
    fail("TransactWriteItems", OUTAGE, times=1)
    assert lambdas.work_off() == ["0"]
    minutes_pass(clock, 1)
    [sent] = lambdas.sent()
    assert (sent["MessageBody"], sent["DelaySeconds"]) == (message(ann, task), 5)
    clock.advance(seconds=5)
    assert lambdas.work(sent["MessageBody"]) == []
    assert ann.task(task["id"])["status"] == "success"
    assert counters(rows, ann) == {"success": 1}


def test_a_task_without_tries_left_whose_dead_letter_was_lost_ends_in_failure(
    ann: Api, lambdas: Lambdas, clock: Clock, fail: Fail
) -> None:
    task = ann.created()
    lambdas.sent()
    fail("TransactWriteItems", OUTAGE, times=5)
    for _ in range(5):
        lambdas.work(message(ann, task))
        clock.advance(minutes=6)
    minutes_pass(clock, 1)
    assert lambdas.work(*bodies(lambdas.sent())) == []
    sign_in_again(ann)
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
    assert {"SendMessage", "CreateSchedule", "DeleteSchedule"} & {*calls.operations} == set()


def test_a_healthy_task_costs_the_sweeper_nothing(
    ann: Api, lambdas: Lambdas, clock: Clock, calls: Calls
) -> None:
    ann.created()
    lambdas.work_off()
    ann.created(scheduled_at=ahead(clock, days=1))
    calls.clear()
    minutes_pass(clock, 9)
    assert {*calls.operations} == {"Query"}


def test_a_finished_task_is_no_longer_watched(ann: Api, lambdas: Lambdas, rows: Rows) -> None:
    task = ann.created()
    assert is_watched(rows, ann, task)
    lambdas.work_off()
    assert not is_watched(rows, ann, task)


@pytest.mark.parametrize("after", [False, True], ids=["still there", "gone"])
def test_the_sweeper_deletes_the_schedule_of_a_cancelled_task(
    ann: Api, clock: Clock, rows: Rows, fail: Fail, schedules: Schedules, after: bool
) -> None:
    task = ann.created(scheduled_at=ahead(clock, days=1))
    fail("DeleteSchedule", OUTAGE, after=after, times=1)
    assert ann.post(f"/api/tasks/{task['id']}/cancel/").status == 200
    assert is_watched(rows, ann, task)
    minutes_pass(clock, 2)
    assert schedules() == []
    assert not is_watched(rows, ann, task)
    assert ann.task(task["id"])["status"] == "cancelled"


def test_a_cancelled_task_whose_schedule_is_gone_is_not_watched(
    ann: Api, clock: Clock, rows: Rows
) -> None:
    scheduled = ann.created(scheduled_at=ahead(clock, days=1))
    immediate = ann.created()
    for task in (scheduled, immediate):
        ann.post(f"/api/tasks/{task['id']}/cancel/")
        assert not is_watched(rows, ann, task)


def store_active(api: Api, active: int) -> None:
    boto3.client("dynamodb").update_item(
        TableName=cloud.ENVIRONMENT["TABLE_NAME"],
        Key={"pk": {"S": f"user#{api.user_id}"}, "sk": {"S": "user"}},
        UpdateExpression="SET active = :active",
        ExpressionAttributeValues={":active": {"N": str(active)}},
    )


@pytest.mark.parametrize("stored", [0, 1, 3, 5, 7, -2])
def test_a_drifted_counter_is_repaired_within_11_minutes(
    ann: Api, clock: Clock, rows: Rows, stored: int
) -> None:
    for _ in range(2):
        ann.created(scheduled_at=ahead(clock, days=1))
    store_active(ann, stored)
    minutes_pass(clock, 11)
    assert counters(rows, ann) == {"active": 2}


def test_a_user_without_tasks_whose_slots_leaked_gets_them_back(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows
) -> None:
    ann.created()
    lambdas.work_off()
    store_active(ann, 5)
    assert ann.create().status == 429
    minutes_pass(clock, 11)
    assert counters(rows, ann) == {"success": 1}
    assert ann.create().status == 201


def test_a_counter_is_checked_every_10_minutes_while_there_are_tasks(
    ann: Api, clock: Clock, rows: Rows
) -> None:
    ann.created(scheduled_at=ahead(clock, days=1))
    minutes_pass(clock, 15)
    store_active(ann, 4)
    minutes_pass(clock, 11)
    assert counters(rows, ann) == {"active": 1}


def test_a_user_who_keeps_creating_tasks_is_checked_all_the_same(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows
) -> None:
    ann.created(scheduled_at=ahead(clock, days=1))
    store_active(ann, 3)
    for _ in range(2):
        minutes_pass(clock, 5)
        ann.created()
        lambdas.work_off()
    minutes_pass(clock, 1)
    assert counters(rows, ann) == {"active": 1, "success": 2}


def test_correct_counters_are_untouched(
    ann: Api, bob: Api, lambdas: Lambdas, clock: Clock, rows: Rows
) -> None:
    ann.created()
    lambdas.work_off()
    ann.post(f"/api/tasks/{ann.created()['id']}/cancel/")
    lambdas.handle_dead_letters(message(ann, ann.created()))
    ann.created(scheduled_at=ahead(clock, days=1))
    bob.created(scheduled_at=ahead(clock, days=1))
    minutes_pass(clock, 11)
    assert counters(rows, ann) == {"active": 1, "success": 1, "failure": 1, "cancelled": 1}
    assert counters(rows, bob) == {"active": 1}


def test_a_user_without_active_tasks_is_no_longer_watched(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows
) -> None:
    ann.created()
    assert "watch_at" in row_of(rows, ann, "user")
    lambdas.work_off()
    minutes_pass(clock, 11)
    assert "watch_at" not in row_of(rows, ann, "user")


def test_a_task_made_while_the_counter_is_checked_is_counted(
    ann: Api, clock: Clock, rows: Rows, calls: Calls
) -> None:
    ann.created(scheduled_at=ahead(clock, days=1))
    calls.meanwhile(
        "Query", lambda: ann.created(scheduled_at=ahead(clock, days=1)), index="by_status"
    )
    minutes_pass(clock, 11)
    assert counters(rows, ann) == {"active": 2}


def test_a_row_that_fails_does_not_stop_the_others(
    ann: Api, bob: Api, lambdas: Lambdas, clock: Clock, fail: Fail
) -> None:
    tasks = [lost(ann, fail), lost(ann, fail), lost(bob, fail)]
    fail("SendMessage", OUTAGE, times=1)
    minutes_pass(clock, 1)
    first = bodies(lambdas.sent())
    minutes_pass(clock, 1)
    second = bodies(lambdas.sent())
    assert (len(first), len(second)) == (2, 1)
    named = [json.loads(body)["task"] for body in first + second]
    assert sorted(named) == sorted(task["id"] for task in tasks)


def test_a_stale_index_entry_does_nothing(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, fail: Fail, calls: Calls
) -> None:
    task = lost(ann, fail)
    calls.meanwhile("Query", lambda: lambdas.work(message(ann, task)), index="watched")
    minutes_pass(clock, 2)
    assert lambdas.sent() == []
    assert ann.task(task["id"])["attempts"] == 1
    assert counters(rows, ann) == {"success": 1}


def test_an_entry_that_another_sweep_handled_does_nothing(
    ann: Api, lambdas: Lambdas, clock: Clock, fail: Fail, calls: Calls
) -> None:
    lost(ann, fail)
    calls.meanwhile("Query", sweep, index="watched")
    minutes_pass(clock, 2)
    assert len(lambdas.sent()) == 1


def test_a_task_cancelled_while_it_is_sent_again_stays_cancelled(
    ann: Api, clock: Clock, rows: Rows, fail: Fail, calls: Calls
) -> None:
    task = lost(ann, fail)
    calls.meanwhile("SendMessage", lambda: ann.post(f"/api/tasks/{task['id']}/cancel/"))
    minutes_pass(clock, 2)
    assert ann.task(task["id"])["status"] == "cancelled"
    assert not is_watched(rows, ann, task)


def test_a_sweep_that_runs_out_of_time_leaves_the_rest_to_the_next(
    ann: Api, lambdas: Lambdas, clock: Clock, fail: Fail, calls: Calls
) -> None:
    older = lost(ann, fail)
    clock.advance(seconds=1)
    newer = lost(ann, fail)
    calls.meanwhile("SendMessage", lambda: clock.advance(seconds=50))
    clock.advance(minutes=1)
    sweep()
    assert bodies(lambdas.sent()) == [message(ann, older)]
    sweep()
    assert bodies(lambdas.sent()) == [message(ann, newer)]


def test_a_sweep_over_a_quiet_table_costs_8_queries(
    ann: Api, lambdas: Lambdas, clock: Clock, calls: Calls
) -> None:
    ann.created()
    lambdas.work_off()
    minutes_pass(clock, 11)
    calls.clear()
    sweep()
    assert calls.operations == ["Query"] * 8
    assert {query["IndexName"] for query in calls.of("Query")} == {"watched"}
    shards = [query["ExpressionAttributeValues"] for query in calls.of("Query")]
    assert len({json.dumps(values) for values in shards}) == 8


def test_a_sweep_never_scans(ann: Api, bob: Api, clock: Clock, fail: Fail, calls: Calls) -> None:
    lost(ann, fail)
    fail("CreateSchedule", OUTAGE, times=1)
    bob.created(scheduled_at=ahead(clock, days=1))
    minutes_pass(clock, 20)
    assert "Scan" not in calls.operations


def test_a_counter_that_blocks_its_user_wrongly_is_repaired_after_the_refusal(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows
) -> None:
    # Nothing is active, so the sweeper has no reason to look at her.
    store_active(ann, 5)
    assert ann.create().status == 429
    clock.advance(minutes=1)
    lambdas.sweep()
    assert counters(rows, ann) == {}
    assert ann.create().status == 201
