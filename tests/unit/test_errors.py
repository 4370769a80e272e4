import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ParamValidationError,
    ReadTimeoutError,
)
from pynamodb.exceptions import GetError

from chalicelib import errors
from chalicelib.errors import ServiceError, TaskError

URL = "https://aws.test"


def client_error(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "GetItem",
    )


def name(error: Exception) -> str:
    code = error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None
    return code or type(error).__name__


KINDS = [kind for kind in ServiceError.__subclasses__() if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_is_listed_with_its_code(kind: type[ServiceError]) -> None:
    line = next(row for row in (errors.__doc__ or "").splitlines() if f" {kind.__name__} " in row)
    assert line.split()[-1] == kind.code


@pytest.mark.parametrize(
    "error",
    [
        errors.UserNotFound(),
        errors.WrongCredentials(),
        errors.InvalidToken(),
        errors.NotFound(),
        errors.AlreadyFinished(task=None),
        errors.IdempotencyKeyReused(),
        errors.ActiveTaskLimit(5, 5),
        errors.Throttled(60),
        errors.Unavailable(),
    ],
    ids=name,
)
def test_an_error_tells_its_words_and_its_code(error: ServiceError) -> None:
    assert error.body()["detail"] == error.detail != ""
    assert error.body()["code"] == error.code


def test_invalid_fields_are_the_whole_body() -> None:
    assert errors.InvalidFields({"a": ["b"]}).body() == {"a": ["b"]}


def test_a_full_user_is_told_the_limit_and_the_active_tasks() -> None:
    body = errors.ActiveTaskLimit(active=5, limit=5).body()
    assert (body["limit"], body["active"]) == (5, 5)


@pytest.mark.parametrize(
    "error",
    [
        client_error("ThrottlingException"),
        client_error("ProvisionedThroughputExceededException"),
        client_error("RequestLimitExceeded"),
        client_error("TooManyRequestsException"),
        client_error("RequestThrottled"),
        client_error("InternalServerError", 500),
        client_error("ServiceUnavailable", 503),
        client_error("SomethingNew", 502),
        EndpointConnectionError(endpoint_url=URL),
        ConnectTimeoutError(endpoint_url=URL),
        ReadTimeoutError(endpoint_url=URL),
    ],
    ids=name,
)
def test_aws_being_down_or_throttling_is_an_outage(error: Exception) -> None:
    assert errors.is_outage(error)


@pytest.mark.parametrize(
    "error",
    [
        client_error("AccessDeniedException"),
        client_error("ResourceNotFoundException"),
        client_error("ValidationException"),
        client_error("ConditionalCheckFailedException"),
        ClientError({}, "GetItem"),
        RuntimeError("boom"),
        KeyError("boom"),
    ],
    ids=name,
)
def test_a_fault_of_our_own_is_not_an_outage(error: Exception) -> None:
    assert not errors.is_outage(error)


@pytest.mark.parametrize(
    "cause", [client_error("ThrottlingException"), ReadTimeoutError(endpoint_url="")]
)
def test_an_outage_is_found_inside_an_error_of_pynamodb(cause: Exception) -> None:
    assert errors.is_outage(GetError("failed", cause))


def test_an_outage_is_found_behind_a_chain_of_causes() -> None:
    inner, outer = RuntimeError(), RuntimeError()
    inner.__cause__, outer.__cause__ = client_error("InternalServerError", 500), inner
    assert errors.is_outage(outer)


def test_an_error_of_pynamodb_may_wrap_a_fault_of_our_own() -> None:
    assert not errors.is_outage(GetError("failed", client_error("AccessDeniedException")))


def test_a_type_blames_the_input_unless_it_says_otherwise() -> None:
    assert TaskError("no").code == "invalid_input"
    assert TaskError("no", "too_hot").code == "too_hot"


def test_an_invalid_call_is_not_an_outage() -> None:
    assert not errors.is_outage(GetError("failed", ParamValidationError(report="")))
