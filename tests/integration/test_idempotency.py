"""Idempotency-Key: repeating a request creates no second task."""

from typing import Any

import pytest

from chalicelib import security
from tests.aws_calls import Calls
from tests.drivers import Answer, Api, Clock, Lambdas
from tests.integration.tools import OUTAGE, Fail, Rows, counters


def send(user: Api, raw: str, key: str = "k") -> Answer:
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    return user.post("/api/tasks/", raw=raw.encode(), headers=headers)


def is_replay(answer: Answer, first: Answer) -> bool:
    """Tell whether an answer repeats the first one exactly, and says so."""
    same = (answer.status, answer.text) == (201, first.text)
    same_place = answer.headers["location"] == first.headers["location"]
    return same and same_place and answer.headers.get("idempotent-replayed") == "true"


def keys_in(rows: Rows) -> list[str]:
    return [row["sk"]["S"] for row in rows() if row["kind"]["S"] == "idempotency"]


def stay_signed_in(user: Api, clock: Clock) -> None:
    user.token = security.issue_token(security.ACCESS, user.user_id, clock.now)


def test_a_first_answer_is_not_a_replay(ann: Api) -> None:
    assert "idempotent-replayed" not in ann.create(key="k").headers


def test_a_repeated_key_repeats_the_first_answer(ann: Api, clock: Clock, rows: Rows) -> None:
    first = ann.create(key="k")
    clock.advance(seconds=1)
    assert is_replay(ann.create(key="k"), first)
    assert counters(rows, ann) == {"active": 1}


def test_a_replay_is_not_dispatched_again(ann: Api, calls: Calls) -> None:
    ann.create(key="k")
    calls.clear()
    ann.create(key="k")
    assert calls.operations == ["TransactWriteItems", "GetItem"]


@pytest.mark.parametrize("task_type", ["sum", "countdown"])
def test_a_replay_shows_the_task_as_it_was(ann: Api, lambdas: Lambdas, task_type: str) -> None:
    first = ann.create(task_type, key="k")
    lambdas.work_off()
    assert ann.task(first.json["id"])["status"] != "pending"
    assert is_replay(ann.create(task_type, key="k"), first)


def test_a_replay_shows_a_cancelled_task_as_it_was(ann: Api) -> None:
    first = ann.create(key="k", scheduled_at="2026-02-02T12:05")
    ann.post(f"/api/tasks/{first.json['id']}/cancel/")
    assert is_replay(ann.create(key="k", scheduled_at="2026-02-02T12:05"), first)


def test_a_replay_needs_no_slot(ann: Api) -> None:
    first = ann.create(key="k")
    for _ in range(4):
        ann.created()
    assert is_replay(ann.create(key="k"), first)
    assert ann.create(key="another").status == 429


def test_a_replay_is_accepted_after_its_time_has_passed(
    ann: Api, clock: Clock, calls: Calls
) -> None:
    first = ann.create(key="k", scheduled_at="2026-02-02T12:05")
    clock.advance(minutes=6)
    calls.clear()
    assert is_replay(ann.create(key="k", scheduled_at="2026-02-02T12:05"), first)
    assert calls.operations == ["GetItem", "GetItem"]


def test_a_past_time_is_refused_with_a_new_key(ann: Api, calls: Calls, rows: Rows) -> None:
    answer = ann.create(key="k", scheduled_at="2026-02-01T12:00")
    assert (answer.status, list(answer.json)) == (400, ["scheduled_at"])
    assert calls.operations == ["GetItem"]
    assert keys_in(rows) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"input_data": {"values": [1, 2, 3]}},
        {"scheduled_at": "2026-02-02T12:05"},
        {"extra": 1},
    ],
    ids=["input", "time", "unknown field"],
)
def test_a_key_with_another_body_is_refused(
    ann: Api, rows: Rows, calls: Calls, fields: dict[str, Any]
) -> None:
    ann.create(key="k")
    before = rows()
    calls.clear()
    answer = ann.create(key="k", **fields)
    assert answer.status == 422
    assert answer.json == {
        "detail": "This Idempotency-Key was already used with another request body.",
        "code": "idempotency_key_reused",
    }
    assert calls.operations == ["TransactWriteItems"]
    assert rows() == before


def test_a_key_with_another_body_is_refused_at_the_limit_too(ann: Api) -> None:
    ann.create(key="k")
    for _ in range(4):
        ann.created()
    assert ann.create("countdown", key="k").status == 422


def test_another_user_may_use_the_same_key(ann: Api, bob: Api) -> None:
    first = ann.create(key="k")
    second = bob.create(key="k")
    assert second.status == 201
    assert second.json["id"] != first.json["id"]
    assert "idempotent-replayed" not in second.headers


def test_another_key_makes_another_task(ann: Api) -> None:
    assert ann.created(key="k")["id"] != ann.created(key="K")["id"]


def test_each_request_without_a_key_creates_a_task(ann: Api) -> None:
    assert ann.created()["id"] != ann.created()["id"]


@pytest.mark.parametrize(("seconds", "replayed"), [(-1, "true"), (0, None)])
def test_a_key_is_forgotten_after_24_hours(
    ann: Api, clock: Clock, rows: Rows, seconds: int, replayed: str | None
) -> None:
    ann.create(key="k")
    clock.advance(hours=24, seconds=seconds)
    stay_signed_in(ann, clock)
    answer = ann.create(key="k")
    assert answer.status == 201
    assert answer.headers.get("idempotent-replayed") == replayed
    assert keys_in(rows) == ["idempotency#k"]


def test_a_key_is_forgotten_after_24_hours_for_another_body_too(ann: Api, clock: Clock) -> None:
    ann.create(key="k")
    clock.advance(hours=24)
    stay_signed_in(ann, clock)
    second = ann.create("countdown", key="k")
    assert second.status == 201
    assert is_replay(ann.create("countdown", key="k"), second)


def test_a_forgotten_key_does_not_excuse_a_past_time(ann: Api, clock: Clock) -> None:
    ann.create(key="k", scheduled_at="2026-02-02T12:05")
    clock.advance(hours=24)
    stay_signed_in(ann, clock)
    assert ann.create(key="k", scheduled_at="2026-02-02T12:05").status == 400


def test_a_key_is_remembered_until_24_hours_after_it_was_used(
    ann: Api, clock: Clock, rows: Rows
) -> None:
    ann.create(key="k")
    (record,) = [row for row in rows() if row["kind"]["S"] == "idempotency"]
    assert int(record["expires_at"]["N"]) == clock.now.timestamp() + 86_400


def test_order_and_spaces_of_the_body_do_not_matter(ann: Api) -> None:
    first = send(ann, '{"task_type":"sum","input_data":{"a":1,"b":2}}')
    again = send(ann, ' { "input_data": {"b": 2, "a":\n1},\t"task_type": "\\u0073um" } ')
    assert is_replay(again, first)


def test_the_path_without_its_slash_is_the_same_request(ann: Api) -> None:
    first = ann.create(key="k")
    body = {"task_type": "sum", "input_data": {"values": [1, 2, 3, 10]}}
    assert is_replay(ann.post("/api/tasks", body, headers={"Idempotency-Key": "k"}), first)


def test_an_invalid_key_is_refused(ann: Api, calls: Calls) -> None:
    for key in ("", " ", "a b", "x" * 256, "schlüssel", "a\tb", "\x7f"):
        answer = ann.create(key=key)
        assert (answer.status, answer.json) == (
            400,
            {
                "detail": "Idempotency-Key must be 1 to 255 visible ASCII characters.",
                "code": "invalid_idempotency_key",
            },
        )
    assert calls == []


@pytest.mark.parametrize("key", ["!", "~" * 255, "a#b/c", "task#1", "user"])
def test_every_visible_character_is_valid_in_a_key(ann: Api, key: str) -> None:
    first = ann.create(key=key)
    assert is_replay(ann.create(key=key), first)


def test_an_invalid_request_does_not_use_up_its_key(ann: Api) -> None:
    assert ann.create(key="k", input_data={}).status == 400
    answer = ann.create(key="k")
    assert answer.status == 201
    assert "idempotent-replayed" not in answer.headers


def test_a_request_above_the_limit_does_not_use_up_its_key(ann: Api, rows: Rows) -> None:
    tasks = [ann.created() for _ in range(5)]
    assert ann.create(key="k").json["code"] == "active_task_limit"
    assert keys_in(rows) == []
    ann.post(f"/api/tasks/{tasks[0]['id']}/cancel/")
    answer = ann.create(key="k")
    assert answer.status == 201
    assert "idempotent-replayed" not in answer.headers


def test_a_request_during_an_outage_does_not_use_up_its_key(ann: Api, fail: Fail) -> None:
    fail("TransactWriteItems", OUTAGE, times=1)
    assert ann.create(key="k").status == 503
    answer = ann.create(key="k")
    assert answer.status == 201
    assert "idempotent-replayed" not in answer.headers


def test_a_task_stored_despite_a_lost_answer_is_replayed(ann: Api, rows: Rows, fail: Fail) -> None:
    fail("TransactWriteItems", OUTAGE, after=True, times=1)
    assert ann.create(key="k").status == 503
    answer = ann.create(key="k")
    assert (answer.status, answer.headers["idempotent-replayed"]) == (201, "true")
    assert counters(rows, ann) == {"active": 1}


def test_a_deleted_users_key_creates_nothing(ann: Api, rows: Rows) -> None:
    from chalicelib.models import User

    User(f"user#{ann.user_id}", "user").delete()
    assert ann.create(key="k").json["code"] == "user_not_found"
    assert keys_in(rows) == []


@pytest.mark.parametrize("path", ["/api/tasks/", "/api/task-types/"])
def test_reads_ignore_a_key(ann: Api, path: str) -> None:
    assert ann.get(path, headers={"Idempotency-Key": ""}).status == 200
