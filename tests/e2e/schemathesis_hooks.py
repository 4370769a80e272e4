"""What schemathesis must know of the service besides its OpenAPI document."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData

CREATE = "POST /api/tasks/"
#: Why a request that JSON Schema allows may be refused: a schema sees one field of one request.
BEYOND_SCHEMAS = {
    "A user with that username already exists.",
    "The password is too similar to the username.",
    "The time must not be in the past.",
    "The time must be at most 365 days ahead.",
    "The request says two different times.",
    "This Idempotency-Key was already used with another request body.",
}
_DATE = re.compile("[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(?=$|[T ])")


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Take a refusal for right if JSON Schema cannot say its reasons."""
    if not isinstance(failure, RejectedPositiveData):
        return True
    return not set(_reasons(response.json())) <= BEYOND_SCHEMAS


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Schedule tasks for tomorrow: nearly every other day is out of reach."""
    if context.operation.label != CREATE or not isinstance(body, dict):
        return body
    body = _for_tomorrow(body)
    if isinstance(body.get("input_data"), dict):
        body["input_data"] = _for_tomorrow(body["input_data"])
    return body


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Cancel all tasks when the user may have no more."""
    if case.operation.label != CREATE or response.status_code != 429:
        return
    token = response.request.headers["Authorization"]
    with httpx.Client(base_url=case.operation.base_url, headers={"Authorization": token}) as user:
        for status in ("pending", "started"):
            for task in user.get("/api/tasks/", params={"status": status}).json()["results"]:
                user.post(f"/api/tasks/{task['id']}/cancel/")


def _for_tomorrow(fields: dict[str, Any]) -> dict[str, Any]:
    time = fields.get("scheduled_at")
    if not isinstance(time, str):
        return fields
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    return fields | {"scheduled_at": _DATE.sub(f"{tomorrow:%Y-%m-%d}", time, count=1)}


def _reasons(body: Any) -> Iterator[str]:
    """Yield all reasons of an error, however deep."""
    if isinstance(body, dict):
        yield from _reasons([value for key, value in body.items() if key != "code"])
    elif isinstance(body, list):
        for one in body:
            yield from _reasons(one)
    else:
        yield body
