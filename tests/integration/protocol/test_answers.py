"""What every answer has, and who has to send a token."""

from uuid import UUID

import pytest
from chalice import Chalice
from chalice.local import LambdaEventConverter, RouteMatcher

from chalicelib import api as rooms
from tests.drivers import Api
from tests.integration.protocol.tools import (
    ALLOWED,
    GUARDED,
    JSON,
    LIMIT,
    TASK_ID,
    TEXT,
    assert_cors,
    assert_error,
    padded,
)
from tests.integration.tools import OUTAGE, Fail

#: What every answer says to browsers and caches.
SAFE = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000",
    "vary": "Accept, Prefer",
    "x-content-type-options": "nosniff",
}
NO_TOKEN = "Authentication credentials were not provided."


def test_every_kind_of_answer_has_cors_safe_headers_and_a_request_id_of_its_own(
    api: Api, ann: Api, fail: Fail
) -> None:
    task = ann.created()
    user = {"username": "user", "password": "password"}
    tag = ann.get(f"/api/tasks/{task['id']}/").headers["etag"]
    answers = [
        ann.get("/api/tasks/"),
        ann.create(),
        ann.request("HEAD", "/api/tasks/"),
        ann.request("OPTIONS", "/api/tasks/"),
        ann.get(f"/api/tasks/{task['id']}/", headers={"If-None-Match": tag}),
        ann.post(f"/api/tasks/{task['id']}/cancel/"),
        api.post("/api/register/", user),
        api.post("/api/token/", user),
        api.get("/api/task-types/"),
        api.get("/api/health/"),
        api.get("/api/openapi.json"),
        api.request("HEAD", "/api/tasks/"),
        api.request("TRACE", "/api/tasks/"),
        api.post("/api/register/", {}),
        api.post("/api/register/", raw=b"{", headers=JSON),
        api.get("/api/tasks/"),
        ann.get(f"/api/tasks/{TASK_ID}/"),
        ann.request("DELETE", "/api/tasks/"),
        ann.get("/api/tasks/", headers={"Accept": "text/html"}),
        ann.post("/api/tasks/", raw=padded(LIMIT + 1), headers=JSON),
        ann.post("/api/tasks/", raw=b"{}", headers=TEXT),
    ]
    fail("Query", OUTAGE)
    answers.append(ann.get("/api/tasks/"))
    fail("Query", RuntimeError("boom"))
    answers.append(ann.get("/api/tasks/"))
    assert [answer.status for answer in answers] == [
        *(200, 201, 200, 200, 304, 200),
        *(201, 200, 200, 200, 200, 401, 405),
        *(400, 400, 401, 404, 405, 406, 413, 415),
        *(503, 500),
    ]
    for answer in answers:
        assert_cors(answer)
        assert answer.headers.items() >= SAFE.items()
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)


@pytest.mark.parametrize("sent", ["my-request", "~" * 128, "!"])
def test_a_client_may_choose_the_request_id(api: Api, sent: str) -> None:
    answer = api.get("/api/task-types/", headers={"X-Request-Id": sent})
    assert answer.headers["x-request-id"] == sent


@pytest.mark.parametrize("sent", ["", "two words", "x" * 129, "caf\u00e9", "a\x7f"])
def test_a_request_id_that_is_not_visible_ascii_is_replaced(api: Api, sent: str) -> None:
    answer = api.get("/api/task-types/", headers={"X-Request-Id": sent})
    assert UUID(answer.headers["x-request-id"])


def test_the_request_id_is_that_of_api_gateway() -> None:
    app = Chalice("app")
    rooms.mount(app)
    event = LambdaEventConverter(RouteMatcher(list(app.routes))).create_lambda_event(
        "GET", "/api/task-types/", {}
    )
    event["requestContext"]["requestId"] = "from-api-gateway"
    assert app(event, None)["headers"]["X-Request-Id"] == "from-api-gateway"


def test_bodies_are_compact_json_without_escaped_letters(api: Api) -> None:
    answer = api.post("/api/register/", {"username": "жанна", "password": "password"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.text == f'{{"id":"{answer.json["id"]}","username":"жанна"}}'


@pytest.mark.parametrize("path", GUARDED)
def test_a_task_route_without_a_token_is_401(door: Api, path: str) -> None:
    answer = door.get(path + "/")
    assert answer.status == 401
    assert answer.json == {"detail": NO_TOKEN, "code": "not_authenticated"}
    assert answer.headers["www-authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("scheme", ["Basic", "bearer", "BEARER", "Token", "Bearer:", "JWT"])
def test_another_scheme_counts_as_no_token(door: Api, inside: Api, scheme: str) -> None:
    for header in (scheme, f"{scheme} {inside.token}", f"{scheme} a b"):
        answer = door.get("/api/tasks/", headers={"Authorization": header})
        assert_error(answer, 401, "not_authenticated")


@pytest.mark.parametrize("header", ["", " "])
def test_an_empty_authorization_header_counts_as_no_token(door: Api, header: str) -> None:
    answer = door.get("/api/tasks/", headers={"Authorization": header})
    assert_error(answer, 401, "not_authenticated")


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer a b", "Bearer a b c"])
def test_a_malformed_authorization_header_is_401_with_its_own_code(door: Api, header: str) -> None:
    answer = door.get("/api/tasks/", headers={"Authorization": header})
    assert answer.status == 401
    assert answer.json == {
        "detail": "Authorization header must contain two space-delimited values",
        "code": "bad_authorization_header",
    }
    assert answer.headers["www-authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("path", [path for path in ALLOWED if path not in GUARDED])
def test_a_public_route_ignores_a_bad_token(api: Api, path: str) -> None:
    for method in ("GET", "POST"):
        without = api.request(method, path)
        answer = api.request(method, path, headers={"Authorization": "Bearer nonsense"})
        assert (answer.status, answer.text) == (without.status, without.text)
