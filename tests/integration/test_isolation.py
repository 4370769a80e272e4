"""No route lets one user see, count, change or learn anything of another's tasks."""

from typing import Any

import pytest

from chalicelib.errors import TaskError
from tests.aws_calls import Calls
from tests.drivers import Api, Clock, Lambdas
from tests.integration.tools import Define, Rows, doing, without_events

NOBODYS = "019c1d94-8a80-7000-8000-000000000000"


@pytest.fixture
def anns(ann: Api, bob: Api, lambdas: Lambdas, define: Define) -> list[str]:
    """The ids of ann's tasks, one of every status."""
    define(doing(TaskError("No.")))
    tasks = [ann.created(), ann.created("countdown"), ann.created("probe", input_data={})]
    lambdas.work_off()
    tasks += [ann.created(scheduled_at="2026-02-02T13:00"), ann.created()]
    ann.post(f"/api/tasks/{tasks[-1]['id']}/cancel/")
    ids = [task["id"] for task in tasks]
    statuses = [ann.task(task_id)["status"] for task_id in ids]
    assert statuses == ["success", "started", "failure", "pending", "cancelled"]
    return ids


def differs(user: Api, method: str, template: str, task_id: str, **kwargs: Any) -> bool:
    """Tell whether the answer differs from the one for a task that never existed."""
    real = user.request(method, template.format(task_id), **kwargs)
    unreal = user.request(method, template.format(NOBODYS), **kwargs)
    assert unreal.status == 404
    return (real.status, real.text, real.headers | {"x-request-id": ""}) != (
        unreal.status,
        unreal.text,
        unreal.headers | {"x-request-id": ""},
    )


def test_a_list_shows_and_counts_no_other_users_tasks(bob: Api, anns: list[str]) -> None:
    nothing: dict[str, Any] = {"count": 0, "next": None, "previous": None, "results": []}
    for query in ("", "?page=1", "?page=last"):
        assert bob.get(f"/api/tasks/{query}").json == nothing


def test_a_filtered_list_shows_and_counts_no_other_users_tasks(bob: Api, anns: list[str]) -> None:
    for status in ("pending", "started", "success", "failure", "cancelled"):
        page = bob.get(f"/api/tasks/?status={status}").json
        assert (page["count"], page["results"]) == (0, [])


def test_users_see_only_their_own_tasks(ann: Api, bob: Api, anns: list[str]) -> None:
    own = bob.created()
    assert bob.get("/api/tasks/").json["results"] == [own]
    assert ann.get("/api/tasks/").json["count"] == len(anns)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_another_users_task_looks_like_one_that_never_existed(
    bob: Api, anns: list[str], method: str
) -> None:
    for task_id in anns:
        assert not differs(bob, method, "/api/tasks/{}/", task_id)
        star = {"If-None-Match": "*"}
        assert not differs(bob, method, "/api/tasks/{}/", task_id, headers=star)


def test_an_etag_of_another_users_task_tells_nothing(ann: Api, bob: Api, anns: list[str]) -> None:
    tag = ann.get(f"/api/tasks/{anns[0]}/").headers["etag"]
    assert not differs(bob, "GET", "/api/tasks/{}/", anns[0], headers={"If-None-Match": tag})


def test_another_users_task_cannot_be_cancelled(
    bob: Api, anns: list[str], rows: Rows, calls: Calls, schedules: Any
) -> None:
    before, planned = rows(), schedules()
    calls.clear()
    for task_id in anns:
        assert not differs(bob, "POST", "/api/tasks/{}/cancel/", task_id)
    assert set(calls.operations) == {"GetItem"}
    assert (rows(), schedules()) == (before, planned)


def test_another_users_cursor_leads_only_to_ones_own_tasks(
    ann: Api, bob: Api, lambdas: Lambdas
) -> None:
    for _ in range(21):
        ann.created()
        lambdas.work_off()
    link = ann.get("/api/tasks/").json["next"].removeprefix("http://api.test")
    page = bob.get(link).json
    assert (page["count"], page["results"]) == (0, [])


def test_another_users_key_replays_nothing(ann: Api, bob: Api) -> None:
    anns = ann.create(key="k", input_data={"values": [4711]})
    same_body = bob.create(key="k", input_data={"values": [4711]})
    assert same_body.status == 201
    assert same_body.json["id"] != anns.json["id"]
    assert "idempotent-replayed" not in same_body.headers


def test_another_users_key_does_not_excuse_a_past_time(ann: Api, bob: Api, clock: Clock) -> None:
    ann.create(key="k", scheduled_at="2026-02-02T12:05")
    clock.advance(minutes=6)
    assert bob.create(key="k", scheduled_at="2026-02-02T12:05").status == 400


def test_another_users_key_with_another_body_is_not_a_conflict(ann: Api, bob: Api) -> None:
    ann.create(key="k")
    assert bob.create("countdown", key="k").status == 201


def test_another_users_tasks_take_no_slots(ann: Api, bob: Api) -> None:
    for _ in range(5):
        ann.created()
    assert ann.create().status == 429
    assert [bob.create().status for _ in range(6)] == [201] * 5 + [429]


def test_a_refusal_at_the_limit_counts_only_the_users_own_tasks(ann: Api, bob: Api) -> None:
    for _ in range(5):
        ann.created()
        bob.created()
    assert bob.create().json["active"] == 5


def test_a_message_that_pairs_a_user_with_anothers_task_does_nothing(
    ann: Api, bob: Api, lambdas: Lambdas, rows: Rows
) -> None:
    task = ann.created()
    before = rows()
    forged = lambdas.sent()[0]["MessageBody"].replace(ann.user_id, bob.user_id)
    assert lambdas.work(forged) == []
    lambdas.handle_dead_letters(forged)
    assert rows() == before
    assert without_events(ann.task(task["id"])) == task


def test_every_read_is_of_the_users_own_rows(bob: Api, anns: list[str], calls: Calls) -> None:
    calls.clear()
    task_id = bob.created()["id"]
    for path in (f"/api/tasks/{task_id}/", f"/api/tasks/{anns[0]}/", "/api/tasks/"):
        bob.get(path)
    for query in ("?status=pending", "?status=success", "?page=last"):
        bob.get(f"/api/tasks/{query}")
    keys = [parameters["Key"]["pk"] for parameters in calls.of("GetItem")]
    keys += [parameters["ExpressionAttributeValues"][":0"] for parameters in calls.of("Query")]
    for parameters in calls.of("BatchGetItem"):
        [wanted] = parameters["RequestItems"].values()
        keys += [key["pk"] for key in wanted["Keys"]]
    assert {*calls.operations} >= {"GetItem", "Query", "BatchGetItem"}
    assert len(keys) == 9
    assert keys == [{"S": f"user#{bob.user_id}"}] * 9


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/tasks/"),
        ("POST", "/api/tasks/"),
        ("GET", "/api/tasks/{}/"),
        ("POST", "/api/tasks/{}/cancel/"),
    ],
)
def test_without_a_token_nobodys_data_is_shown(
    api: Api, ann: Api, calls: Calls, method: str, path: str
) -> None:
    task = ann.created()
    calls.clear()
    answer = api.request(method, path.format(task["id"]))
    assert (answer.status, answer.json["code"]) == (401, "not_authenticated")
    assert calls == []
