"""One worker at a time has a task, and only it decides what becomes of it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.errors import TaskError
from chalicelib.task_types import Retry, Snooze
from tests.aws_calls import Calls
from tests.drivers import Api, Clock, Lambdas
from tests.integration.tools import (
    RETRIES_EXHAUSTED,
    Define,
    LambdaDied,
    Rows,
    counters,
    doing,
    message,
    shown,
    sign_in_again,
)

#: All ways in which a run can end; a snooze and a retry also when they wait for a schedule.
OUTCOMES: dict[str, Any] = {
    "result": "late",
    "task error": TaskError("late"),
    "fault": OSError("late"),
    "retry": Retry(timedelta(seconds=5)),
    "long retry": Retry(timedelta(minutes=20)),
    "snooze": lambda clock: Snooze(clock.now + timedelta(seconds=5)),
    "long snooze": lambda clock: Snooze(clock.now + timedelta(minutes=20)),
}
every_outcome = pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=OUTCOMES.keys())


def end_with(outcome: Any, clock: Clock) -> Any:
    """Return or raise an outcome from within a type."""
    return outcome(clock) if callable(outcome) else doing(outcome)()


def test_nobody_claims_a_task_that_a_worker_has(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, define: Define, probe: Any
) -> None:
    task = probe()
    states, sent = [], []

    def run() -> None:
        clock.advance(seconds=20.5)
        states.append(rows())
        assert lambdas.work(message(ann, task)) == []
        states.append(rows())
        sent.extend(lambdas.sent())

    define(run)
    lambdas.work_off()
    assert [one["DelaySeconds"] for one in sent] == [45]
    assert states[0] == states[1]
    assert ann.task(task["id"])["attempts"] == 1


def test_a_task_whose_worker_died_is_claimed_after_its_lease(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, define: Define, probe: Any
) -> None:
    task = probe()
    started = shown(clock.now)
    define(doing(LambdaDied(), "done"))
    with pytest.raises(LambdaDied):
        lambdas.work_off()
    clock.advance(seconds=64)
    assert lambdas.work(message(ann, task), receives=2) == []
    assert [one["DelaySeconds"] for one in lambdas.sent()] == [1]
    clock.advance(seconds=1)
    assert lambdas.work(message(ann, task)) == []
    ended = ann.task(task["id"])
    assert (ended["status"], ended["attempts"]) == ("success", 2)
    assert (ended["started_at"], ended["finished_at"]) == (started, shown(clock.now))
    assert counters(rows, ann) == {"success": 1}


def die(ann: Api, lambdas: Lambdas, clock: Clock, task: dict[str, Any], times: int) -> None:
    """Let the worker of a task die several times, each time after the lease before."""
    for _ in range(times):
        with pytest.raises(LambdaDied):
            lambdas.work(message(ann, task))
        clock.advance(seconds=65)


def test_workers_that_die_count_as_tries(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, define: Define, probe: Any
) -> None:
    task = probe()
    define(doing(*[LambdaDied()] * 5))
    die(ann, lambdas, clock, task, times=5)
    assert lambdas.work(message(ann, task)) == []
    sign_in_again(ann)
    ended = ann.task(task["id"])
    assert (ended["status"], ended["error"]) == ("failure", RETRIES_EXHAUSTED)
    assert ended["attempts"] == 5
    assert ended["finished_at"] == shown(clock.now)
    assert counters(rows, ann) == {"failure": 1}


def test_a_task_whose_worker_died_in_its_last_try_keeps_that_try_until_the_lease_ends(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, define: Define, probe: Any
) -> None:
    task = probe()
    define(doing(LambdaDied()), max_tries=1)
    with pytest.raises(LambdaDied):
        lambdas.work_off()
    clock.advance(seconds=64)
    before = rows()
    assert lambdas.work(message(ann, task)) == []
    assert [one["DelaySeconds"] for one in lambdas.sent()] == [1]
    assert rows() == before
    clock.advance(seconds=1)
    assert lambdas.work(message(ann, task)) == []
    assert ann.task(task["id"])["error"] == RETRIES_EXHAUSTED


@every_outcome
def test_an_attempt_that_lost_its_lease_cannot_overwrite_the_newer_one(
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    calls: Calls,
    rows: Rows,
    schedules: Callable[[], list[str]],
    define: Define,
    probe: Any,
    outcome: Any,
) -> None:
    task = probe()
    states = []

    def run() -> Any:
        clock.advance(seconds=66)
        define(doing(LambdaDied()))
        with pytest.raises(LambdaDied):
            lambdas.work(message(ann, task))
        states.append(rows())
        return end_with(outcome, clock)

    define(run)
    assert lambdas.work_off() == []
    assert [rows()] == states
    assert counters(rows, ann) == {"active": 1}
    assert calls.of("ChangeMessageVisibilityBatch") == []
    assert (lambdas.sent(), schedules()) == ([], [])


def test_an_attempt_that_lost_its_lease_cannot_finish_the_task_a_second_time(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, define: Define, probe: Any
) -> None:
    task = probe()

    def run() -> str:
        clock.advance(seconds=66)
        define(doing("new"))
        assert lambdas.work(message(ann, task)) == []
        return "old"

    define(run)
    assert lambdas.work_off() == []
    ended = ann.task(task["id"])
    assert (ended["result"], ended["attempts"]) == ("new", 2)
    assert counters(rows, ann) == {"success": 1}


def test_an_attempt_that_lost_its_lease_cannot_use_up_the_last_try(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, define: Define, probe: Any
) -> None:
    task = probe()

    def run() -> Any:
        clock.advance(seconds=66)
        define(doing("new"), max_tries=2)
        assert lambdas.work(message(ann, task)) == []
        raise OSError("old")

    define(run, max_tries=1)
    assert lambdas.work_off() == []
    assert ann.task(task["id"])["result"] == "new"
    assert counters(rows, ann) == {"success": 1}


@every_outcome
def test_a_cancel_while_a_task_runs_drops_its_outcome(
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    calls: Calls,
    rows: Rows,
    schedules: Callable[[], list[str]],
    define: Define,
    probe: Any,
    outcome: Any,
) -> None:
    task = probe()

    def run() -> Any:
        assert ann.post(f"/api/tasks/{task['id']}/cancel/").status == 200
        return end_with(outcome, clock)

    define(run)
    assert lambdas.work_off() == []
    ended = ann.task(task["id"])
    assert (ended["status"], ended["result"], ended["error"]) == ("cancelled", None, None)
    assert ended["events"][-1]["event"] == "cancelled"
    assert counters(rows, ann) == {"cancelled": 1}
    assert (lambdas.sent(), schedules()) == ([], [])
    assert calls.of("ChangeMessageVisibilityBatch") == []
