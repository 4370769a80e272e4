"""Another user's ids, wherever they stand, do what ids that never were do."""

import base64
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from tests.drivers import SUM, Answer, Api

NOBODYS_TASK = "019c1d94-8a80-7000-8000-000000000000"
NOBODYS_ID = "3e7f9a52-6c1d-4b8e-9f04-d2a5b8c7e610"
TASK = {"task_type": "sum", "input_data": SUM}

Ask = Callable[[Api, str, str], Answer]


def cursor(direction: bytes, task_id: str) -> str:
    return base64.urlsafe_b64encode(direction + UUID(task_id).bytes).decode().rstrip("=")


#: What bob sends, given the id of a task and of its owner.
REQUESTS: dict[str, Ask] = {
    "the path": lambda bob, task, _: bob.get(f"/api/tasks/{task}/"),
    "the path, in capitals": lambda bob, task, _: bob.get(f"/api/tasks/{task.upper()}/"),
    "HEAD": lambda bob, task, _: bob.request("HEAD", f"/api/tasks/{task}/"),
    "OPTIONS": lambda bob, task, _: bob.request("OPTIONS", f"/api/tasks/{task}/"),
    "cancel": lambda bob, task, _: bob.post(f"/api/tasks/{task}/cancel/"),
    "delete": lambda bob, task, _: bob.request("DELETE", f"/api/tasks/{task}/"),
    "cancel with the owner in the body": lambda bob, task, owner: bob.post(
        f"/api/tasks/{task}/cancel/", {"user_id": owner, "owner": owner}
    ),
    "a condition that any task meets": lambda bob, task, _: bob.get(
        f"/api/tasks/{task}/", headers={"If-None-Match": "*"}
    ),
    "the owner in the path": lambda bob, task, owner: bob.get(
        f"/api/tasks/user%23{owner}%2Ftask%23{task}/"
    ),
    "the owner in the query": lambda bob, task, owner: bob.get(
        f"/api/tasks/{task}/?user_id={owner}&user={owner}"
    ),
    "the owner in a header": lambda bob, task, owner: bob.get(
        f"/api/tasks/{task}/", headers={"X-User-Id": owner}
    ),
    "a list of the owner's": lambda bob, task, owner: bob.get(
        f"/api/tasks/?user_id={owner}&owner={owner}"
    ),
    "a list from the task on": lambda bob, task, _: bob.get(
        "/api/tasks/?cursor=" + cursor(bytes([0]), task)
    ),
    "a list of one status from the task on": lambda bob, task, _: bob.get(
        "/api/tasks/?status=cancelled&cursor=" + cursor(bytes([0]), task)
    ),
    "the status is the owner's key": lambda bob, _, owner: bob.get("/api/tasks/?status=user"),
}


@pytest.fixture(scope="module")
def anns(ann: Api, bob: Api) -> dict[str, Any]:
    """A task of ann's, made with the key that bob uses, too."""
    task: dict[str, Any] = ann.create(key="key").json
    return task


@pytest.mark.parametrize("ask", REQUESTS.values(), ids=REQUESTS.keys())
def test_another_users_ids_are_as_good_as_none(
    ann: Api, bob: Api, anns: dict[str, Any], ask: Ask
) -> None:
    real, unreal = ask(bob, anns["id"], ann.user_id), ask(bob, NOBODYS_TASK, NOBODYS_ID)
    for answer in (real, unreal):
        answer.headers.pop("x-request-id")
    assert vars(real) == vars(unreal)
    assert anns["id"] not in real.text
    assert ann.task(anns["id"])["status"] == "pending"


def test_a_list_above_another_users_task_is_empty(bob: Api, anns: dict[str, Any]) -> None:
    page = bob.get("/api/tasks/?page=2&cursor=" + cursor(bytes([1]), anns["id"])).json
    assert (page["count"], page["results"]) == (0, [])


CREATIONS: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "the owner": lambda _, owner: {"user_id": owner, "user": owner, "pk": f"user#{owner}"},
    "the id": lambda task, _: {"id": task, "task_id": task, "sk": f"task#{task}"},
    "the state": lambda _, __: {"status": "success", "result": 1, "attempts": 5, "lease_id": "x"},
}


@pytest.mark.parametrize("more", CREATIONS.values(), ids=CREATIONS.keys())
def test_what_only_the_service_decides_is_ignored_in_a_new_task(
    ann: Api, bob: Api, anns: dict[str, Any], more: Callable[[str, str], dict[str, Any]]
) -> None:
    answer = bob.post("/api/tasks/", TASK | more(anns["id"], ann.user_id))
    assert answer.status == 201
    created = answer.json
    assert created["id"] != anns["id"]
    assert (created["status"], created["result"], created["attempts"]) == ("pending", None, 0)
    assert bob.post(f"/api/tasks/{created['id']}/cancel/").status == 200
    assert ann.get("/api/tasks/").json["results"] == [anns]


def test_another_users_idempotency_key_is_free(ann: Api, bob: Api, anns: dict[str, Any]) -> None:
    answer = bob.create(key="key")
    assert answer.status == 201
    assert answer.json["id"] != anns["id"]
    assert "idempotent-replayed" not in answer.headers
    assert bob.post(f"/api/tasks/{answer.json['id']}/cancel/").status == 200
