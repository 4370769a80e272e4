"""No secret is in the log, whatever a client sends and whatever fails."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.errors import TaskError
from chalicelib.task_types import Retry
from tests import cloud
from tests.drivers import Api, Clock, Lambdas
from tests.integration.tools import (
    OUTAGE,
    Define,
    Fail,
    LambdaDied,
    doing,
    message,
    refusal,
    sign_in_again,
)

SECRET = "s3cret"
PASSWORD = f"{SECRET}-password"
MARKED = f"{SECRET}-input"
REFUSAL = refusal("ValidationException", Error={"Code": "ValidationException", "Message": MARKED})


def test_no_secret_is_logged_by_any_route_or_by_the_worker(
    api: Api,
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    define: Define,
    fail: Fail,
    written: Callable[[], str],
) -> None:
    tokens = [ann.token or ""]
    for error in (None, OUTAGE, REFUSAL, ValueError(MARKED)):
        for operation in ("BatchGetItem", "TransactWriteItems", "UpdateItem", "GetItem", "Query"):
            end = fail(operation, error) if error else lambda: None
            tokens += call_accounts(api)
            call_tasks(ann)
            end()
            sign_in_again(ann)
            tokens.append(ann.token or "")
    run_tasks(ann, lambdas, clock, define, fail)
    log = written()
    assert "unexpected_error" in log
    assert "attempt_failed" in log
    assert SECRET not in log
    assert cloud.SIGNING_KEYS["k1"] not in log
    for token in filter(None, tokens):
        assert token not in log
        assert token.rpartition(".")[2] not in log


def call_accounts(api: Api) -> list[str]:
    """Call every route of accounts, well and badly; return the tokens."""
    user = {"username": "user", "password": PASSWORD}
    api.post("/api/register/", user)
    api.post("/api/register/", user | {"password": SECRET})
    api.post("/api/token/", user | {"password": f"{SECRET}-wrong"})
    pair = api.post("/api/token/", user).json
    refresh = pair.get("refresh", f"{SECRET}.{SECRET}.{SECRET}")
    new = api.post("/api/token/refresh/", {"refresh": refresh}).json
    api.post("/api/token/verify/", {"token": refresh})
    api.post("/api/token/blacklist/", {"refresh": refresh})
    api.post("/api/token/", raw=f'{{"password": "{SECRET}'.encode())
    api.get("/api/tasks/", headers={"Authorization": f"Bearer {SECRET}"})
    return [one[name] for one in (pair, new) for name in ("access", "refresh") if name in one]


def call_tasks(ann: Api) -> None:
    """Call every other route, well and badly."""
    path = "/api/tasks/"
    bad = {"task_type": "sum", "input_data": {"values": [MARKED], MARKED: 1}}
    ann.post(path, bad)
    ann.post(path, {"task_type": MARKED, "input_data": MARKED, "scheduled_at": MARKED})
    task = ann.create(key="once", input_data={"values": [1]}).json
    ann.create(key="once", input_data={"values": [2]})
    ann.get(f"{path}?status=success")
    ann.get(f"{path}?status={MARKED}")
    ann.get(f"{path}{task.get('id')}/")
    ann.post(f"{path}{task.get('id')}/cancel/")
    for public in ("task-types", "health", "openapi.json"):
        ann.get(f"/api/{public}/")


def run_tasks(ann: Api, lambdas: Lambdas, clock: Clock, define: Define, fail: Fail) -> None:
    """Let the worker, the dead letters and the sweeper meet success, failure and outages."""

    def quote() -> None:
        try:
            int(MARKED)
        except ValueError as error:
            raise RuntimeError(f"cannot use {MARKED}") from error

    outcomes: list[Any] = [
        {"secret": MARKED},
        TaskError(MARKED),
        OSError(MARKED),
        Retry(timedelta(seconds=20)),
        quote,
        object(),
    ]
    for outcome in outcomes:
        step = outcome if callable(outcome) or isinstance(outcome, Exception) else None
        define(doing(step or (lambda outcome=outcome: outcome)), max_tries=1)
        task = ann.created("probe", input_data={"secret": MARKED})
        lambdas.work_off()
        sign_in_again(ann)
        assert ann.task(task["id"])["status"] in ("success", "failure"), outcome
    define(doing(LambdaDied()), max_tries=1)
    task = ann.created("probe", input_data={"secret": MARKED})
    with pytest.raises(LambdaDied):
        lambdas.work(message(ann, task))
    lambdas.work(f'{{"user": "{MARKED}')
    for operation in ("UpdateItem", "TransactWriteItems", "Query", "BatchGetItem"):
        end = fail(operation, RuntimeError(MARKED))
        clock.advance(minutes=2)
        lambdas.work(message(ann, task))
        lambdas.handle_dead_letters(message(ann, task))
        lambdas.sweep()
        end()
    lambdas.work(message(ann, task))
