"""`Prefer: wait`: a task of an inline type is run and stored as finished in one call."""

from typing import Any

import pytest
from chalice.local import LambdaEventConverter, RouteMatcher

from chalicelib.errors import TaskError
from tests.aws_calls import Calls, running
from tests.drivers import Api, Clock, Lambdas
from tests.integration.inline import is_finished, is_pending, wait
from tests.integration.tools import (
    Define,
    Rows,
    counters,
    doing,
    row_of,
    shown,
    without_events,
)

# -- the answer


def test_the_answer_is_the_finished_task(ann: Api, clock: Clock) -> None:
    answer = wait(ann)
    assert is_finished(answer)
    assert answer.json == {
        "id": answer.json["id"],
        "task_type": "sum",
        "input_data": {"values": [1, 2, 3, 10]},
        "status": "success",
        "result": 16,
        "error": None,
        "attempts": 1,
        "scheduled_at": None,
        "created_at": shown(clock.now),
        "started_at": shown(clock.now),
        "finished_at": shown(clock.now),
    }


def test_the_answer_says_where_the_task_is_and_what_it_depends_on(ann: Api) -> None:
    answer = wait(ann)
    assert answer.headers["location"] == f"http://api.test/api/tasks/{answer.json['id']}/"
    assert answer.headers["vary"] == "Accept, Prefer"
    assert "idempotent-replayed" not in answer.headers


def test_the_task_is_stored_as_it_was_answered(ann: Api) -> None:
    answer = wait(ann)
    assert without_events(ann.task(answer.json["id"])) == answer.json
    for path in ("/api/tasks/", "/api/tasks/?status=success"):
        page = ann.get(path).json
        assert (page["count"], page["results"]) == (1, [answer.json])


def test_one_transaction_is_all_there_is(ann: Api, calls: Calls, rows: Rows) -> None:
    calls.clear()
    task = wait(ann).json
    assert calls.operations == ["TransactWriteItems"]
    assert "sweep_at" not in row_of(rows, ann, f"task#{task['id']}")


def test_events_are_those_of_a_task_that_a_worker_ran(
    ann: Api, clock: Clock, define: Define
) -> None:
    define(lambda: clock.advance(seconds=0.25), inline=True)
    task = ann.task(wait(ann, "probe").json["id"])
    assert task["events"] == [
        {"at": task["created_at"], "event": "created"},
        {"at": task["started_at"], "event": "started", "attempt": 1},
        {"at": task["finished_at"], "event": "finished", "status": "success"},
    ]
    assert task["created_at"] == task["started_at"] < task["finished_at"] == shown(clock.now)


def test_a_failing_input_ends_in_failure(ann: Api, define: Define, rows: Rows) -> None:
    define(doing(TaskError("Too much.", "too_much")), inline=True)
    answer = wait(ann, "probe")
    assert is_finished(answer, "failure")
    assert answer.json["error"] == {"code": "too_much", "detail": "Too much."}
    assert answer.json["result"] is None
    assert counters(rows, ann) == {"failure": 1}
    assert ann.get("/api/tasks/?status=failure").json["results"] == [answer.json]


def test_a_result_that_is_too_large_ends_in_failure(ann: Api, define: Define) -> None:
    define(lambda: "x" * 256 * 1024, inline=True)
    answer = wait(ann, "probe")
    assert is_finished(answer, "failure")
    assert answer.json["error"]["code"] == "result_too_large"


def test_invalid_fields_are_refused_as_ever(ann: Api, calls: Calls) -> None:
    answer = wait(ann, input_data={"values": []})
    assert (answer.status, list(answer.json)) == (400, ["input_data"])
    assert calls.operations == []


def test_a_finished_task_cannot_be_cancelled(ann: Api) -> None:
    task = wait(ann).json
    answer = ann.post(f"/api/tasks/{task['id']}/cancel/")
    assert (answer.status, answer.json["code"]) == (409, "already_finished")


# -- which tasks run inline


def test_without_the_preference_nothing_changes(ann: Api, lambdas: Lambdas) -> None:
    answer = ann.create()
    assert is_pending(answer)
    lambdas.work_off()
    assert ann.task(answer.json["id"])["status"] == "success"


def test_a_type_that_is_not_inline_is_taken_up_as_ever(ann: Api, lambdas: Lambdas) -> None:
    # Even one that would end at once.
    assert is_pending(wait(ann, "countdown", input_data={"seconds": 0}))
    assert len(lambdas.sent()) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"scheduled_at": "2026-02-02T12:05"},
        {"input_data": {"a": 1, "b": 2, "scheduled_at": "2026-02-02T12:05"}},
    ],
    ids=["outside", "inside"],
)
def test_a_task_with_a_time_waits_for_it(ann: Api, fields: dict[str, Any]) -> None:
    assert is_pending(wait(ann, **fields))


def test_no_time_is_now(ann: Api) -> None:
    assert is_finished(wait(ann, scheduled_at=None))


# -- the header


@pytest.mark.parametrize(
    "header",
    [
        "wait",
        "WAIT",
        "wait=1",
        "wait=10",
        "wait=010",
        "wait = 10",
        'wait="10"',
        "wait=",
        'wait=""',
        "wait; foo=1",
        "respond-async, wait=10",
        "return=minimal,wait",
        'foo="a, b"; bar, Wait',
        ", wait",
        "wait, wait=0",
    ],
)
def test_the_preference_is_applied(ann: Api, header: str) -> None:
    assert is_finished(ann.create(prefer=header))


@pytest.mark.parametrize(
    "header",
    [
        "",
        "respond-async",
        "waiting",
        "wait=0",
        "wait=00",
        "wait=-1",
        "wait=1.5",
        "wait=soon",
        'wait="',
        'foo="a, wait, b"',
        "foo; wait",
        "foo=wait",
        "wait=0, wait",
    ],
)
def test_other_preferences_are_ignored(ann: Api, header: str) -> None:
    assert is_pending(ann.create(prefer=header))


@pytest.mark.parametrize("lines", [["wait", "foo"], ["foo", "wait"]])
def test_several_headers_are_one_list(ann: Api, lines: list[str]) -> None:
    from app import app

    event = LambdaEventConverter(RouteMatcher(list(app.routes))).create_lambda_event(
        "POST",
        "/api/tasks",
        {
            "Authorization": f"Bearer {ann.token}",
            "Content-Type": "application/json",
            "Prefer": lines[-1],
        },
        b'{"task_type": "sum", "input_data": {"values": [1]}}',
    )
    # API Gateway's event has both.
    single = {name: [value] for name, value in event["headers"].items()}
    event["multiValueHeaders"] = single | {"Prefer": lines}
    event["multiValueHeaders"].pop("prefer")
    with running("api_handler"):
        answer = app(event, None)
    assert answer["headers"]["Preference-Applied"] == "wait"
