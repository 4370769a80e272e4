"""Races between processes, as between Lambdas, on DynamoDB Local, AWS's own engine."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from chalicelib import security, times
from chalicelib.models import Account, Task
from tests.localstack.racers import Call, deliver, http, race, spread

SUM = {"task_type": "sum", "input_data": {"values": [1, 2, 3, 10]}}


class Racer:
    """A user whose calls are made by many processes at once."""

    def __init__(self, name: str) -> None:
        # New in each test: DynamoDB treats the same transaction within 10 minutes as a repetition.
        self.user_id = str(uuid4())
        now = times.now()
        assert Account.create(name, self.user_id, "no hash", now)
        token = security.issue_token(security.ACCESS, self.user_id, now)
        self._headers = {"Authorization": f"Bearer {token}"}

    def create(self, key: str | None = None, **fields: Any) -> Call:
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        return "POST", "/api/tasks", SUM | fields, headers

    def cancel(self, task: dict[str, Any]) -> Call:
        return "POST", f"/api/tasks/{task['id']}/cancel", None, self._headers

    def created(self, **fields: Any) -> dict[str, Any]:
        ((status, task),) = http([self.create(**fields)])
        assert status == 201
        return dict(task)

    def message(self, task: dict[str, Any]) -> str:
        return json.dumps({"user": self.user_id, "task": task["id"], "type": task["task_type"]})

    def stored(self, task: dict[str, Any]) -> Task:
        stored = Task.find(self.user_id, task["id"])
        assert stored
        return stored


@pytest.fixture
def ann(aws: None) -> Racer:
    return Racer("ann")


def in_a_year() -> str:
    return (times.now() + timedelta(days=300)).isoformat()


def test_200_creates_at_once_take_exactly_the_5_slots(ann: Racer) -> None:
    answers = spread([ann.create(scheduled_at=in_a_year()) for _ in range(200)])
    assert Counter(status for status, _ in answers) == {201: 5, 429: 195}


def test_one_idempotency_key_used_50_times_at_once_makes_one_task(ann: Racer) -> None:
    answers = spread([ann.create(key="the-key") for _ in range(50)])
    assert {status for status, _ in answers} == {201}
    assert len({task["id"] for _, task in answers}) == 1


def test_each_slot_that_a_cancel_frees_is_taken_once(ann: Racer) -> None:
    at = in_a_year()
    tasks = [ann.created(scheduled_at=at) for _ in range(5)]
    answers = spread(
        [call for task in tasks for call in (ann.cancel(task), ann.create(scheduled_at=at))] * 2
    )
    assert {status for status, _ in answers} <= {200, 201, 429}


def test_a_task_is_either_finished_or_cancelled(ann: Racer) -> None:
    for _ in range(3):
        task = ann.created()
        _, ((status, answer),) = race(
            (deliver, (ann.message(task),)), (http, ([ann.cancel(task)],))
        )
        end = ann.stored(task).status
        assert (status, end) in {(200, "cancelled"), (409, "success")}
        assert answer["status" if status == 200 else "code"] in ("cancelled", "already_finished")


def test_eight_workers_on_one_message_run_the_task_once(ann: Racer) -> None:
    task = ann.created()
    assert race(*((deliver, (ann.message(task),)) for _ in range(8))) == [[]] * 8
    stored = ann.stored(task)
    assert (stored.status, int(stored.attempts), stored.result) == ("success", 1, "16")


def test_a_refresh_token_used_at_once_by_many_has_one_successor(ann: Racer) -> None:
    token = security.issue_token(
        security.REFRESH, ann.user_id, times.now(), f"{uuid4().hex[:24]}00000000"
    )
    call: Call = ("POST", "/api/token/refresh", {"refresh": token}, {})
    answers = spread([call] * 24)
    # Within the grace of 10 seconds, a later call gets the first one's answer again.
    assert {status for status, _ in answers} == {200}
    assert len({answer["refresh"] for _, answer in answers}) == 1
