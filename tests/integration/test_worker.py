"""The worker handles each message to its end, whatever fails on the way."""

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import InvalidOperation
from typing import Any

import pytest

from chalicelib import task_types
from chalicelib.errors import TaskError
from chalicelib.task_types import Run, Snooze
from tests.aws_calls import Calls
from tests.drivers import Api, Clock, Lambdas
from tests.integration.tools import (
    OUTAGE,
    Define,
    Fail,
    LambdaDied,
    Rows,
    counters,
    doing,
    message,
    refusal,
    shown,
    sign_in_again,
)

RETRIES_EXHAUSTED = {
    "code": "retries_exhausted",
    "detail": "The task was given up after several failed attempts.",
}


def pauses(calls: Calls) -> list[int]:
    return [change["VisibilityTimeout"] for change in calls.of("ChangeMessageVisibility")]


def test_a_task_is_run_to_its_result(ann: Api, lambdas: Lambdas, clock: Clock) -> None:
    task = ann.created()
    clock.advance(seconds=1.5)
    assert lambdas.work_off() == []
    assert ann.task(task["id"]) == task | {
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
    define(lambda: seen.append(ann.task(task["id"])))
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


def end_in_success(ann: Api, lambdas: Lambdas, task: dict[str, Any]) -> None:
    lambdas.work(message(ann, task))


def end_in_failure(ann: Api, lambdas: Lambdas, task: dict[str, Any]) -> None:
    lambdas.handle_dead_letters(message(ann, task))


def cancel(ann: Api, lambdas: Lambdas, task: dict[str, Any]) -> None:
    ann.post(f"/api/tasks/{task['id']}/cancel/")


@pytest.mark.parametrize("end", [end_in_success, end_in_failure, cancel])
def test_a_message_of_a_task_that_has_ended_changes_nothing(
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    calls: Calls,
    rows: Rows,
    end: Callable[..., None],
) -> None:
    task = ann.created()
    end(ann, lambdas, task)
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
    assert lambdas.work(message(ann, {"id": "0199aaaa-0000-7000-8000-000000000000"})) == []
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
    ("early", "delay"),
    [(0.000001, 1), (1, 1), (29.2, 30), (899.5, 900), (900, 900), (901, 900), (86400, 900)],
)
def test_an_early_message_is_handed_back_with_the_rest_of_its_delay(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, early: float, delay: int
) -> None:
    due = clock.now + timedelta(days=3)
    task = ann.created(scheduled_at=due.isoformat())
    clock.move_to(due - timedelta(seconds=early))
    before = rows()
    assert lambdas.work(message(ann, task)) == []
    [sent] = lambdas.sent()
    assert sent["DelaySeconds"] == delay
    assert json.loads(sent["MessageBody"]) == {"user": ann.user_id, "task": task["id"]}
    assert sent["MessageGroupId"] == ann.user_id
    assert rows() == before


def test_a_scheduled_task_runs_exactly_at_its_time(
    ann: Api, lambdas: Lambdas, clock: Clock
) -> None:
    due = clock.now + timedelta(hours=1)
    task = ann.created(scheduled_at=due.isoformat())
    clock.move_to(due)
    lambdas.work(message(ann, task))
    sign_in_again(ann)
    assert ann.task(task["id"])["started_at"] == shown(due)


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


@pytest.mark.parametrize(
    "late_outcome",
    ["old", TaskError("old"), ValueError("old"), OSError("old"), Snooze],
    ids=["result", "task error", "input's fault", "dependency's fault", "wait"],
)
def test_an_attempt_that_lost_its_lease_cannot_overwrite_the_newer_one(
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    calls: Calls,
    rows: Rows,
    define: Define,
    probe: Any,
    late_outcome: Any,
) -> None:
    task = probe()
    states = []

    def run() -> Any:
        clock.advance(seconds=66)
        define(doing(LambdaDied()))
        with pytest.raises(LambdaDied):
            lambdas.work(message(ann, task))
        states.append(rows())
        if late_outcome is Snooze:
            return Snooze(clock.now + timedelta(seconds=5))
        return doing(late_outcome)()

    define(run)
    lambdas.work_off()
    assert [rows()] == states
    assert counters(rows, ann) == {"active": 1}
    assert pauses(calls) == []
    assert lambdas.sent() == []


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


@pytest.mark.parametrize(
    "outcome",
    ["late", TaskError("late"), OSError("late"), Snooze],
    ids=["result", "task error", "dependency's fault", "wait"],
)
def test_a_cancel_while_a_task_runs_drops_its_outcome(
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    calls: Calls,
    rows: Rows,
    define: Define,
    probe: Any,
    outcome: Any,
) -> None:
    task = probe()

    def run() -> Any:
        assert ann.post(f"/api/tasks/{task['id']}/cancel/").status == 200
        if outcome is Snooze:
            return Snooze(clock.now + timedelta(seconds=5))
        return doing(outcome)()

    define(run)
    lambdas.work_off()
    ended = ann.task(task["id"])
    assert (ended["status"], ended["result"], ended["error"]) == ("cancelled", None, None)
    assert counters(rows, ann) == {"cancelled": 1}
    assert lambdas.sent() == []
    assert pauses(calls) == []


INVALID = {"code": "invalid_input", "detail": "The task type could not process the input."}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (TaskError("Too {odd}."), {"code": "invalid_input", "detail": "Too {odd}."}),
        (TaskError("Nein.", "no_way"), {"code": "no_way", "detail": "Nein."}),
        (ValueError("a secret"), INVALID),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "a secret"), INVALID),
        (ZeroDivisionError("a secret"), INVALID),
        (InvalidOperation("a secret"), INVALID),
    ],
)
def test_a_fault_of_the_input_ends_in_failure_at_once(
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
    assert lambdas.work_off() == []
    assert ann.task(task["id"]) == task | {
        "status": "failure",
        "error": error,
        "attempts": 1,
        "started_at": shown(clock.now),
        "finished_at": shown(clock.now),
    }
    assert counters(rows, ann) == {"failure": 1}
    assert pauses(calls) == []


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
    assert ann.task(task["id"])["error"] == INVALID


@pytest.mark.parametrize("fault", [RuntimeError("odd"), KeyError("k"), refusal("Throttling")])
def test_a_fault_of_a_dependency_is_retried(
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    calls: Calls,
    rows: Rows,
    define: Define,
    probe: Any,
    fault: Exception,
) -> None:
    task = probe()
    define(doing(fault, "done"))
    assert lambdas.work_off() == ["0"]
    assert calls.of("ChangeMessageVisibility") == [
        {
            "QueueUrl": calls.of("SendMessage")[0]["QueueUrl"],
            "ReceiptHandle": "receipt-0",
            "VisibilityTimeout": 10,
        }
    ]
    between = ann.task(task["id"])
    assert (between["status"], between["error"]) == ("started", None)
    clock.advance(seconds=10)
    assert lambdas.work(message(ann, task), receives=2) == []
    ended = ann.task(task["id"])
    assert (ended["status"], ended["result"], ended["attempts"]) == ("success", "done", 2)
    assert counters(rows, ann) == {"success": 1}


def test_a_result_that_cannot_be_written_is_retried_like_any_other_fault(
    ann: Api, lambdas: Lambdas, clock: Clock, calls: Calls, define: Define, probe: Any
) -> None:
    task = probe()
    define(doing(object(), "done"))
    assert lambdas.work_off() == ["0"]
    assert pauses(calls) == [10]
    clock.advance(seconds=10)
    assert lambdas.work(message(ann, task)) == []
    assert ann.task(task["id"])["result"] == "done"


def test_another_message_does_not_cut_the_pause_short(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define, probe: Any
) -> None:
    task = probe()
    define(doing(OSError(), "done"))
    lambdas.work_off()
    clock.advance(seconds=3)
    assert lambdas.work(message(ann, task)) == []
    assert [one["DelaySeconds"] for one in lambdas.sent()] == [7]
    assert ann.task(task["id"])["attempts"] == 1


def test_the_pauses_double_and_the_last_try_hands_over_at_once(
    ann: Api, lambdas: Lambdas, clock: Clock, calls: Calls, define: Define, probe: Any
) -> None:
    task = probe()
    define(doing(*[OSError()] * 5))
    for receives in range(1, 6):
        assert lambdas.work(message(ann, task), receives=receives) == ["0"]
        clock.advance(seconds=pauses(calls)[-1])
    assert pauses(calls) == [10, 20, 40, 80, 0]
    assert ann.task(task["id"])["attempts"] == 5


def test_a_task_is_not_run_again_after_five_tries(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, define: Define, probe: Any
) -> None:
    task = probe()
    run = doing(*[OSError()] * 5)
    define(run)
    for _ in range(5):
        lambdas.work(message(ann, task))
        clock.advance(minutes=6)
    assert lambdas.work(message(ann, task)) == []
    sign_in_again(ann)
    ended = ann.task(task["id"])
    assert (ended["status"], ended["error"]) == ("failure", RETRIES_EXHAUSTED)
    assert (ended["attempts"], run.calls) == (5, 5)
    assert ended["finished_at"] == shown(clock.now)
    assert counters(rows, ann) == {"failure": 1}


def test_workers_that_die_count_as_tries(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define, probe: Any
) -> None:
    task = probe()
    define(doing(*[LambdaDied()] * 5))
    for _ in range(5):
        with pytest.raises(LambdaDied):
            lambdas.work(message(ann, task))
        clock.advance(minutes=6)
    assert lambdas.work(message(ann, task)) == []
    sign_in_again(ann)
    assert ann.task(task["id"])["error"] == RETRIES_EXHAUSTED


def test_a_snooze_is_progress_and_resets_the_tries(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define, probe: Any
) -> None:
    task = probe()
    wait = Snooze(clock.now + timedelta(hours=1))
    define(doing(*[OSError()] * 4, wait, *[OSError()] * 4, "done"))
    for _ in range(10):
        lambdas.work(message(ann, task))
        clock.advance(hours=1)
    sign_in_again(ann)
    ended = ann.task(task["id"])
    assert (ended["status"], ended["attempts"]) == ("success", 10)


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


def test_only_the_failed_message_of_a_batch_is_reported(
    ann: Api, lambdas: Lambdas, define: Define, probe: Any
) -> None:
    good, bad, last = ann.created(), probe(), ann.created()
    define(doing(OSError()))
    assert lambdas.work(*(message(ann, task) for task in (good, bad, last))) == ["1"]
    statuses = [ann.task(task["id"])["status"] for task in (good, bad, last)]
    assert statuses == ["success", "started", "success"]


MALFORMED = [
    "",
    "not JSON",
    "[]",
    "null",
    "5",
    '"text"',
    "{}",
    '{"user": "id-of-ann"}',
    '{"task": "0199aaaa-0000-7000-8000-000000000000"}',
    '{"user": 1, "task": 2}',
    '{"user": null, "task": null}',
    '{"user": ["id-of-ann"], "task": {}}',
]


def test_malformed_messages_are_reported_as_failed_and_change_nothing(
    ann: Api, lambdas: Lambdas, calls: Calls, rows: Rows
) -> None:
    ann.created()
    before = rows()
    calls.clear()
    assert lambdas.work(*MALFORMED) == [str(number) for number in range(len(MALFORMED))]
    assert calls == []
    assert rows() == before


def test_a_malformed_message_does_not_hold_up_the_others(ann: Api, lambdas: Lambdas) -> None:
    task = ann.created()
    assert lambdas.work("{}", message(ann, task)) == ["0"]
    assert ann.task(task["id"])["status"] == "success"


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
@pytest.mark.parametrize("operation", ["UpdateItem", "ChangeMessageVisibility"])
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


@BEFORE_AND_AFTER
@pytest.mark.parametrize("operation", ["UpdateItem", "GetItem", "SendMessage"])
def test_a_failing_call_of_a_hand_back_leaves_the_message_in_the_queue(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, fail: Fail, operation: str, after: bool
) -> None:
    due = clock.now + timedelta(minutes=5)
    task = ann.created(scheduled_at=due.isoformat())
    before = rows()
    fail(operation, OUTAGE, after=after and operation != "UpdateItem", times=1)
    assert lambdas.work(message(ann, task)) == ["0"]
    assert rows() == before
    clock.advance(minutes=6)
    assert lambdas.work(message(ann, task)) == []
    assert counters(rows, ann) == {"success": 1}


@BEFORE_AND_AFTER
def test_a_failing_call_of_giving_up_neither_loses_nor_doubles_it(
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
    define(doing(*[OSError()] * 5))
    for _ in range(5):
        lambdas.work(message(ann, task))
        clock.advance(minutes=6)
    fail("TransactWriteItems", OUTAGE, after=after, times=1)
    assert lambdas.work(message(ann, task)) == ["0"]
    assert lambdas.work(message(ann, task)) == []
    sign_in_again(ann)
    assert ann.task(task["id"])["error"] == RETRIES_EXHAUSTED
    assert counters(rows, ann) == {"failure": 1}


BUSY_ROW = {
    "UpdateItem": refusal("TransactionConflictException"),
    "TransactWriteItems": refusal(
        "TransactionCanceledException",
        CancellationReasons=[{"Code": "None"}, {"Code": "TransactionConflict"}],
    ),
}


@pytest.mark.parametrize("operation", BUSY_ROW)
def test_a_row_that_is_busy_for_a_moment_is_not_a_failure(
    ann: Api, lambdas: Lambdas, rows: Rows, fail: Fail, operation: str
) -> None:
    task = ann.created()
    fail(operation, BUSY_ROW[operation], times=3)
    assert lambdas.work(message(ann, task)) == []
    assert ann.task(task["id"])["attempts"] == 1
    assert counters(rows, ann) == {"success": 1}


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        *BUSY_ROW.items(),
        (
            "TransactWriteItems",
            refusal(
                "TransactionCanceledException",
                CancellationReasons=[{"Code": "None"}, {"Code": "ThrottlingError"}],
            ),
        ),
    ],
)
def test_a_row_that_stays_busy_leaves_the_message_in_the_queue(
    ann: Api, lambdas: Lambdas, rows: Rows, fail: Fail, operation: str, error: Exception
) -> None:
    task = ann.created()
    fail(operation, error)
    assert lambdas.work(message(ann, task)) == ["0"]
    assert counters(rows, ann) == {"active": 1}


@pytest.mark.parametrize("operation", ["UpdateItem", "TransactWriteItems"])
def test_a_call_that_boto_repeats_after_its_answer_was_lost_is_harmless(
    ann: Api, lambdas: Lambdas, rows: Rows, calls: Calls, operation: str
) -> None:
    task = ann.created()
    calls.repeat(operation)
    assert lambdas.work(message(ann, task)) == []
    ended = ann.task(task["id"])
    assert (ended["status"], ended["attempts"]) == ("success", 1)
    assert counters(rows, ann) == {"success": 1}


def test_a_result_too_large_for_the_table_fails_at_once(
    ann: Api, lambdas: Lambdas, define: Define, probe: Callable[[], dict[str, Any]]
) -> None:
    define(lambda: "x" * 300_000)
    task = probe()
    assert lambdas.work_off() == []
    assert ann.task(task["id"])["error"]["code"] == "result_too_large"
