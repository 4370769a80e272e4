"""What the tests of HTTP have in common."""

import boto3

from tests import cloud
from tests.drivers import Answer

SESSION = boto3.Session(region_name=cloud.REGION)

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
    "/api/docs": "GET, HEAD, OPTIONS",
    "/api/docs/{version}/{name}": "GET, HEAD, OPTIONS",
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

JSON = {"Content-Type": "application/json"}

TEXT = {"Content-Type": "text/plain"}

LIMIT = 64 * 1024


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
