"""A task's detail shows what happened to it."""

from datetime import timedelta
from typing import Any

import pytest

from chalicelib import task_types
from chalicelib.errors import TaskError
from chalicelib.task_types import Retry, Snooze
from tests.aws_calls import Calls
from tests.drivers import Api, Clock, Lambdas
from tests.integration.tools import Define, LambdaDied, doing, message, shown, sign_in_again


def history(api: Api, task: dict[str, Any]) -> list[dict[str, Any]]:
    sign_in_again(api)
    events: list[dict[str, Any]] = api.task(task["id"])["events"]
    return events


def test_a_new_task_was_created(ann: Api, clock: Clock) -> None:
    task = ann.created()
    assert history(ann, task) == [{"at": shown(clock.now), "event": "created"}]


def test_a_sum_was_created_started_and_finished(ann: Api, lambdas: Lambdas, clock: Clock) -> None:
    task = ann.created()
    clock.advance(seconds=1.5)
    lambdas.work_off()
    assert history(ann, task) == [
        {"at": task["created_at"], "event": "created"},
        {"at": shown(clock.now), "event": "started", "attempt": 1},
        {"at": shown(clock.now), "event": "finished", "status": "success"},
    ]


def test_a_countdown_was_snoozed(ann: Api, lambdas: Lambdas, clock: Clock) -> None:
    task = ann.created("countdown", input_data={"seconds": 30})
    began = clock.now
    lambdas.work_off()
    clock.advance(seconds=30)
    lambdas.work(message(ann, task))
    assert history(ann, task)[1:] == [
        {"at": shown(began), "event": "started", "attempt": 1},
        {"at": shown(began), "event": "snoozed", "until": shown(clock.now)},
        {"at": shown(clock.now), "event": "started", "attempt": 2},
        {"at": shown(clock.now), "event": "finished", "status": "success"},
    ]


def test_a_failed_attempt_says_when_the_next_one_is(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define
) -> None:
    define(doing(Retry(timedelta(seconds=20), "rate_limited"), "done"))
    task = ann.created("probe", input_data={})
    began = clock.now
    lambdas.work_off()
    next_try_at = shown(began + timedelta(seconds=20))
    assert history(ann, task)[2] == {
        "at": shown(began),
        "event": "attempt_failed",
        "code": "rate_limited",
        "next_try_at": next_try_at,
    }
    answer = ann.get(f"/api/tasks/{task['id']}/")
    assert answer.headers["retry-after"] == "20"


def test_the_last_failed_attempt_has_no_next_try(
    ann: Api, lambdas: Lambdas, define: Define
) -> None:
    define(doing(OSError()), max_tries=1)
    task = ann.created("probe", input_data={})
    lambdas.work_off()
    events = history(ann, task)
    assert [event["event"] for event in events] == [
        "created",
        "started",
        "attempt_failed",
        "finished",
    ]
    assert (events[2]["code"], events[2]["next_try_at"]) == ("unexpected_error", None)


def test_a_failure_of_the_input_has_no_failed_attempt(
    ann: Api, lambdas: Lambdas, define: Define
) -> None:
    define(doing(TaskError("No.")))
    task = ann.created("probe", input_data={})
    lambdas.work_off()
    events = history(ann, task)
    assert [event["event"] for event in events] == ["created", "started", "finished"]
    assert events[-1]["status"] == "failure"


def test_a_cancelled_task_was_cancelled(ann: Api, clock: Clock) -> None:
    task = ann.created()
    clock.advance(seconds=3)
    ann.post(f"/api/tasks/{task['id']}/cancel/")
    assert history(ann, task) == [
        {"at": task["created_at"], "event": "created"},
        {"at": shown(clock.now), "event": "cancelled"},
    ]


def test_a_task_whose_worker_died_was_started_twice(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define
) -> None:
    define(doing(LambdaDied(), "done"))
    task = ann.created("probe", input_data={})
    with pytest.raises(LambdaDied):
        lambdas.work(message(ann, task))
    clock.advance(minutes=2)
    lambdas.work(message(ann, task))
    starts = [event["attempt"] for event in history(ann, task) if event["event"] == "started"]
    assert starts == [1, 2]


def test_the_first_and_the_19_newest_events_are_kept(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define
) -> None:
    rounds = 30
    define(doing(*[lambda: Snooze(clock.now + timedelta(minutes=1))] * rounds, "done"))
    task = ann.created("probe", input_data={})
    for _ in range(rounds + 1):
        assert lambdas.work(message(ann, task)) == []
        clock.advance(minutes=1)
    events = history(ann, task)
    assert len(events) == 20
    assert (events[0]["event"], events[-1]["event"]) == ("created", "finished")
    starts = [event["attempt"] for event in events if event["event"] == "started"]
    assert starts == list(range(rounds + 2 - len(starts), rounds + 2))


def test_events_cost_no_request(ann: Api, lambdas: Lambdas, calls: Calls) -> None:
    task = ann.created()
    calls.clear()
    lambdas.work_off()
    ann.task(task["id"])
    assert calls.operations == ["UpdateItem", "TransactWriteItems", "GetItem"]


def test_the_list_and_the_create_have_no_events(ann: Api) -> None:
    task = ann.created()
    [listed] = ann.get("/api/tasks/").json["results"]
    assert "events" not in task
    assert "events" not in listed


def test_the_events_of_a_type_that_is_gone_are_shown(
    ann: Api, lambdas: Lambdas, define: Define
) -> None:
    define(doing("done"))
    task = ann.created("probe", input_data={})
    task_types._types.pop("probe")
    lambdas.work_off()
    assert history(ann, task)[-1]["status"] == "failure"
