"""What can go wrong, each with the status and the stable code that a client gets.

ServiceError
├── InvalidFields            400  every invalid field with its reasons
├── ParseError               400  parse_error
├── InvalidIdempotencyKey    400  invalid_idempotency_key
├── NotAuthenticated         401  not_authenticated
├── BadAuthorizationHeader   401  bad_authorization_header
├── UserNotFound             401  user_not_found
├── WrongCredentials         401  no_active_account
├── InvalidToken             401  token_not_valid
├── InvalidAccessToken       401  token_not_valid
├── NotFound                 404  not_found
├── MethodNotAllowed         405  method_not_allowed
├── NotAcceptable            406  not_acceptable
├── AlreadyFinished          409  already_finished
├── RequestTooLarge          413  request_too_large
├── UnsupportedMediaType     415  unsupported_media_type
├── IdempotencyKeyReused     422  idempotency_key_reused
├── ActiveTaskLimit          429  active_task_limit
├── SignInThrottled          429  throttled
└── Unavailable              503  unavailable

TaskError is raised by task types and ends in the task's own `error`.
"""

from typing import Any, ClassVar

from botocore import exceptions as aws

#: Where `InvalidFields` puts what belongs to no single field (DRF's NON_FIELD_ERRORS_KEY).
NON_FIELD = "non_field_errors"


class ServiceError(Exception):
    """A fault that a client is told of: `detail` in words, `code` for programs."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    detail: str = "Internal server error."

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or self.detail
        self.headers: dict[str, str] = {}
        super().__init__(self.detail)

    def body(self) -> dict[str, Any]:
        return {"detail": self.detail, "code": self.code}


class InvalidFields(ServiceError):
    """Some fields of the request are not valid; all of them are named."""

    status = 400
    code = "invalid"
    detail = "Invalid input."

    def __init__(self, fields: dict[str, Any]) -> None:
        super().__init__()
        self.fields = fields

    def body(self) -> dict[str, Any]:
        return self.fields


class ParseError(ServiceError):
    """The body is not JSON."""

    status = 400
    code = "parse_error"


class InvalidIdempotencyKey(ServiceError):
    """The header Idempotency-Key is not 1 to 255 visible ASCII characters."""

    status = 400
    code = "invalid_idempotency_key"
    detail = "Idempotency-Key must be 1 to 255 visible ASCII characters."


class Unauthorized(ServiceError):
    """Any 401: it names the scheme to come back with (RFC 9110, 11.6.1)."""

    status = 401

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail)
        self.headers["WWW-Authenticate"] = 'Bearer realm="api"'


class NotAuthenticated(Unauthorized):
    """No token came with a request that needs one."""

    code = "not_authenticated"
    detail = "Authentication credentials were not provided."


class BadAuthorizationHeader(Unauthorized):
    """The Authorization header is not `Bearer <token>`."""

    code = "bad_authorization_header"
    detail = "Authorization header must contain two space-delimited values"


class UserNotFound(Unauthorized):
    """The token is good, its user is gone."""

    code = "user_not_found"
    detail = "User not found"


class WrongCredentials(Unauthorized):
    """Unknown user or wrong password: a client is never told which."""

    code = "no_active_account"
    detail = "No active account found with the given credentials"


class InvalidToken(Unauthorized):
    """A token is refused; `detail` says why in SimpleJWT's words."""

    code = "token_not_valid"
    detail = "Token is invalid"


class InvalidAccessToken(Unauthorized):
    """The token in the Authorization header is refused (SimpleJWT's body for it)."""

    code = "token_not_valid"
    detail = "Given token not valid for any token type"

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason

    def body(self) -> dict[str, Any]:
        message = {"token_class": "AccessToken", "token_type": "access", "message": self.reason}
        return super().body() | {"messages": [message]}


class NotFound(ServiceError):
    """There is no such thing, or it is another user's: nobody is told which."""

    status = 404
    code = "not_found"
    detail = "Not found."


class MethodNotAllowed(ServiceError):
    """The path exists, the method does not."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, method: str, allowed: str) -> None:
        super().__init__(f'Method "{method}" not allowed.')
        self.headers["Allow"] = allowed


class NotAcceptable(ServiceError):
    """The client accepts no JSON."""

    status = 406
    code = "not_acceptable"
    detail = "Could not satisfy the request Accept header."


class AlreadyFinished(ServiceError):
    """A finished task cannot be cancelled; the task as it is comes along."""

    status = 409
    code = "already_finished"
    detail = "The task has already finished."

    def __init__(self, task: Any) -> None:
        super().__init__()
        self.task = task


class RequestTooLarge(ServiceError):
    """The body is larger than the service reads."""

    status = 413
    code = "request_too_large"
    detail = "The request body must be at most 64 KiB."


class UnsupportedMediaType(ServiceError):
    """The body is not declared as JSON."""

    status = 415
    code = "unsupported_media_type"

    def __init__(self, media_type: str) -> None:
        super().__init__(f'Unsupported media type "{media_type}" in request.')


class IdempotencyKeyReused(ServiceError):
    """The key was used within 24 hours, with another body."""

    status = 422
    code = "idempotency_key_reused"
    detail = "This Idempotency-Key was already used with another request body."


class ActiveTaskLimit(ServiceError):
    """The user has as many active tasks as anybody may have."""

    status = 429
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


class SignInThrottled(ServiceError):
    """Too many failed sign-ins for one username."""

    status = 429
    code = "throttled"

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Request was throttled. Expected available in {retry_after} seconds.")
        self.headers["Retry-After"] = str(retry_after)


class Unavailable(ServiceError):
    """A service that this one needs is down or throttles."""

    status = 503
    code = "unavailable"
    detail = "Service temporarily unavailable, try again later."

    def __init__(self) -> None:
        super().__init__()
        self.headers["Retry-After"] = "1"


class TaskError(Exception):
    """Raised by a task type when its input is at fault: the task fails at once.

    `detail` and `code` are shown to the user who owns the task. Every other exception
    but ValueError and ArithmeticError counts as a dependency's and is tried again.
    """

    def __init__(self, detail: str, code: str = "invalid_input") -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code


# AWS was not reached, or the container's credentials were not.
_UNREACHABLE = (aws.ConnectionError, aws.HTTPClientError, aws.NoCredentialsError)
# What AWS calls its own faults; everything else that it refuses is a fault of ours.
_PASSING = {
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
    """Tell whether a fault is AWS being down, slow or throttling, and so may pass."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _UNREACHABLE):
            return True
        if isinstance(cause, aws.ClientError) and _is_passing(cause):
            return True
        # PynamoDB keeps the fault it wraps in `cause`, Python in `__cause__`.
        cause = getattr(cause, "cause", None) or cause.__cause__
    return False


def _is_passing(error: aws.ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or error.response.get("Error", {}).get("Code") in _PASSING
