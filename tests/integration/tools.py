"""Helpers shared by the tests of the worker, the dead letters and the sweeper."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError

from chalicelib import moscow, security
from tests.drivers import Api, Clock, sweep

Rows = Callable[[], list[dict[str, Any]]]
Fail = Callable[..., None]

OUTAGE = EndpointConnectionError(endpoint_url="https://aws.test")


def refusal(code: str, operation: str = "Operation", **response: Any) -> ClientError:
    """Return an error as AWS answers it."""
    found: Any = {"Error": {"Code": code, "Message": code}, **response}
    return ClientError(found, operation)


def message(owner: Api, task: dict[str, Any]) -> str:
    """Return the message that names a task."""
    return json.dumps({"user": owner.user_id, "task": task["id"]})


def counters(rows: Rows, owner: Api) -> dict[str, int]:
    """Return the counters of a user's tasks, without those that are 0."""
    row = row_of(rows, owner, "user")
    names = ("active", "success", "failure", "cancelled")
    counts = {name: int(row.get(name, {"N": "0"})["N"]) for name in names}
    return {name: count for name, count in counts.items() if count}


def row_of(rows: Rows, owner: Api, sk: str) -> dict[str, Any]:
    key = (f"user#{owner.user_id}", sk)
    return next(row for row in rows() if (row["pk"]["S"], row["sk"]["S"]) == key)


def shown(moment: datetime) -> str | None:
    """Write a time as clients see it."""
    return moscow.show(moment)


def sign_in_again(api: Api) -> None:
    """Give a user a new access token; one lasts 15 minutes."""
    api.token = security.issue_token(security.ACCESS, api.user_id, moscow.now())


def minutes_pass(clock: Clock, minutes: int) -> None:
    """Let time pass while the sweeper ticks every minute."""
    for _ in range(minutes):
        clock.advance(minutes=1)
        sweep()
