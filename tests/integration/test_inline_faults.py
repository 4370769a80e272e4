"""`Prefer: wait` at the limit, with calls that fail, and with an Idempotency-Key."""

import pytest

from chalicelib.errors import TaskError
from tests.aws_calls import Calls
from tests.drivers import Answer, Api, Clock, Lambdas
from tests.integration.inline import is_finished, is_pending, wait
from tests.integration.tools import (
    OUTAGE,
    Define,
    Fail,
    Rows,
    counters,
    doing,
    refusal,
)

CONFLICT = refusal(
    "TransactionCanceledException",
    CancellationReasons=[{"Code": "None"}, {"Code": "TransactionConflict"}],
)


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
