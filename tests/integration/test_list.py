"""GET /api/tasks/: what is listed and counted, and where links and cursors lead."""

import json

import pytest

from app import app
from chalicelib.models import User
from tests.aws_calls import Calls
from tests.drivers import Api, Clock
from tests.integration.lists import HOST, INVALID_PAGE, ids_of, page, walk
from tests.integration.tools import Finish


def test_a_list_without_tasks_is_empty(ann: Api) -> None:
    assert page(ann) == {"count": 0, "next": None, "previous": None, "results": []}


def test_a_list_has_its_fields_in_order(ann: Api) -> None:
    assert list(page(ann)) == ["count", "next", "previous", "results"]


def test_tasks_are_listed_as_they_are_shown_and_newest_first(ann: Api, clock: Clock) -> None:
    older = ann.created()
    clock.advance(microseconds=1)
    newer = ann.created(scheduled_at="2026-02-02T12:05")
    assert page(ann)["results"] == [newer, older]


def test_a_new_task_is_in_the_very_next_list(ann: Api) -> None:
    for number in range(1, 6):
        task = ann.created()
        shown = page(ann)
        assert shown["count"] == number
        assert task["id"] in ids_of(shown)


@pytest.mark.parametrize(("number", "has_next"), [(20, False), (21, True)])
def test_a_page_has_20_tasks(ann: Api, finish: Finish, number: int, has_next: bool) -> None:
    ids = finish(ann, number)
    shown = page(ann)
    assert (shown["count"], ids_of(shown), bool(shown["next"])) == (number, ids[:20], has_next)


def test_every_status_has_its_own_list_and_count(
    ann: Api, of_every_status: dict[str, list[str]]
) -> None:
    for status, ids in of_every_status.items():
        shown = page(ann, f"/api/tasks/?status={status}")
        assert (shown["count"], ids_of(shown)) == (len(ids), ids), status
        assert {task["status"] for task in shown["results"]} == {status}


def test_the_whole_list_counts_every_status(
    ann: Api, of_every_status: dict[str, list[str]]
) -> None:
    everything = sorted((one for ids in of_every_status.values() for one in ids), reverse=True)
    for query in ("", "?status=", "?page=", "?x=1"):
        shown = page(ann, f"/api/tasks/{query}")
        assert (shown["count"], ids_of(shown)) == (9, everything)


def test_a_status_without_tasks_is_an_empty_list(ann: Api) -> None:
    for status in ("pending", "started", "success", "failure", "cancelled"):
        for query in ("", "&page=1", "&page=last"):
            assert page(ann, f"/api/tasks/?status={status}{query}") == {
                "count": 0,
                "next": None,
                "previous": None,
                "results": [],
            }


UNKNOWN_STATUSES = {
    "zz": "zz",
    "Pending": "Pending",
    "pending%20": "pending ",
    "{ge}": "{ge}",
    "%00": "\x00",
    "task%23": "task#",
    "pending&status=zz": "zz",
}


def test_an_unknown_status_is_refused(ann: Api, calls: Calls) -> None:
    for query, status in UNKNOWN_STATUSES.items():
        answer = ann.get(f"/api/tasks/?status={query}")
        reason = f"Select a valid choice. {status} is not one of the available choices."
        assert (answer.status, answer.json) == (400, {"status": [reason]})
    assert calls == []


def test_next_walks_through_all_tasks_and_previous_back(ann: Api, finish: Finish) -> None:
    ids = finish(ann, 45)
    first = page(ann)
    onwards = walk(ann, first, "next")
    assert [ids_of(first), *onwards] == [ids[:20], ids[20:40], ids[40:]]
    last = page(ann, "/api/tasks/?page=last")
    assert walk(ann, last, "previous") == [ids[20:40], ids[:20]]


def test_a_walk_repeats_and_skips_nothing_while_new_tasks_arrive(
    ann: Api, finish: Finish, clock: Clock
) -> None:
    ids = finish(ann, 45)
    shown = page(ann)
    seen = ids_of(shown)
    visited = [shown]
    while shown["next"]:
        ann.created()
        clock.advance(seconds=1)
        shown = page(ann, shown["next"])
        visited.append(shown)
        seen += ids_of(shown)
    assert seen == ids
    assert [one["count"] for one in visited] == [45, 46, 47]
    back: list[list[str]] = []
    while shown["previous"]:
        ann.created()
        shown = page(ann, shown["previous"])
        back.append(ids_of(shown))
    assert back == [ids[20:40], ids[:20]]


def test_a_walk_through_one_status_repeats_and_skips_nothing(ann: Api, finish: Finish) -> None:
    ids = finish(ann, 22)
    task = ann.created()
    ann.post(f"/api/tasks/{task['id']}/cancel/")
    ids = finish(ann, 1) + ids
    first = page(ann, "/api/tasks/?status=success")
    finish(ann, 2)
    assert [ids_of(first), *walk(ann, first, "next")] == [ids[:20], ids[20:]]
    second = page(ann, first["next"])
    assert walk(ann, second, "previous") == [ids[:20]]


def test_links_are_absolute_and_keep_the_other_parameters(ann: Api, finish: Finish) -> None:
    finish(ann, 45)
    first = page(ann, "/api/tasks/?x=%C3%A9+%26&x=2&status=success")
    kept = f"{HOST}/api/tasks/?x=%C3%A9+%26&x=2&status=success"
    assert first["next"].startswith(f"{kept}&page=2&cursor=")
    assert first["previous"] is None
    second = page(ann, first["next"])
    assert second["next"].startswith(f"{kept}&page=3&cursor=")
    assert second["previous"].startswith(f"{kept}&cursor=")
    third = page(ann, second["next"])
    assert third["previous"].startswith(f"{kept}&page=2&cursor=")
    assert third["next"] is None


def test_links_go_where_the_request_went(ann: Api, finish: Finish) -> None:
    finish(ann, 21)
    headers = {"Host": "tasks.example.org", "X-Forwarded-Proto": "https"}
    answer = ann.get("/api/tasks", headers=headers)
    assert answer.json["next"].startswith("https://tasks.example.org/api/tasks/?page=2&cursor=")


@pytest.mark.parametrize("path", ["/api/tasks", "/api/tasks/"])
def test_links_have_the_stage_of_api_gateway(ann: Api, finish: Finish, path: str) -> None:
    finish(ann, 21)
    event = {
        "requestContext": {
            "httpMethod": "GET",
            "resourcePath": "/api/tasks",
            "path": f"/api-stage{path}",
            "requestId": "of-api-gateway",
        },
        "headers": {
            "Host": "abc.execute-api.us-east-1.amazonaws.com",
            "X-Forwarded-Proto": "https",
            "Authorization": f"Bearer {ann.token}",
        },
        "multiValueQueryStringParameters": {"status": ["success"]},
        "pathParameters": None,
        "stageVariables": None,
        "body": None,
        "isBase64Encoded": False,
    }
    answer = app(event, None)
    assert answer["headers"]["X-Request-Id"] == "of-api-gateway"
    base = "https://abc.execute-api.us-east-1.amazonaws.com/api-stage/api/tasks/"
    assert json.loads(answer["body"])["next"].startswith(f"{base}?status=success&page=2&cursor=")


def cursor_of(link: str) -> str:
    return link.partition("cursor=")[2]


def test_a_cursor_that_was_tampered_with_is_an_invalid_page(
    ann: Api, finish: Finish, calls: Calls
) -> None:
    finish(ann, 21)
    good = cursor_of(page(ann)["next"])
    before = len(calls)
    tampered = ["x", "!", "%00", "%C3%A9", good[:-1], good[1:], good + "A", good * 2, "=" * 8]
    for cursor in tampered:
        answer = ann.get(f"/api/tasks/?page=2&cursor={cursor}")
        assert (cursor, answer.status, answer.json) == (cursor, 404, INVALID_PAGE)
    assert calls[before:] == []


def test_a_cursor_is_accepted_only_unchanged(ann: Api, finish: Finish) -> None:
    finish(ann, 21)
    good = cursor_of(page(ann)["next"])
    for cursor in (f"{good}!!!!", f"{good}%3D", f"{good}%20", f"C{good[1:]}", f"_{good[1:]}"):
        answer = ann.get(f"/api/tasks/?page=2&cursor={cursor}")
        assert (cursor, answer.status, answer.json) == (cursor, 404, INVALID_PAGE)


def test_a_page_number_beside_a_cursor_may_have_any_size(ann: Api, finish: Finish) -> None:
    finish(ann, 45)
    cursor = cursor_of(page(ann)["next"])
    answer = ann.get(f"/api/tasks/?page={'9' * 4300}&cursor={cursor}")
    assert answer.status in (200, 404)


def test_a_page_of_zero_is_invalid_beside_a_cursor_too(ann: Api, finish: Finish) -> None:
    finish(ann, 21)
    cursor = cursor_of(page(ann)["next"])
    for number in ("0", "abc", "-1"):
        answer = ann.get(f"/api/tasks/?page={number}&cursor={cursor}")
        assert (answer.status, answer.json) == (404, INVALID_PAGE)


def test_a_head_request_for_a_list_gets_no_body(ann: Api) -> None:
    ann.created()
    answer = ann.request("HEAD", "/api/tasks/")
    assert (answer.status, answer.text) == (200, "")


def test_a_deleted_users_list_is_not_found(ann: Api) -> None:
    User(f"user#{ann.user_id}", "user").delete()
    for query in ("", "?page=2", "?page=last", "?status=success"):
        assert ann.get(f"/api/tasks/{query}").json["code"] == "user_not_found"
