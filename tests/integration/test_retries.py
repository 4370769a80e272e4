"""A failed attempt is tried again, as often as its type says."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import InvalidOperation
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from chalicelib.task_types import Retry, Snooze
from tests.aws_calls import Calls
from tests.drivers import Api, Clock, Lambdas
from tests.integration.tools import (
    RETRIES_EXHAUSTED,
    Define,
    Rows,
    counters,
    doing,
    message,
    next_try,
    refusal,
    shown,
    sign_in_again,
)


class _Answer(BaseModel):
    """What a type expects of a dependency."""

    total: int


def raised(function: Callable[[], Any], error: type[Exception]) -> Exception:
    """Return the exception that a function raises."""
    with pytest.raises(error) as caught:
        function()
    return caught.value


FAULTS = {
    "RuntimeError": RuntimeError("a secret"),
    "KeyError": KeyError("a secret"),
    "OSError": OSError("a secret"),
    "ValueError": ValueError("a secret"),
    "ZeroDivisionError": ZeroDivisionError("a secret"),
    "InvalidOperation": InvalidOperation("a secret"),
    "UnicodeDecodeError": UnicodeDecodeError("utf-8", b"\xff", 0, 1, "a secret"),
    "JSONDecodeError": raised(lambda: json.loads("a secret"), json.JSONDecodeError),
    "ValidationError": raised(lambda: _Answer(total="a secret"), ValidationError),  # type: ignore[arg-type]
    "ClientError": refusal("Throttling"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_every_exception_of_a_type_other_than_a_task_error_is_retried(
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    rows: Rows,
    define: Define,
    probe: Any,
    fault: Exception,
) -> None:
    task = probe()
    define(doing(fault, "done"))
    assert lambdas.work_off() == []
    between = ann.task(task["id"])
    assert (between["status"], between["error"]) == ("started", None)
    assert between["events"][-1]["code"] == "unexpected_error"
    assert "a secret" not in json.dumps(between)
    assert 10 <= next_try(lambdas, clock) <= 13
    ended = ann.task(task["id"])
    assert (ended["status"], ended["result"], ended["attempts"]) == ("success", "done", 2)
    assert counters(rows, ann) == {"success": 1}


def test_a_failed_attempt_costs_two_updates_and_a_message(
    ann: Api, lambdas: Lambdas, calls: Calls, define: Define, probe: Any
) -> None:
    task = probe()
    define(doing(OSError()))
    calls.clear()
    assert lambdas.work(message(ann, task)) == []
    assert calls.operations == ["UpdateItem", "UpdateItem", "SendMessage"]


def test_the_message_of_a_failed_attempt_is_acknowledged(
    ann: Api, lambdas: Lambdas, calls: Calls, define: Define, probe: Any
) -> None:
    good, bad, last = ann.created(), probe(), ann.created()
    define(doing(OSError()))
    assert lambdas.work(*(message(ann, task) for task in (good, bad, last))) == []
    assert calls.of("ChangeMessageVisibilityBatch") == []
    statuses = [ann.task(task["id"])["status"] for task in (good, bad, last)]
    assert statuses == ["success", "started", "success"]


def test_a_result_that_cannot_be_written_is_retried_like_any_other_fault(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define, probe: Any
) -> None:
    task = probe()
    define(doing(object(), "done"))
    assert lambdas.work_off() == []
    assert 10 <= next_try(lambdas, clock) <= 13
    assert ann.task(task["id"])["result"] == "done"


def test_another_message_does_not_cut_the_pause_short(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define, probe: Any
) -> None:
    task = probe()
    define(doing(Retry(timedelta(seconds=10)), "done"))
    lambdas.work_off()
    clock.advance(seconds=3)
    lambdas.sent()
    assert lambdas.work(message(ann, task)) == []
    assert [one["DelaySeconds"] for one in lambdas.sent()] == [7]
    assert ann.task(task["id"])["attempts"] == 1


def test_the_pauses_double_with_up_to_a_quarter_of_jitter(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define, probe: Any
) -> None:
    task = probe()
    define(doing(*[OSError()] * 4, "done"))
    assert lambdas.work_off() == []
    for shortest in (10, 20, 40, 80):
        assert shortest <= next_try(lambdas, clock) <= shortest * 1.25 + 1
    assert ann.task(task["id"])["result"] == "done"


def test_after_five_tries_the_worker_ends_the_task(
    ann: Api, lambdas: Lambdas, clock: Clock, calls: Calls, rows: Rows, define: Define, probe: Any
) -> None:
    task = probe()
    run = doing(*[OSError()] * 5)
    define(run)
    assert lambdas.work_off() == []
    for _ in range(4):
        assert ann.task(task["id"])["status"] == "started"
        next_try(lambdas, clock)
    ended = ann.task(task["id"])
    assert (ended["status"], ended["error"]) == ("failure", RETRIES_EXHAUSTED)
    assert (ended["attempts"], run.calls) == (5, 5)
    assert ended["finished_at"] == shown(clock.now)
    assert counters(rows, ann) == {"failure": 1}
    assert lambdas.sent() == []
    assert calls.of("ChangeMessageVisibilityBatch") == []


@pytest.mark.parametrize("max_tries", [1, 2, 7])
def test_a_type_says_how_often_it_is_tried(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define, probe: Any, max_tries: int
) -> None:
    task = probe()
    run = doing(*[OSError()] * 7)
    define(run, max_tries=max_tries, backoff=timedelta(seconds=1))
    assert lambdas.work_off() == []
    for _ in range(max_tries - 1):
        next_try(lambdas, clock)
    ended = ann.task(task["id"])
    assert (ended["error"], run.calls) == (RETRIES_EXHAUSTED, max_tries)


def test_a_task_with_more_tries_behind_it_than_its_type_now_allows_is_given_up(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define, probe: Any
) -> None:
    task = probe()
    define(doing(OSError(), OSError()))
    lambdas.work_off()
    next_try(lambdas, clock)
    run = doing("done")
    define(run, max_tries=2)
    next_try(lambdas, clock)
    ended = ann.task(task["id"])
    assert (ended["error"], ended["attempts"], run.calls) == (RETRIES_EXHAUSTED, 2, 0)


def test_while_a_task_waits_for_its_next_try_retry_after_and_events_say_when_that_is(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define, probe: Any
) -> None:
    task = probe()
    define(doing(OSError(), "done"), backoff=timedelta(minutes=2))
    lambdas.work_off()
    clock.advance(seconds=30)
    answer = ann.get(f"/api/tasks/{task['id']}/")
    next_try_at = datetime.fromisoformat(answer.json["events"][-1]["next_try_at"])
    rest = next_try_at - clock.now
    assert timedelta(seconds=90) <= rest <= timedelta(seconds=120)
    assert 0 <= int(answer.headers["retry-after"]) - rest.total_seconds() < 1
    clock.move_to(next_try_at)
    lambdas.work(message(ann, task))
    assert ann.task(task["id"])["started_at"] == task["created_at"]
    assert ann.task(task["id"])["result"] == "done"


def test_a_snooze_is_progress_and_resets_the_tries(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define, probe: Any
) -> None:
    task = probe()
    snooze = Snooze(clock.now + timedelta(minutes=10))
    define(doing(*[OSError()] * 4, snooze, *[OSError()] * 4, "done"))
    lambdas.work_off()
    delays = [next_try(lambdas, clock) for _ in range(9)]
    sign_in_again(ann)
    ended = ann.task(task["id"])
    assert (ended["status"], ended["attempts"]) == ("success", 10)
    # The pauses begin anew, too.
    assert 10 <= delays[5] <= 13
