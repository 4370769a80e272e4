"""A call of the worker that fails neither loses nor doubles a task."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.errors import TaskError
from chalicelib.task_types import Retry, Snooze
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
)

BEFORE_AND_AFTER = pytest.mark.parametrize(
    "after", [False, True], ids=["before its effect", "after its effect"]
)


@BEFORE_AND_AFTER
@pytest.mark.parametrize("operation", ["UpdateItem", "TransactWriteItems"])
def test_a_failing_call_of_a_run_neither_loses_nor_doubles_the_task(
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
    run = doing("first", "second")
    define(run)
    fail(operation, OUTAGE, after=after, times=1)
    assert lambdas.work(message(ann, task)) == ["0"]
    clock.advance(minutes=6)
    assert lambdas.work(message(ann, task), receives=2) == []
    assert ann.task(task["id"])["status"] == "success"
    # The task runs again only if the finish did not happen.
    assert run.calls == (2 if (operation, after) == ("TransactWriteItems", False) else 1)
    assert counters(rows, ann) == {"success": 1}


@BEFORE_AND_AFTER
def test_a_failing_call_of_a_failure_neither_loses_nor_doubles_it(
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    rows: Rows,
    fail: Fail,
    define: Define,
    probe: Any,
    after: bool,
) -> None:
    task = probe()
    define(doing(TaskError("No."), TaskError("No.")))
    fail("TransactWriteItems", OUTAGE, after=after, times=1)
    assert lambdas.work(message(ann, task)) == ["0"]
    clock.advance(minutes=6)
    assert lambdas.work(message(ann, task), receives=2) == []
    assert ann.task(task["id"])["status"] == "failure"
    assert counters(rows, ann) == {"failure": 1}


@BEFORE_AND_AFTER
@pytest.mark.parametrize("operation", ["UpdateItem", "SendMessage"])
def test_a_failing_call_of_a_snooze_neither_loses_nor_doubles_the_task(
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
    until = clock.now + timedelta(seconds=90)

    def run() -> Any:
        if clock.now >= until:
            return "done"
        fail(operation, OUTAGE, after=after, times=1)
        return Snooze(until)

    define(run)
    assert lambdas.work_off() == ["0"]
    clock.advance(minutes=6)
    assert lambdas.work(message(ann, task), message(ann, task)) == []
    ended = ann.task(task["id"])
    assert (ended["status"], ended["attempts"]) == ("success", 2)
    assert counters(rows, ann) == {"success": 1}


@BEFORE_AND_AFTER
@pytest.mark.parametrize("operation", ["UpdateItem", "SendMessage"])
def test_a_failing_call_of_a_retry_neither_loses_nor_doubles_the_task(
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

    def run() -> Any:
        define(doing("done"))
        fail(operation, OUTAGE, after=after, times=1)
        raise OSError

    define(run)
    assert lambdas.work_off() == ["0"]
    clock.advance(minutes=6)
    assert lambdas.work(message(ann, task), receives=2) == []
    ended = ann.task(task["id"])
    assert (ended["status"], ended["attempts"]) == ("success", 2)
    assert counters(rows, ann) == {"success": 1}


WAITS: dict[str, Any] = {
    "snooze": lambda clock: Snooze(clock.now + timedelta(hours=1)),
    "retry": lambda clock: Retry(timedelta(hours=1)),
}
long_wait = pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS.keys())


@BEFORE_AND_AFTER
@long_wait
def test_a_schedule_that_could_not_be_created_is_created_at_the_next_delivery(
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    fail: Fail,
    schedules: Callable[[], list[str]],
    define: Define,
    probe: Any,
    wait: Any,
    after: bool,
) -> None:
    task = probe()
    define(doing(wait(clock)))
    fail("CreateSchedule", OUTAGE, after=after, times=1)
    assert lambdas.work_off() == ["0"]
    assert len(schedules()) == int(after)
    clock.advance(seconds=5)
    assert lambdas.work(message(ann, task), receives=2) == []
    assert schedules() == [f"task-{task['id']}-1"]
    assert lambdas.sent() == []


@long_wait
def test_if_the_worker_dies_before_it_creates_the_schedule_the_next_delivery_does(
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    calls: Calls,
    schedules: Callable[[], list[str]],
    define: Define,
    probe: Any,
    wait: Any,
) -> None:
    task = probe()
    define(doing(wait(clock)))
    calls.before("CreateSchedule", doing(LambdaDied()))
    with pytest.raises(LambdaDied):
        lambdas.work_off()
    assert schedules() == []
    clock.advance(minutes=6)
    assert lambdas.work(message(ann, task), receives=2) == []
    assert schedules() == [f"task-{task['id']}-1"]
    assert ann.task(task["id"])["attempts"] == 1


@BEFORE_AND_AFTER
@pytest.mark.parametrize("operation", ["UpdateItem", "GetItem", "SendMessage"])
def test_a_failing_call_for_an_early_message_leaves_it_in_the_queue(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, fail: Fail, operation: str, after: bool
) -> None:
    due = clock.now + timedelta(minutes=5)
    task = ann.created(scheduled_at=due.isoformat())
    before = rows()
    # The claim of an early message has no effect after which it could fail.
    fail(operation, OUTAGE, after=after and operation != "UpdateItem", times=1)
    assert lambdas.work(message(ann, task)) == ["0"]
    assert rows() == before
    clock.advance(minutes=6)
    assert lambdas.work(message(ann, task)) == []
    assert counters(rows, ann) == {"success": 1}


@BEFORE_AND_AFTER
def test_a_failing_call_of_the_last_try_neither_loses_nor_doubles_its_failure(
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    rows: Rows,
    fail: Fail,
    define: Define,
    probe: Any,
    after: bool,
) -> None:
    task = probe()
    run = doing(OSError())
    define(run, max_tries=1)
    fail("TransactWriteItems", OUTAGE, after=after, times=1)
    assert lambdas.work(message(ann, task)) == ["0"]
    clock.advance(seconds=65)
    assert lambdas.work(message(ann, task), receives=2) == []
    assert ann.task(task["id"])["error"] == RETRIES_EXHAUSTED
    assert run.calls == 1
    assert counters(rows, ann) == {"failure": 1}


@BEFORE_AND_AFTER
def test_a_failing_call_of_a_discard_neither_loses_nor_doubles_it(
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    rows: Rows,
    fail: Fail,
    define: Define,
    probe: Any,
    after: bool,
) -> None:
    task = probe()
    define(doing(LambdaDied()), max_tries=1)
    with pytest.raises(LambdaDied):
        lambdas.work(message(ann, task))
    clock.advance(seconds=65)
    fail("TransactWriteItems", OUTAGE, after=after, times=1)
    assert lambdas.work(message(ann, task)) == ["0"]
    assert lambdas.work(message(ann, task)) == []
    assert ann.task(task["id"])["error"] == RETRIES_EXHAUSTED
    assert counters(rows, ann) == {"failure": 1}
