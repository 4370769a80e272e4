"""A cancel while others change the task: whoever writes first is right."""

from typing import Any

from tests.aws_calls import Calls, Make, Parameters
from tests.drivers import Answer, Api, Clock, Lambdas
from tests.integration.cancelling import GRACE, Schedules, cancel
from tests.integration.tools import (
    Rows,
    counters,
    without_events,
)


def test_a_task_claimed_meanwhile_is_still_cancelled(
    ann: Api, lambdas: Lambdas, rows: Rows, calls: Calls
) -> None:
    task = ann.created("countdown")
    calls.before("TransactWriteItems", lambdas.work_off)
    answer = cancel(ann, task)
    assert answer.status == 200
    assert (answer.json["status"], answer.json["attempts"]) == ("cancelled", 1)
    assert counters(rows, ann) == {"cancelled": 1}


def test_a_task_finished_meanwhile_is_a_conflict(
    ann: Api, lambdas: Lambdas, rows: Rows, calls: Calls
) -> None:
    task = ann.created()
    calls.before("TransactWriteItems", lambdas.work_off)
    answer = cancel(ann, task)
    assert (answer.status, answer.json["task"]["status"]) == (409, "success")
    assert counters(rows, ann) == {"success": 1}


def test_a_task_cancelled_meanwhile_is_cancelled_once(ann: Api, rows: Rows, calls: Calls) -> None:
    task = ann.created(scheduled_at="2026-02-02T12:30")
    calls.before("TransactWriteItems", lambda: cancel(ann, task))
    answer = cancel(ann, task)
    assert (answer.status, answer.json["status"]) == (200, "cancelled")
    assert counters(rows, ann) == {"cancelled": 1}


def test_a_worker_that_finishes_after_the_cancel_changes_nothing(
    ann: Api, lambdas: Lambdas, rows: Rows, calls: Calls
) -> None:
    task = ann.created()
    answers: list[Answer] = []
    calls.before("TransactWriteItems", lambda: answers.append(cancel(ann, task)))
    assert lambdas.work_off() == []
    assert [answer.status for answer in answers] == [200]
    assert without_events(ann.task(task["id"])) == answers[0].json
    assert answers[0].json["result"] is None
    assert counters(rows, ann) == {"cancelled": 1}


def test_a_worker_that_comes_after_the_cancel_changes_nothing(
    ann: Api, lambdas: Lambdas, rows: Rows, calls: Calls
) -> None:
    task = ann.created()
    calls.before("UpdateItem", lambda: cancel(ann, task))
    assert lambdas.work_off() == []
    shown = ann.task(task["id"])
    assert (shown["status"], shown["attempts"]) == ("cancelled", 0)
    assert counters(rows, ann) == {"cancelled": 1}


def test_a_worker_that_snoozes_after_the_cancel_changes_nothing(
    ann: Api, lambdas: Lambdas, rows: Rows, calls: Calls
) -> None:
    task = ann.created("countdown")
    claim_and_wait = [lambda: None, lambda: cancel(ann, task)]
    calls.before("UpdateItem", *claim_and_wait)
    lambdas.work_off()
    assert ann.task(task["id"])["status"] == "cancelled"
    assert lambdas.sent() == []
    assert counters(rows, ann) == {"cancelled": 1}


def test_a_task_cancelled_while_it_is_dispatched_leaves_a_message_that_does_nothing(
    ann: Api, lambdas: Lambdas, rows: Rows, calls: Calls
) -> None:
    def cancel_the_newest() -> None:
        cancel(ann, ann.get("/api/tasks/").json["results"][0])

    calls.before("SendMessage", cancel_the_newest)
    task = ann.created()
    assert lambdas.work_off() == []
    assert ann.task(task["id"])["status"] == "cancelled"
    assert counters(rows, ann) == {"cancelled": 1}


def test_a_task_that_snoozes_between_the_read_and_the_write_is_read_again(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, calls: Calls, schedules: Schedules
) -> None:
    task = ann.created("countdown", input_data={"seconds": 3600})
    answers: list[Answer] = []

    def snooze_during_a_cancel(make: Make) -> Any:
        snoozed: list[Any] = []
        calls.before("TransactWriteItems", lambda: snoozed.append(make()))
        answers.append(cancel(ann, task))
        return snoozed[0]

    calls.script(is_snooze, snooze_during_a_cancel, times=1)
    lambdas.work_off()
    assert [(one.status, one.json["status"]) for one in answers] == [(200, "cancelled")]
    events = [event["event"] for event in ann.task(task["id"])["events"]]
    assert events == ["created", "started", "snoozed", "cancelled"]
    assert counters(rows, ann) == {"cancelled": 1}
    # A task that runs has no schedule; only the second read tells that this one may.
    assert schedules() == [f"task-{task['id']}-1"]
    clock.advance(seconds=GRACE)
    lambdas.sweep()
    assert schedules() == []


def is_snooze(operation: str, parameters: Parameters) -> bool:
    return operation == "UpdateItem" and "REMOVE" in parameters["UpdateExpression"]


def test_a_task_that_keeps_changing_is_a_503(ann: Api, rows: Rows, calls: Calls) -> None:
    from chalicelib.models import Task

    task = ann.created()
    row = Task(f"user#{ann.user_id}", f"task#{task['id']}")
    calls.before("TransactWriteItems", *[lambda: row.update([Task.attempts.add(1)])] * 9)
    answer = cancel(ann, task)
    assert (answer.status, answer.json["code"]) == (503, "unavailable")
    assert counters(rows, ann) == {"active": 1}
