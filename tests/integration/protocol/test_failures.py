"""Faults of our own are 500, outages of AWS are 503."""

from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from chalicelib import security
from tests.drivers import Answer, Api
from tests.integration.protocol.tools import TASK_ID, assert_error
from tests.integration.tools import OUTAGE, Fail, refusal


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
