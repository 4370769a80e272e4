import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any
from uuid import UUID

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from chalice import Chalice
from chalice.local import LambdaEventConverter, RouteMatcher
from chalice.test import Client, HTTPResponse
from moto import mock_aws

from chalicelib import api as rooms
from chalicelib import security
from tests import cloud
from tests.drivers import Answer, Api, Clock
from tests.integration.tools import OUTAGE, Fail, refusal

SESSION = boto3.Session(region_name=cloud.REGION)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
TASK_ID = "019c1d94-8a80-7000-8000-000000000000"
USER_ID = "3e7f9a52-6c1d-4b8e-9f04-d2a5b8c7e610"

#: Every route, without its slash, and what it allows.
ALLOWED = {
    "/api/register": "POST, OPTIONS",
    "/api/token": "POST, OPTIONS",
    "/api/token/refresh": "POST, OPTIONS",
    "/api/token/verify": "POST, OPTIONS",
    "/api/token/blacklist": "POST, OPTIONS",
    "/api/tasks": "GET, HEAD, POST, OPTIONS",
    f"/api/tasks/{TASK_ID}": "GET, HEAD, OPTIONS",
    f"/api/tasks/{TASK_ID}/cancel": "POST, OPTIONS",
    "/api/task-types": "GET, HEAD, OPTIONS",
    "/api/health": "GET, HEAD, OPTIONS",
    "/api/openapi.json": "GET, HEAD, OPTIONS",
}
#: What is no part of the API; see test_console.py.
CONSOLE = {
    "/",
    "/console/session",
    "/console/session/refresh",
    "/console/static/{version}/{name}",
}
#: The routes that need an access token.
GUARDED = [path for path in ALLOWED if path.startswith("/api/tasks")]
#: The routes that read a body.
READING = [path for path in ALLOWED if "POST" in ALLOWED[path] and "cancel" not in path]
WRONG = [
    (method, path)
    for path, allowed in ALLOWED.items()
    for method in METHODS
    if method not in allowed.split(", ")
]

JSON = {"Content-Type": "application/json"}
TEXT = {"Content-Type": "text/plain"}
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
NOT_FOUND = {"detail": "Not found.", "code": "not_found"}
LIMIT = 64 * 1024

BROKEN: dict[str, bytes] = {
    "unfinished": b'{"username": ',
    "words": b"username=user&password=password",
    "single quotes": b"{'username': 'user'}",
    "trailing comma": b'{"username": "user",}',
    "two documents": b"{} {}",
    "only spaces": b"  \n",
    "byte order mark": b"\xef\xbb\xbf{}",
    "NaN": b'{"username": NaN}',
    "Infinity": b'{"username": Infinity}',
    "-Infinity": b'{"username": [-Infinity]}',
    "not UTF-8": b'{"username": "\xff"}',
    "overlong UTF-8": b'{"username": "\xc0\xaf"}',
    "surrogate in UTF-8": b'{"username": "\xed\xa0\x80"}',
    "UTF-16": '{"username": "user"}'.encode("utf-16"),
    "lone surrogate": b'{"username": "\\ud800"}',
    "lone surrogate in a name": b'{"\\udfff": 1}',
    "raw control character": b'{"username": "a\x01"}',
    "nested arrays": b'{"username": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "nested objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "never closed": b"[" * 60_000,
    "endless exponent": b'{"username": 1e99999999999999999999}',
}


def fail_with(code: str, status: int = 400) -> ClientError:
    return refusal(code, ResponseMetadata={"HTTPStatusCode": status})


OUTAGES: dict[str, Exception] = {
    "throttling": fail_with("ThrottlingException"),
    "too much throughput": fail_with("ProvisionedThroughputExceededException"),
    "internal error": fail_with("InternalServerError", 500),
    "no connection": OUTAGE,
    "no connection in time": ConnectTimeoutError(endpoint_url="https://aws.test"),
    "no answer in time": ReadTimeoutError(endpoint_url="https://aws.test"),
}


@pytest.fixture
def door(clock: Clock) -> Iterator[Api]:
    """A client of a service that has only its signing keys, and no other AWS resource.

    It answers only what needs neither the table nor the queue.
    """
    from app import app

    security._keys.cache_clear()
    with nullcontext() if cloud.IN_LOCALSTACK else mock_aws():
        cloud.restore_signing_keys(SESSION)
        yield Api(Client(app))


@pytest.fixture
def inside(door: Api, clock: Clock) -> Api:
    """The same client with a token."""
    return Api(door._client, security.issue_token(security.ACCESS, USER_ID, clock.now))


def assert_error(answer: Answer, status: int, code: str) -> None:
    assert answer.status == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["code"] == code
    assert isinstance(answer.json["detail"], str)
    assert "Code" not in answer.json
    assert "Traceback" not in answer.text


def assert_cors(answer: Answer) -> None:
    assert answer.headers["access-control-allow-origin"] == "*"
    exposed = answer.headers["access-control-expose-headers"]
    assert {
        *("ETag", "Idempotent-Replayed", "Location", "Preference-Applied", "Retry-After"),
        "X-Request-Id",
    } <= set(exposed.split(","))


def padded(length: int) -> bytes:
    """Return a JSON object of exactly this many bytes."""
    return b'{"padding": "' + b"x" * (length - 15) + b'"}'


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


@pytest.mark.parametrize("name", BROKEN)
def test_a_body_that_is_not_json_is_refused(door: Api, inside: Api, name: str) -> None:
    for client, path in ((door, "/api/register/"), (inside, "/api/tasks/")):
        answer = client.post(path, raw=BROKEN[name], headers=JSON)
        assert_error(answer, 400, "parse_error")
        assert answer.json["detail"].startswith("JSON parse error - ")


def test_a_parse_error_says_where_as_drf_does(door: Api) -> None:
    assert door.post("/api/register/", raw=b"{", headers=JSON).json["detail"] == (
        "JSON parse error - Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1)"
    )


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"[]", "list"),
        (b'[{"username": "user"}]', "list"),
        (b'"text"', "str"),
        (b"1", "int"),
        (b"-1.5", "float"),
        (b"1e999999", "float"),
        (b"true", "bool"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_a_body_that_is_not_an_object_is_refused(door: Api, raw: bytes, kind: str) -> None:
    for path in READING[:5]:
        answer = door.post(path, raw=raw, headers=JSON)
        assert answer.status == 400
        assert answer.json == {
            "non_field_errors": [f"Invalid data. Expected a dictionary, but got {kind}."]
        }


def test_a_body_of_null_counts_as_no_data(door: Api) -> None:
    answer = door.post("/api/register/", raw=b"null", headers=JSON)
    assert (answer.status, answer.json) == (400, {"non_field_errors": ["No data provided"]})


def test_an_empty_body_counts_as_an_empty_object(inside: Api) -> None:
    for path in READING:
        for headers in ({}, JSON, TEXT):
            answer = inside.post(path, raw=b"", headers=headers)
            assert answer.status == 400
            assert all(reasons == ["This field is required."] for reasons in answer.json.values())


def test_deep_nesting_gets_an_answer_however_deep_it_is(ann: Api) -> None:
    for depth in (*range(1, 250, 50), *range(800, 1001)):
        nested = "[" * depth + "]" * depth
        body = f'{{"task_type": {nested}, "input_data": {{"values": {nested}}}}}'
        for headers in (JSON, JSON | {"Idempotency-Key": "k"}):
            answer = ann.post("/api/tasks/", raw=body.encode(), headers=headers)
            assert answer.status == 400, (depth, answer.text)


@pytest.mark.parametrize(
    "number", ["9" * 4300, "9" * 4301, "-" + "9" * 30_000, "1e999999999", "1e-999999999", "-0"]
)
def test_a_huge_number_gets_an_answer(inside: Api, door: Api, number: str) -> None:
    values = [
        f'{{"task_type": {number}, "input_data": {{}}}}',
        f'{{"task_type": "countdown", "input_data": {{"seconds": [{number}]}}}}',
        f'{{"task_type": "sum", "scheduled_at": {number}, "input_data": {{"a": 1, "b": 2}}}}',
        f'{{"task_type": "sum", "input_data": {number}}}',
    ]
    for raw in values:
        assert inside.post("/api/tasks/", raw=raw.encode(), headers=JSON).status == 400
    credentials = f'{{"username": {number}, "password": {number}}}'.encode()
    for path in ("/api/register/", "/api/token/"):
        answer = door.post(path, raw=credentials, headers=JSON)
        no_text = ["Not a valid string."]
        assert answer.json == {"username": no_text, "password": no_text}


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_of_another_type_is_refused(inside: Api, content_type: str) -> None:
    for path in READING:
        answer = inside.post(path, raw=b"{}", headers={"Content-Type": content_type})
        assert_error(answer, 415, "unsupported_media_type")
        assert answer.json["detail"] == f'Unsupported media type "{content_type}" in request.'


def test_a_body_without_a_type_is_refused(door: Api) -> None:
    answer = door.post("/api/register/", raw=b"{}")
    assert_error(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "Application/JSON ;charset=UTF-8"],
)
def test_any_spelling_of_the_json_type_is_accepted(door: Api, content_type: str) -> None:
    answer = door.post("/api/register/", raw=b"{}", headers={"Content-Type": content_type})
    assert answer.status == 400


@pytest.mark.parametrize("path", READING)
def test_a_body_of_64_kib_is_read_and_one_byte_more_is_not(inside: Api, path: str) -> None:
    assert inside.post(path, raw=padded(LIMIT), headers=JSON).status == 400
    assert_error(inside.post(path, raw=padded(LIMIT + 1), headers=JSON), 413, "request_too_large")


def test_the_limit_counts_bytes_not_characters(door: Api) -> None:
    raw = json.dumps({"username": "ж" * 33_000}, ensure_ascii=False).encode()
    assert_error(door.post("/api/register/", raw=raw, headers=JSON), 413, "request_too_large")


@pytest.mark.parametrize("path", GUARDED)
def test_authentication_comes_before_everything_else(door: Api, path: str) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        for raw, headers in ((b"", {}), (b"{", JSON), (b"x" * (LIMIT + 1), TEXT)):
            answer = door.request(method, path, raw=raw, headers=headers)
            assert_error(answer, 401, "not_authenticated")


@pytest.mark.parametrize("path", ["/api/tasks/", "/api/register/"])
def test_the_method_comes_before_the_content_type(inside: Api, path: str) -> None:
    answer = inside.request("PUT", path, raw=b"x" * (LIMIT + 1), headers=TEXT)
    assert_error(answer, 405, "method_not_allowed")


@pytest.mark.parametrize("path", ["/api/tasks/", "/api/register/"])
def test_the_content_type_comes_before_the_body(inside: Api, path: str) -> None:
    for raw in (b"{", b"x" * (LIMIT + 1)):
        assert_error(inside.post(path, raw=raw, headers=TEXT), 415, "unsupported_media_type")


def test_a_body_that_is_too_large_is_not_parsed(inside: Api) -> None:
    answer = inside.post("/api/tasks/", raw=b"{" * (LIMIT + 1), headers=JSON)
    assert_error(answer, 413, "request_too_large")


def test_an_unwanted_body_is_ignored(ann: Api) -> None:
    task = ann.created()
    answer = ann.post(f"/api/tasks/{task['id']}/cancel/", raw=b"{", headers=TEXT)
    assert answer.status == 200
    assert ann.get("/api/tasks/", raw=b"{", headers=TEXT).status == 200


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


def test_every_task_that_does_not_exist_is_the_same_404(ann: Api) -> None:
    for task_id in ("1", "abc", TASK_ID, TASK_ID.replace("-", ""), "%00", "%FF", "..", "a%2Fb"):
        for method, path in (("GET", ""), ("POST", "cancel/")):
            answer = ann.request(method, f"/api/tasks/{task_id}/{path}")
            assert answer.status == 404
            assert answer.json == {
                "detail": "No Task matches the given query.",
                "code": "not_found",
            }


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("secret-password"),
        KeyError("secret-password"),
        RecursionError("secret-password"),
        fail_with("AccessDeniedException"),
        fail_with("ValidationException"),
    ],
    ids=lambda error: (
        getattr(error, "response", {}).get("Error", {}).get("Code") or type(error).__name__
    ),
)
def test_an_unexpected_error_is_500_and_reveals_only_its_request_id(
    inside: Api, fail: Fail, error: Exception
) -> None:
    fail("GetItem", error)
    answer = inside.get(f"/api/tasks/{TASK_ID}/")
    assert answer.status == 500
    assert answer.json == {
        "detail": "Internal server error.",
        "code": "internal",
        "request_id": answer.headers["x-request-id"],
    }


def test_the_log_has_the_error_that_the_answer_hides(
    ann: Api, fail: Fail, caplog: pytest.LogCaptureFixture
) -> None:
    fail("GetItem", RuntimeError("boom"))
    ann.get(f"/api/tasks/{TASK_ID}/")
    [record] = [record for record in caplog.records if record.message == "unexpected_error"]
    logged = vars(record)
    assert logged["exception_name"] == "RuntimeError"
    assert "in find\n" in logged["exception"]


def test_the_request_after_a_fault_is_answered_as_usual(ann: Api, fail: Fail) -> None:
    fail("Query", RuntimeError("boom"), times=1)
    assert ann.get("/api/tasks/").status == 500
    assert ann.get("/api/tasks/").status == 200


CALLS_OF_AWS: dict[str, tuple[str, Callable[[Api], Answer]]] = {
    "DynamoDB, one row": ("GetItem", lambda ann: ann.get(f"/api/tasks/{TASK_ID}/")),
    "DynamoDB, many rows": ("Query", lambda ann: ann.get("/api/tasks/")),
    "DynamoDB, a batch": ("BatchGetItem", lambda ann: ann.get("/api/tasks/?status=success")),
    "DynamoDB, a count": ("Query", lambda ann: ann.get("/api/tasks/?page=last")),
    "DynamoDB, a transaction": ("TransactWriteItems", lambda ann: ann.create()),
    "DynamoDB, registering": (
        "TransactWriteItems",
        lambda ann: ann.post("/api/register/", {"username": "bob", "password": "password"}),
    ),
    "DynamoDB, signing in": (
        "BatchGetItem",
        lambda ann: ann.post("/api/token/", {"username": "bob", "password": "password"}),
    ),
    "DynamoDB, counting an attempt": (
        "TransactWriteItems",
        lambda ann: ann.post("/api/token/", {"username": "bob", "password": "password"}),
    ),
    "DynamoDB, health": ("GetItem", lambda ann: ann.get("/api/health/")),
    "SQS, health": ("GetQueueAttributes", lambda ann: ann.get("/api/health/")),
    "Secrets Manager, a guarded route": ("GetSecretValue", lambda ann: ann.get("/api/tasks/")),
    "Secrets Manager, a token": (
        "GetSecretValue",
        lambda ann: ann.post("/api/token/verify/", {"token": ann.token}),
    ),
}


@pytest.mark.parametrize("place", CALLS_OF_AWS)
def test_a_service_that_is_down_or_throttles_is_503_with_retry_after(
    ann: Api, fail: Fail, place: str
) -> None:
    operation, ask = CALLS_OF_AWS[place]
    for error in OUTAGES.values():
        security._keys.cache_clear()
        fail(operation, error)
        answer = ask(ann)
        assert_error(answer, 503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json.keys() == {"detail", "code"}


@pytest.mark.parametrize("reason", ["ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_transaction_that_is_throttled_is_503(ann: Api, fail: Fail, reason: str) -> None:
    reasons = [{"Code": "None"}, {"Code": reason, "Message": "slow down"}]
    error = refusal("TransactionCanceledException", CancellationReasons=reasons)
    fail("TransactWriteItems", error)
    answer = ann.create()
    assert_error(answer, 503, "unavailable")
    assert "retry-after" in answer.headers


def test_a_transaction_whose_conflicts_never_end_is_503(ann: Api, fail: Fail) -> None:
    reasons = [{"Code": "TransactionConflict", "Message": "conflict"}, {"Code": "None"}]
    fail("TransactWriteItems", refusal("TransactionCanceledException", CancellationReasons=reasons))
    assert_error(ann.create(), 503, "unavailable")


@pytest.mark.parametrize(
    ("operation", "ahead"), [("SendMessage", None), ("CreateSchedule", "2026-02-02 18:00:00")]
)
def test_a_stored_task_is_201_even_if_dispatch_fails(
    ann: Api, fail: Fail, operation: str, ahead: str | None
) -> None:
    fail(operation, fail_with("ThrottlingException"))
    answer = ann.create(scheduled_at=ahead)
    assert answer.status == 201
    assert ann.task(answer.json["id"])["status"] == "pending"


def test_keys_that_could_not_be_read_are_read_by_the_next_request(ann: Api, fail: Fail) -> None:
    security._keys.cache_clear()
    fail("GetSecretValue", OUTAGE, times=1)
    assert ann.get("/api/tasks/").status == 503
    assert ann.get("/api/tasks/").status == 200


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
