"""Request bodies: JSON, its type, its size, and the order of the checks."""

import json

import pytest

from tests.drivers import Api
from tests.integration.protocol.tools import (
    ALLOWED,
    GUARDED,
    JSON,
    LIMIT,
    TEXT,
    assert_error,
    padded,
)

#: The routes that read a body.
READING = [path for path in ALLOWED if "POST" in ALLOWED[path] and "cancel" not in path]
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
