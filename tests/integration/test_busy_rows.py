"""A row that is busy, and a call that boto repeats, neither lose nor double a task."""

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.task_types import Retry, Snooze
from tests.aws_calls import Calls
from tests.drivers import Api, Clock, Lambdas
from tests.integration.tools import (
    Define,
    Fail,
    Rows,
    counters,
    doing,
    message,
    refusal,
)

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


@pytest.mark.parametrize("outcome", ["snooze", "retry"])
def test_a_wait_whose_write_boto_repeats_still_gets_its_message(
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    calls: Calls,
    define: Define,
    probe: Any,
    outcome: str,
) -> None:
    probe()
    wait = timedelta(seconds=30)
    define(doing(Snooze(clock.now + wait) if outcome == "snooze" else Retry(wait)))
    calls.repeat("UpdateItem")
    assert lambdas.work_off() == []
    assert [sent["DelaySeconds"] for sent in lambdas.sent()] == [30]
