"""Routes, slashes, methods, and what a client accepts."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from chalice import Chalice
from chalice.test import HTTPResponse

from chalicelib import api as rooms
from tests.drivers import Answer, Api
from tests.integration.protocol.tools import (
    ALLOWED,
    CONSOLE,
    TASK_ID,
    assert_cors,
    assert_error,
)

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
WRONG = [
    (method, path)
    for path, allowed in ALLOWED.items()
    for method in METHODS
    if method not in allowed.split(", ")
]
NOT_FOUND = {"detail": "Not found.", "code": "not_found"}


def test_this_table_lists_every_route() -> None:
    app = Chalice("all")
    rooms.mount(app)
    listed = {path.replace(TASK_ID, "{task_id}") for path in ALLOWED}
    assert set(app.routes) == listed | CONSOLE


def test_a_route_answers_the_same_with_and_without_its_slash(ann: Api) -> None:
    for path in ALLOWED:
        for method in METHODS:
            bodies: list[Any] = [None, {}, [1]]
            for body in bodies:
                bare = ann.request(method, path, body)
                slashed = ann.request(method, path + "/", body)
                bare.headers.pop("x-request-id")
                slashed.headers.pop("x-request-id")
                assert vars(bare) == vars(slashed)


def test_a_success_needs_no_slash(api: Api) -> None:
    answers = {}
    for number, slash in enumerate(("", "/")):
        user = {"username": f"user{number}", "password": "password"}
        registered = api.post(f"/api/register{slash}", user)
        tokens = api.post(f"/api/token{slash}", user)
        rotated = api.post(f"/api/token/refresh{slash}", {"refresh": tokens.json["refresh"]})
        verified = api.post(f"/api/token/verify{slash}", {"token": rotated.json["access"]})
        ended = api.post(f"/api/token/blacklist{slash}", {"refresh": rotated.json["refresh"]})
        answers[slash] = [
            (answer.status, answer.json.keys())
            for answer in (registered, tokens, rotated, verified, ended)
        ]
    assert answers[""] == answers["/"]
    assert [status for status, _ in answers[""]] == [201, 200, 200, 200, 200]


def test_a_task_is_created_and_cancelled_with_and_without_the_slash(ann: Api) -> None:
    body, key = {"task_type": "sum", "input_data": {"a": 1, "b": 2}}, {"Idempotency-Key": "k"}
    bare = ann.post("/api/tasks", body, headers=key)
    slashed = ann.post("/api/tasks/", body, headers=key)
    assert (bare.status, bare.text) == (slashed.status, slashed.text)
    assert bare.headers["location"] == slashed.headers["location"]
    path = f"/api/tasks/{bare.json['id']}/cancel"
    assert ann.post(path).text == ann.post(path + "/").text


@pytest.mark.parametrize("path", ALLOWED)
def test_a_wrong_method_is_405_and_says_what_is_allowed(inside: Api, path: str) -> None:
    for method in [method for method, wrong_path in WRONG if wrong_path == path]:
        answer = inside.request(method, path + "/")
        assert (answer.status, answer.headers["allow"]) == (405, ALLOWED[path])
        if method != "HEAD":
            assert answer.json == {
                "detail": f'Method "{method}" not allowed.',
                "code": "method_not_allowed",
            }


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "QUERY"])
@pytest.mark.parametrize("path", ["/api/tasks", "/api/token"])
def test_an_unknown_method_is_405_too(inside: Api, method: str, path: str) -> None:
    answer = inside.request(method, path + "/")
    assert_error(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == ALLOWED[path]


@pytest.mark.parametrize(
    "accept", ["application/xml", "text/html", "image/*, text/*;q=0.5", "application/jsonp"]
)
def test_a_client_that_does_not_accept_json_gets_406_even_without_a_token(
    door: Api, accept: str
) -> None:
    for path in ("/api/tasks/", "/api/token/", "/api/task-types/"):
        answer = door.get(path, headers={"Accept": accept})
        assert_error(answer, 406, "not_acceptable")
        assert answer.json["detail"] == "Could not satisfy the request Accept header."


@pytest.mark.parametrize(
    "accept",
    ["*/*", "application/json", "application/*", "text/html, */*;q=0.8", "APPLICATION/JSON", ""],
)
def test_a_client_that_accepts_json_gets_it(door: Api, accept: str) -> None:
    assert door.get("/api/task-types/", headers={"Accept": accept}).status == 200


def test_head_works_as_get(ann: Api) -> None:
    task = ann.created()
    paths = [path for path, allowed in ALLOWED.items() if "HEAD" in allowed and TASK_ID not in path]
    for path in (*paths, f"/api/tasks/{task['id']}", f"/api/tasks/{TASK_ID}", "/api/tasks?page=9"):
        get, head = ann.get(path), ann.request("HEAD", path)
        assert (head.status, head.text) == (get.status, "")
        get.headers.pop("x-request-id")
        head.headers.pop("x-request-id")
        assert head.headers == get.headers


def test_head_needs_a_token_where_get_does(door: Api) -> None:
    answer = door.request("HEAD", "/api/tasks/")
    assert (answer.status, answer.text) == (401, "")


@pytest.mark.parametrize("path", ALLOWED)
def test_options_tells_a_browser_what_it_may_do_and_needs_no_token(door: Api, path: str) -> None:
    answer = door.request(
        "OPTIONS",
        path + "/",
        headers={"Origin": "https://app.test", "Access-Control-Request-Method": "POST"},
    )
    assert answer.status == 200
    assert answer.headers["allow"] == answer.headers["access-control-allow-methods"]
    assert answer.headers["allow"] == ALLOWED[path]
    assert_cors(answer)
    allowed = set(answer.headers["access-control-allow-headers"].split(","))
    assert {
        *("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Prefer"),
    } <= allowed


def test_every_task_that_does_not_exist_is_the_same_404(ann: Api) -> None:
    for task_id in ("1", "abc", TASK_ID, TASK_ID.replace("-", ""), "%00", "%FF", "..", "a%2Fb"):
        for method, path in (("GET", ""), ("POST", "cancel/")):
            answer = ann.request(method, f"/api/tasks/{task_id}/{path}")
            assert answer.status == 404
            assert answer.json == {
                "detail": "No Task matches the given query.",
                "code": "not_found",
            }


@pytest.fixture
def serve() -> Callable[[str, str], Answer]:
    """`serve("GET", "/path")`: ask the service as it runs on one machine."""
    from infra.local.server import application

    app = Chalice("local", configure_logs=False)
    rooms.mount(app)
    transport = httpx.ASGITransport(application(app))

    async def ask(method: str, path: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://local") as client:
            return await client.request(method, path)

    def serve(method: str, path: str) -> Answer:
        response = asyncio.run(ask(method, path))
        return Answer(HTTPResponse(response.content, dict(response.headers), response.status_code))

    return serve


def test_an_unknown_path_is_404_in_json_with_any_method(
    serve: Callable[[str, str], Answer],
) -> None:
    for path in (
        "/api/",
        "/api/nothing/",
        "/api/tasks/a/b/c/",
        "/api/tokens",
        "/api/token//",
        "/console/",
    ):
        for method in (*METHODS, "TRACE"):
            answer = serve(method, path)
            assert answer.status == 404
            assert answer.headers["access-control-allow-origin"] == "*"
            assert answer.headers["x-request-id"]
            assert method == "HEAD" or answer.json == NOT_FOUND
