"""What can go wrong in the service, each with its stable code.

ServiceError
├── InvalidFields            invalid
├── UserNotFound             user_not_found
├── WrongCredentials         no_active_account
├── InvalidToken             token_not_valid
├── NotFound                 not_found
├── AlreadyFinished          already_finished
├── IdempotencyKeyReused     idempotency_key_reused
├── ActiveTaskLimit          active_task_limit
├── Throttled                throttled
└── Unavailable              unavailable

`chalicelib/api/errors.py` adds HTTP's own errors and gives each error its status.
TaskError is raised by task types and ends up in the task's own `error`.
"""

from typing import Any, ClassVar

from botocore import exceptions as aws

#: The key in `InvalidFields` of reasons that belong to no single field (DRF's
#: NON_FIELD_ERRORS_KEY).
NON_FIELD = "non_field_errors"


class ServiceError(Exception):
    """An error that a client is told about: `detail` in words, `code` for programs."""

    code: ClassVar[str]
    detail: str

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or self.detail
        super().__init__(self.detail)

    def body(self) -> dict[str, Any]:
        """Return the error as a JSON object."""
        return {"detail": self.detail, "code": self.code}


class InvalidFields(ServiceError):
    """Some fields of the request are invalid."""

    code = "invalid"
    detail = "Invalid input."

    def __init__(self, fields: dict[str, Any]) -> None:
        """`fields` has the list of reasons for each invalid field, nested as the input is."""
        super().__init__()
        self.fields = fields

    def body(self) -> dict[str, Any]:
        return self.fields


class UserNotFound(ServiceError):
    """The token is valid, but its user no longer exists."""

    code = "user_not_found"
    detail = "User not found"


class WrongCredentials(ServiceError):
    """The user is unknown or the password is wrong; a client is never told which."""

    code = "no_active_account"
    detail = "No active account found with the given credentials"


class InvalidToken(ServiceError):
    """The token is invalid; `detail` says why in SimpleJWT's words."""

    code = "token_not_valid"
    detail = "Token is invalid"


class NotFound(ServiceError):
    """It does not exist or belongs to another user; a client is never told which."""

    code = "not_found"
    detail = "Not found."


class AlreadyFinished(ServiceError):
    """The task has already finished and cannot be cancelled."""

    code = "already_finished"
    detail = "The task has already finished."

    def __init__(self, task: Any) -> None:
        """`task` is the row as it was read."""
        super().__init__()
        self.task = task


class IdempotencyKeyReused(ServiceError):
    """The Idempotency-Key was used with another body within the last 24 hours."""

    code = "idempotency_key_reused"
    detail = "This Idempotency-Key was already used with another request body."


class ActiveTaskLimit(ServiceError):
    """The user has as many active tasks as a user may have."""

    code = "active_task_limit"

    def __init__(self, active: int, limit: int) -> None:
        super().__init__(
            f"You already have {active} active tasks and may have {limit} at most: "
            "wait for one to finish, or cancel one."
        )
        self.active = active
        self.limit = limit

    def body(self) -> dict[str, Any]:
        return super().body() | {"limit": self.limit, "active": self.active}


class Throttled(ServiceError):
    """There were too many failed sign-ins, or registrations."""

    code = "throttled"

    def __init__(self, retry_after: int) -> None:
        """`retry_after` is in seconds."""
        super().__init__(f"Request was throttled. Expected available in {retry_after} seconds.")
        self.retry_after = retry_after


class Unavailable(ServiceError):
    """A service that this one depends on is down or throttles."""

    code = "unavailable"
    detail = "Service temporarily unavailable, try again later."
    #: In seconds.
    retry_after = 1


class TaskError(Exception):
    """Raised by a task type if its input is at fault: the task fails and is not retried.

    The owner of the task sees `detail` and `code`. Anything else that a type raises is
    retried.
    """

    def __init__(self, detail: str, code: str = "invalid_input") -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code


# AWS, or the source of the container's credentials, could not be reached.
_UNREACHABLE = (aws.ConnectionError, aws.HTTPClientError, aws.NoCredentialsError)
# Error codes for AWS's own faults and for throttling; any other refusal is our fault.
_TRANSIENT = {
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InternalServiceError",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "ServiceUnavailable",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}


def is_outage(error: BaseException) -> bool:
    """Tell whether an error is transient: AWS is down, slow or throttling."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _UNREACHABLE):
            return True
        if isinstance(cause, aws.ClientError) and _is_transient(cause):
            return True
        # PynamoDB keeps the error that it wraps in `cause`, Python in `__cause__`.
        cause = getattr(cause, "cause", None) or cause.__cause__
    return False


def _is_transient(error: aws.ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or error.response.get("Error", {}).get("Code") in _TRANSIENT
