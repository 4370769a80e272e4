"""`Prefer: wait`: a task of an inline type is run and stored as finished in one call."""

import signal
from datetime import timedelta
from typing import Any, NoReturn

import pytest
from chalice.local import LambdaEventConverter, RouteMatcher

from chalicelib.errors import TaskError
from chalicelib.task_types import Retry, Snooze
from tests.aws_calls import Calls, running
from tests.drivers import Answer, Api, Clock, Lambdas
from tests.integration.tools import (
    OUTAGE,
    Define,
    Fail,
    Rows,
    counters,
    doing,
    refusal,
    row_of,
    shown,
    without_events,
)

CONFLICT = refusal(
    "TransactionCanceledException",
    CancellationReasons=[{"Code": "None"}, {"Code": "TransactionConflict"}],
)


def wait(api: Api, task_type: str = "sum", **fields: Any) -> Answer:
    """Create a task as a client that prefers to wait for its end."""
    if task_type == "probe":
        fields.setdefault("input_data", {})
    return api.create(task_type, prefer="wait", **fields)


def is_finished(answer: Answer, status: str = "success") -> bool:
    """Tell whether an answer has a finished task and says that the preference was applied."""
    assert answer.status == 201, answer.text
    applied = answer.headers.get("preference-applied")
    return bool(answer.json["status"] == status and applied == "wait")


def is_pending(answer: Answer) -> bool:
    """Tell whether an answer is that of a request without the preference."""
    assert answer.status == 201, answer.text
    return answer.json["status"] == "pending" and "preference-applied" not in answer.headers


def spin() -> NoReturn:
    while True:
        pass


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


# -- runs that do not end in the request


@pytest.mark.parametrize("error", [OSError(), ValueError(), Retry(timedelta(seconds=5))], ids=repr)
def test_a_run_that_raises_is_left_to_the_worker(
    ann: Api, lambdas: Lambdas, define: Define, rows: Rows, error: Exception
) -> None:
    define(doing(error, "done"), inline=True)
    answer = wait(ann, "probe")
    assert is_pending(answer)
    assert counters(rows, ann) == {"active": 1}
    assert lambdas.work_off() == []
    task = ann.task(answer.json["id"])
    assert (task["status"], task["result"], task["attempts"]) == ("success", "done", 1)


def test_a_run_that_snoozes_is_left_to_the_worker(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define
) -> None:
    define(lambda: Snooze(clock.now), inline=True)
    assert is_pending(wait(ann, "probe"))
    assert len(lambdas.sent()) == 1


def test_a_result_that_is_not_json_is_left_to_the_worker(ann: Api, define: Define) -> None:
    define(object, inline=True)
    assert is_pending(wait(ann, "probe"))


def test_a_run_that_takes_too_long_is_interrupted_and_left_to_the_worker(
    ann: Api, lambdas: Lambdas, define: Define
) -> None:
    define(doing(spin, "done"), inline=True, timeout=0.02)
    answer = wait(ann, "probe")
    assert is_pending(answer)
    assert lambdas.work_off() == []
    assert ann.task(answer.json["id"])["result"] == "done"


@pytest.mark.parametrize(("timeout", "limit"), [(30, 1), (1, 1), (0.5, 0.5)])
def test_a_run_has_the_timeout_of_its_type_but_a_second_at_most(
    ann: Api, define: Define, timeout: float, limit: float
) -> None:
    left: list[float] = []

    def look() -> None:
        left.append(signal.getitimer(signal.ITIMER_REAL)[0])

    define(look, inline=True, timeout=timeout)
    assert is_finished(wait(ann, "probe"))
    assert limit / 2 < left[0] <= limit


def test_the_worker_gives_the_same_type_its_whole_timeout(
    ann: Api, lambdas: Lambdas, define: Define
) -> None:
    left: list[float] = []

    def look() -> None:
        left.append(signal.getitimer(signal.ITIMER_REAL)[0])

    define(look, inline=True, timeout=30)
    ann.created("probe", input_data={})
    lambdas.work_off()
    assert 1 < left[0] <= 30


# -- the limit


def test_a_user_at_the_limit_gets_a_429(ann: Api, rows: Rows) -> None:
    for _ in range(5):
        ann.created("countdown")
    before = rows()
    answer = wait(ann)
    assert (answer.status, answer.json) == (429, ann.create().json)
    assert (answer.json["code"], answer.json["active"]) == ("active_task_limit", 5)
    assert "preference-applied" not in answer.headers
    assert rows() == before


def test_a_finished_task_takes_no_slot(ann: Api, rows: Rows) -> None:
    for _ in range(4):
        ann.created("countdown")
    assert all(is_finished(wait(ann)) for _ in range(6))
    assert counters(rows, ann) == {"active": 4, "success": 6}
    assert [ann.create().status for _ in range(2)] == [201, 429]


def test_a_task_that_takes_the_last_slot_meanwhile_is_a_429(
    ann: Api, calls: Calls, rows: Rows
) -> None:
    for _ in range(4):
        ann.created("countdown")
    calls.before("TransactWriteItems", ann.created)
    assert wait(ann).status == 429
    assert counters(rows, ann) == {"active": 5}


def test_at_the_limit_a_stale_slot_is_freed_and_the_task_runs_once(
    ann: Api, define: Define, rows: Rows
) -> None:
    from chalicelib.models import User

    run = doing("done")
    define(run, inline=True)
    for _ in range(4):
        ann.created("countdown")
    User(f"user#{ann.user_id}", "user").update([User.active.add({"gone"})])
    assert is_finished(wait(ann, "probe"))
    assert run.calls == 1
    assert counters(rows, ann) == {"active": 4, "success": 1}


def test_a_conflict_is_tried_again_without_another_run(
    ann: Api, define: Define, rows: Rows, fail: Fail
) -> None:
    run = doing("done")
    define(run, inline=True)
    fail("TransactWriteItems", CONFLICT, times=3)
    assert is_finished(wait(ann, "probe"))
    assert run.calls == 1
    assert counters(rows, ann) == {"success": 1}


def test_a_deleted_user_has_no_task(ann: Api, rows: Rows) -> None:
    from chalicelib.models import User

    User(f"user#{ann.user_id}", "user").delete()
    assert wait(ann).json["code"] == "user_not_found"
    assert [row for row in rows() if row["sk"]["S"] != "name"] == []


# -- calls that fail, or are made twice


def test_an_outage_before_the_effect_stores_nothing(ann: Api, rows: Rows, fail: Fail) -> None:
    before = rows()
    fail("TransactWriteItems", OUTAGE, times=1)
    assert wait(ann).status == 503
    assert rows() == before


def test_an_outage_after_the_effect_leaves_one_finished_task(
    ann: Api, rows: Rows, fail: Fail
) -> None:
    fail("TransactWriteItems", OUTAGE, after=True, times=1)
    assert wait(ann).status == 503
    assert counters(rows, ann) == {"success": 1}
    assert ann.get("/api/tasks/?status=success").json["count"] == 1


@pytest.mark.parametrize("key", [None, "k"])
def test_a_transaction_that_is_made_twice_counts_once(
    ann: Api, rows: Rows, calls: Calls, key: str | None
) -> None:
    calls.repeat("TransactWriteItems")
    answer = wait(ann, key=key)
    assert is_finished(answer)
    assert "idempotent-replayed" not in answer.headers
    assert counters(rows, ann) == {"success": 1}


def test_a_failing_send_of_a_run_that_did_not_end_is_made_up_for(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define, fail: Fail
) -> None:
    define(doing(OSError(), "done"), inline=True)
    fail("SendMessage", OUTAGE, times=1)
    answer = wait(ann, "probe")
    assert is_pending(answer)
    clock.advance(minutes=1)
    lambdas.sweep()
    lambdas.work_off()
    assert ann.task(answer.json["id"])["result"] == "done"


# -- Idempotency-Key


def is_replay(answer: Answer, first: Answer) -> bool:
    same = (answer.status, answer.text) == (first.status, first.text)
    same_place = answer.headers["location"] == first.headers["location"]
    return same and same_place and answer.headers["idempotent-replayed"] == "true"


def test_a_replay_repeats_the_finished_task(ann: Api, clock: Clock, rows: Rows) -> None:
    first = wait(ann, key="k")
    clock.advance(minutes=1)
    again = wait(ann, key="k")
    assert is_replay(again, first)
    assert is_finished(again)
    assert counters(rows, ann) == {"success": 1}


def test_a_replay_repeats_a_failure(ann: Api, define: Define) -> None:
    define(doing(TaskError("No."), "done"), inline=True)
    first = wait(ann, "probe", key="k")
    again = wait(ann, "probe", key="k")
    assert is_replay(again, first)
    assert is_finished(again, "failure")


def test_a_replay_without_the_preference_repeats_the_finished_task(ann: Api) -> None:
    first = wait(ann, key="k")
    again = ann.create(key="k")
    assert is_replay(again, first)
    assert "preference-applied" not in again.headers


def test_a_replay_with_the_preference_repeats_a_task_as_it_began(
    ann: Api, lambdas: Lambdas
) -> None:
    first = ann.create(key="k")
    lambdas.work_off()
    again = wait(ann, key="k")
    assert is_replay(again, first)
    assert is_pending(again)


def test_a_replay_repeats_a_run_that_did_not_end_in_the_request(
    ann: Api, lambdas: Lambdas, define: Define
) -> None:
    define(doing(OSError(), "done", "other"), inline=True)
    first = wait(ann, "probe", key="k")
    lambdas.work_off()
    again = wait(ann, "probe", key="k")
    assert is_replay(again, first)
    assert is_pending(again)


def test_a_replay_needs_no_slot(ann: Api) -> None:
    first = wait(ann, key="k")
    for _ in range(5):
        ann.created("countdown")
    assert is_replay(wait(ann, key="k"), first)


def test_a_request_that_comes_second_replays_the_first_one(
    ann: Api, calls: Calls, rows: Rows
) -> None:
    others: list[Answer] = []
    calls.before("TransactWriteItems", lambda: others.append(ann.create(key="k")))
    answer = wait(ann, key="k")
    assert is_replay(answer, others[0])
    assert is_pending(answer)
    assert counters(rows, ann) == {"active": 1}


def test_the_key_of_another_body_is_refused(ann: Api, rows: Rows) -> None:
    wait(ann, key="k")
    before = rows()
    answer = wait(ann, key="k", input_data={"values": [1]})
    assert (answer.status, answer.json["code"]) == (422, "idempotency_key_reused")
    assert rows() == before


def test_a_request_at_the_limit_does_not_use_up_its_key(ann: Api) -> None:
    tasks = [ann.created("countdown") for _ in range(5)]
    assert wait(ann, key="k").status == 429
    ann.post(f"/api/tasks/{tasks[0]['id']}/cancel/")
    assert is_finished(wait(ann, key="k"))


def test_a_task_stored_despite_a_lost_answer_is_replayed(ann: Api, rows: Rows, fail: Fail) -> None:
    fail("TransactWriteItems", OUTAGE, after=True, times=1)
    assert wait(ann, key="k").status == 503
    answer = wait(ann, key="k")
    assert answer.headers["idempotent-replayed"] == "true"
    assert is_finished(answer)
    assert counters(rows, ann) == {"success": 1}
