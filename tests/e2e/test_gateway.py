"""What API Gateway's stand-in does with requests that never reach the app."""

import json
import socket
from urllib.parse import urlsplit

import pytest

from infra.local.server import MAX_BODY
from tests.e2e.conftest import LocalService
from tests.e2e.test_walk_through import SUM, create

NOT_FOUND = {"detail": "Not found.", "code": "not_found"}


def exchange(service: LocalService, request: bytes) -> tuple[bytes, bytes]:
    """Send bytes; return the head and the body of the answer, up to the end of the connection."""
    url = urlsplit(service.url)
    with socket.create_connection(("127.0.0.1", url.port or 80), timeout=30) as connection:
        connection.sendall(request)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


def test_head_of_an_unknown_path_has_no_body(service: LocalService) -> None:
    request = b"HEAD /api/nothing/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    head, body = exchange(service, request)
    assert (head.split(b"\r\n")[0], body) == (b"HTTP/1.1 404 Not Found", b"")


@pytest.mark.parametrize(
    "request_", [b"NONSENSE\r\n\r\n", b"GET /api/tasks/ HTTP/1.1\r\nno colon\r\n\r\n"]
)
def test_what_is_not_http_is_answered_in_the_shape_of_every_error(
    service: LocalService, request_: bytes
) -> None:
    head, body = exchange(service, request_)
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"x-request-id: " in head.lower()
    assert json.loads(body) == {"detail": "The request is not valid.", "code": "bad_request"}


def test_a_body_too_large_for_api_gateway_is_413(service: LocalService) -> None:
    answer = service.client().post("/api/register/", content=b"1" * (MAX_BODY + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")
    assert answer.headers["X-Request-Id"]


def test_a_long_answer_is_compressed_for_who_takes_that(service: LocalService) -> None:
    client = service.client()
    for accepted, encoding in (("gzip, br", "gzip"), ("identity", None)):
        answer = client.get("/api/openapi.json", headers={"Accept-Encoding": accepted})
        assert answer.headers.get("Content-Encoding") == encoding
        assert answer.json()["openapi"] == "3.1.0"
    short = client.get("/api/health/", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in short.headers


def test_a_semicolon_is_part_of_its_segment(service: LocalService) -> None:
    una = service.sign_up("una")
    task = create(una, SUM)
    for path in (f"/api/tasks/{task['id']};x", f"/api/tasks/{task['id']};x/"):
        answer = una.get(path)
        assert answer.status_code == 404
        assert answer.json()["detail"] == "No Task matches the given query."
    assert una.get("/api/tasks;x").json() == NOT_FOUND
