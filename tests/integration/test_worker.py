"""The worker handles each message to its end."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib import task_types
from chalicelib.errors import TaskError
from chalicelib.task_types import Run
from tests.aws_calls import Calls
from tests.drivers import Api, Clock, Lambdas
from tests.integration.tools import (
    OUTAGE,
    Define,
    Rows,
    counters,
    doing,
    message,
    named,
    shown,
    sign_in_again,
    without_events,
)


def test_a_task_is_run_to_its_result(ann: Api, lambdas: Lambdas, clock: Clock) -> None:
    task = ann.created()
    clock.advance(seconds=1.5)
    assert lambdas.work_off() == []
    assert without_events(ann.task(task["id"])) == task | {
        "status": "success",
        "result": 16,
        "attempts": 1,
        "started_at": shown(clock.now),
        "finished_at": shown(clock.now),
    }


def test_a_run_costs_one_update_and_one_transaction(
    ann: Api, lambdas: Lambdas, calls: Calls
) -> None:
    task = ann.created()
    calls.clear()
    lambdas.work(message(ann, task))
    assert calls.operations == ["UpdateItem", "TransactWriteItems"]


def test_a_task_in_work_is_started(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define, probe: Any
) -> None:
    task = probe()
    seen: list[Any] = []
    define(lambda: seen.append(without_events(ann.task(task["id"]))))
    lambdas.work_off()
    assert seen == [task | {"status": "started", "attempts": 1, "started_at": shown(clock.now)}]


def test_a_finished_task_frees_its_slot_and_is_counted(
    ann: Api, bob: Api, lambdas: Lambdas, rows: Rows
) -> None:
    ann.created()
    lambdas.work_off()
    ann.created()
    bob.created()
    assert counters(rows, ann) == {"active": 1, "success": 1}
    assert counters(rows, bob) == {"active": 1}


def end_in_success(ann: Api, lambdas: Lambdas, define: Define, task: dict[str, Any]) -> None:
    lambdas.work(message(ann, task))


def end_in_failure(ann: Api, lambdas: Lambdas, define: Define, task: dict[str, Any]) -> None:
    define(doing(TaskError("No.")))
    lambdas.work(message(ann, task))


def use_up_the_tries(ann: Api, lambdas: Lambdas, define: Define, task: dict[str, Any]) -> None:
    define(doing(OSError()), max_tries=1)
    lambdas.work(message(ann, task))


def cancel(ann: Api, lambdas: Lambdas, define: Define, task: dict[str, Any]) -> None:
    ann.post(f"/api/tasks/{task['id']}/cancel/")


@pytest.mark.parametrize("end", [end_in_success, end_in_failure, use_up_the_tries, cancel])
def test_a_message_of_a_task_that_has_ended_changes_nothing(
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    calls: Calls,
    rows: Rows,
    define: Define,
    probe: Any,
    end: Callable[..., None],
) -> None:
    task = probe()
    end(ann, lambdas, define, task)
    before = rows()
    calls.clear()
    assert lambdas.work(message(ann, task)) == []
    clock.advance(hours=1)
    assert lambdas.work(message(ann, task), receives=3) == []
    assert calls.operations == ["UpdateItem", "GetItem"] * 2
    assert rows() == before


def test_two_messages_of_one_task_in_a_batch_run_it_once(
    ann: Api, lambdas: Lambdas, rows: Rows
) -> None:
    task = ann.created()
    assert lambdas.work(message(ann, task), message(ann, task)) == []
    assert ann.task(task["id"])["attempts"] == 1
    assert counters(rows, ann) == {"success": 1}


def test_a_message_for_an_unknown_task_is_acknowledged_and_creates_none(
    ann: Api, lambdas: Lambdas, calls: Calls, rows: Rows
) -> None:
    before = rows()
    unknown = {"id": "0199aaaa-0000-7000-8000-000000000000", "task_type": "sum"}
    assert lambdas.work(message(ann, unknown)) == []
    assert rows() == before
    assert calls.of("SendMessage") == []


def test_a_message_that_names_another_user_does_not_run_the_task(
    ann: Api, bob: Api, lambdas: Lambdas, rows: Rows
) -> None:
    task = ann.created()
    before = rows()
    assert lambdas.work(message(bob, task)) == []
    assert rows() == before


@pytest.mark.parametrize(
    ("early", "delay"), [(0.000001, 1), (1, 1), (29.2, 30), (899.5, 900), (900, 900)]
)
def test_a_message_up_to_15_minutes_early_is_sent_on_with_the_rest_of_its_delay(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, early: float, delay: int
) -> None:
    due = clock.now + timedelta(days=3)
    task = ann.created(scheduled_at=due.isoformat())
    clock.move_to(due - timedelta(seconds=early))
    before = rows()
    assert lambdas.work(message(ann, task)) == []
    [sent] = lambdas.sent()
    assert sent["DelaySeconds"] == delay
    assert named(sent) == message(ann, task)
    assert sent["MessageGroupId"] == ann.user_id
    assert rows() == before


@pytest.mark.parametrize("early", [900.000001, 901, 86400])
def test_a_message_more_than_15_minutes_early_is_dropped_for_the_schedule(
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    rows: Rows,
    schedules: Callable[[], list[str]],
    early: float,
) -> None:
    due = clock.now + timedelta(days=3)
    task = ann.created(scheduled_at=due.isoformat())
    clock.move_to(due - timedelta(seconds=early))
    before = rows()
    assert lambdas.work(message(ann, task)) == []
    assert lambdas.sent() == []
    assert schedules() == [f"task-{task['id']}-0"]
    assert rows() == before


def test_an_early_message_creates_the_schedule_that_the_api_could_not(
    ann: Api, lambdas: Lambdas, clock: Clock, calls: Calls, schedules: Callable[[], list[str]]
) -> None:
    calls.fail("CreateSchedule", OUTAGE, times=1)
    task = ann.created(scheduled_at=(clock.now + timedelta(hours=1)).isoformat())
    assert schedules() == []
    assert lambdas.work(message(ann, task)) == []
    assert schedules() == [f"task-{task['id']}-0"]
    assert lambdas.sent() == []


def test_a_scheduled_task_runs_exactly_at_its_time(
    ann: Api, lambdas: Lambdas, clock: Clock
) -> None:
    due = clock.now + timedelta(hours=1)
    task = ann.created(scheduled_at=due.isoformat())
    clock.move_to(due)
    lambdas.work(message(ann, task))
    sign_in_again(ann)
    assert ann.task(task["id"])["started_at"] == shown(due)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (TaskError("Too {odd}."), {"code": "invalid_input", "detail": "Too {odd}."}),
        (TaskError("Nein.", "no_way"), {"code": "no_way", "detail": "Nein."}),
    ],
)
def test_a_task_error_ends_in_failure_at_once(
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    calls: Calls,
    rows: Rows,
    define: Define,
    probe: Any,
    fault: Exception,
    error: dict[str, str],
) -> None:
    task = probe()
    define(doing(fault))
    lambdas.sent()
    assert lambdas.work(message(ann, task)) == []
    assert without_events(ann.task(task["id"])) == task | {
        "status": "failure",
        "error": error,
        "attempts": 1,
        "started_at": shown(clock.now),
        "finished_at": shown(clock.now),
    }
    assert counters(rows, ann) == {"failure": 1}
    assert lambdas.sent() == []
    assert calls.of("ChangeMessageVisibilityBatch") == []


def test_a_task_whose_type_is_gone_ends_in_failure(ann: Api, lambdas: Lambdas, probe: Any) -> None:
    task = probe()
    task_types._types.pop("probe")
    assert lambdas.work_off() == []
    ended = ann.task(task["id"])
    assert (ended["status"], ended["error"]["code"]) == ("failure", "unknown_task_type")


def test_a_task_whose_type_no_longer_accepts_its_input_ends_in_failure(
    ann: Api, lambdas: Lambdas, probe: Any
) -> None:
    task = probe()
    task_types._types.pop("probe")
    task_types.task_type("probe", int)(lambda _input, _run: None)
    assert lambdas.work_off() == []
    ended = ann.task(task["id"])
    assert (ended["status"], ended["attempts"]) == ("failure", 1)
    assert ended["error"] == {
        "code": "invalid_input",
        "detail": "The task type no longer accepts this input.",
    }


def test_a_result_too_large_for_the_table_ends_in_failure_at_once(
    ann: Api, lambdas: Lambdas, define: Define, probe: Callable[[], dict[str, Any]]
) -> None:
    define(lambda: "x" * 300_000)
    task = probe()
    assert lambdas.work_off() == []
    assert ann.task(task["id"])["error"]["code"] == "result_too_large"


def test_a_type_is_told_when_it_began_and_what_time_it_is(
    ann: Api, lambdas: Lambdas, clock: Clock, probe: Any
) -> None:
    task = probe()
    runs: list[Run] = []
    task_types._types.pop("probe")

    @task_types.task_type("probe", dict[str, Any])
    def run(_input: Any, run: Run) -> str:
        runs.append(run)
        return "done" if len(runs) == 2 else doing(OSError())()

    began = clock.now
    lambdas.work_off()
    clock.advance(minutes=6)
    lambdas.work(message(ann, task))
    assert runs == [Run(began, began), Run(began, clock.now)]
