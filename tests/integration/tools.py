"""Helpers that several tests share."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from chalice.test import Client
from jsonschema import Draft202012Validator

from chalicelib import security, times
from chalicelib.models import Account
from tests.drivers import Api, Clock, Lambdas, sweep

Rows = Callable[[], list[dict[str, Any]]]
Fail = Callable[..., Any]
Define = Callable[..., None]
Finish = Callable[..., list[str]]
SignUp = Callable[[str], Api]


class LambdaDied(BaseException):
    """The Lambda timed out or its machine broke: no code of ours runs any more."""


class doing:  # noqa: N801  # reads as a function: define(doing(OSError(), "done"))
    """A function that raises, calls or returns the steps, one per call, and counts the calls."""

    def __init__(self, *steps: Any) -> None:
        self._left = list(steps)
        self.calls = 0

    def __call__(self) -> Any:
        self.calls += 1
        step = self._left.pop(0)
        if isinstance(step, BaseException):
            raise step
        return step() if callable(step) else step


OUTAGE = EndpointConnectionError(endpoint_url="https://aws.test")
TIMEOUT = ReadTimeoutError(endpoint_url="https://aws.test")

#: The error of a task that has used up its tries.
RETRIES_EXHAUSTED = {
    "code": "retries_exhausted",
    "detail": "The task was given up after several failed attempts.",
}


def new_user(client: Client, username: str) -> Api:
    """Return an HTTP client that speaks for a new user.

    The service's own code stores the account and signs the token, but without hashing a
    password: that is slow, and test_accounts.py covers it.
    """
    # New in each test: DynamoDB treats the same transaction within 10 minutes as a repetition.
    user_id = str(uuid4())
    assert Account.create(username, user_id, "no hash", times.now())
    token = security.issue_token(security.ACCESS, user_id, times.now())
    return Api(client, token, user_id)


def refusal(code: str, operation: str = "Operation", **response: Any) -> ClientError:
    """Return an error as AWS answers it."""
    found: Any = {"Error": {"Code": code, "Message": code}, **response}
    return ClientError(found, operation)


def message(owner: Api, task: dict[str, Any]) -> str:
    """Return the message that names a task."""
    return json.dumps({"user": owner.user_id, "task": task["id"], "type": task["task_type"]})


def without_events(task: dict[str, Any]) -> dict[str, Any]:
    """Return a task's detail as the list and the create show it."""
    return {name: value for name, value in task.items() if name != "events"}


def named(sent: Mapping[str, Any]) -> str:
    """Return the body of a sent message without the request that it comes from."""
    body = json.loads(sent["MessageBody"])
    return json.dumps({name: body[name] for name in ("user", "task", "type")})


def counters(rows: Rows, owner: Api) -> dict[str, int]:
    """Return the counters of a user's tasks, without those that are 0."""
    row = row_of(rows, owner, "user")
    names = ("success", "failure", "cancelled")
    counts = {name: int(row[name]["N"]) for name in names}
    counts["active"] = len(row.get("active", {"SS": []})["SS"])
    return {name: count for name, count in counts.items() if count}


def row_of(rows: Rows, owner: Api, sk: str) -> dict[str, Any]:
    key = (f"user#{owner.user_id}", sk)
    return next(row for row in rows() if (row["pk"]["S"], row["sk"]["S"]) == key)


def shown(moment: datetime) -> str | None:
    """Write a time as clients see it."""
    return times.show(moment)


def sign_in_again(api: Api) -> None:
    """Give a user a new access token; one lasts 15 minutes."""
    api.token = security.issue_token(security.ACCESS, api.user_id, times.now())


def minutes_pass(clock: Clock, minutes: int) -> None:
    """Let time pass while the sweeper ticks every minute."""
    for _ in range(minutes):
        clock.advance(minutes=1)
        sweep()


def next_try(lambdas: Lambdas, clock: Clock) -> int:
    """Deliver the one message that was sent, at its time; return how many seconds that took."""
    [sent] = lambdas.sent()
    delay = int(sent["DelaySeconds"])
    clock.advance(seconds=delay)
    assert lambdas.work(sent["MessageBody"]) == []
    return delay


def document(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = api.get("/api/openapi.json").json
    return found


def validator(api: Api, schema: str) -> Draft202012Validator:
    """Return a validator of one of the document's schemas."""
    components = document(api)["components"]
    reference = f"#/components/schemas/{schema}"
    return Draft202012Validator({"$ref": reference, "components": components})
