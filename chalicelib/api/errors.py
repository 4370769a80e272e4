"""HTTP's own errors, and the status and headers of every error."""

from collections.abc import Callable
from typing import Any

from chalicelib import errors
from chalicelib.errors import ServiceError


class ParseError(ServiceError):
    """The body is not JSON."""

    code = "parse_error"


class InvalidHost(ServiceError):
    """The header Host is neither a name nor an address, so no link can be made of it."""

    code = "invalid_host"
    detail = "Invalid Host header."


class InvalidIdempotencyKey(ServiceError):
    """The header Idempotency-Key is not 1 to 255 visible ASCII characters."""

    code = "invalid_idempotency_key"
    detail = "Idempotency-Key must be 1 to 255 visible ASCII characters."


class NotAuthenticated(ServiceError):
    """The request has no token but needs one."""

    code = "not_authenticated"
    detail = "Authentication credentials were not provided."


class BadAuthorizationHeader(ServiceError):
    """The Authorization header is not `Bearer <token>`."""

    code = "bad_authorization_header"
    detail = "Authorization header must contain two space-delimited values"


class InvalidAccessToken(ServiceError):
    """The token in the Authorization header is invalid."""

    code = "token_not_valid"
    detail = "Given token not valid for any token type"

    def __init__(self, reason: str) -> None:
        """`reason` is the `detail` of InvalidToken."""
        super().__init__()
        self.reason = reason

    def body(self) -> dict[str, Any]:
        """Return SimpleJWT's body for it."""
        message = {"token_class": "AccessToken", "token_type": "access", "message": self.reason}
        return super().body() | {"messages": [message]}


class MethodNotAllowed(ServiceError):
    """The path exists, but not with this method."""

    code = "method_not_allowed"

    def __init__(self, method: str, allowed: str) -> None:
        """`allowed` lists the path's methods as the header Allow does."""
        super().__init__(f'Method "{method}" not allowed.')
        self.allowed = allowed


class NotAcceptable(ServiceError):
    """The client does not accept JSON."""

    code = "not_acceptable"
    detail = "Could not satisfy the request Accept header."


class RequestTooLarge(ServiceError):
    """The body is larger than 64 KiB."""

    code = "request_too_large"
    detail = "The request body must be at most 64 KiB."


class UnsupportedMediaType(ServiceError):
    """The Content-Type of the body is not JSON."""

    code = "unsupported_media_type"

    def __init__(self, media_type: str) -> None:
        super().__init__(f'Unsupported media type "{media_type}" in request.')


class InternalError(ServiceError):
    """The service has a bug; its log has the traceback under the same request id."""

    code = "internal"
    detail = "Internal server error."

    def __init__(self, request_id: str) -> None:
        super().__init__()
        self.request_id = request_id

    def body(self) -> dict[str, Any]:
        return super().body() | {"request_id": self.request_id}


def _no_headers(error: Any) -> dict[str, str]:
    return {}


def _challenge(error: Any) -> dict[str, str]:
    # RFC 9110, 11.6.1: a 401 names the scheme to authenticate with.
    return {"WWW-Authenticate": 'Bearer realm="api"'}


def _allow(error: Any) -> dict[str, str]:
    return {"Allow": error.allowed}


def _retry_after(error: Any) -> dict[str, str]:
    return {"Retry-After": str(error.retry_after)}


#: The status of each error, and its headers.
ANSWERS: dict[type[ServiceError], tuple[int, Callable[[Any], dict[str, str]]]] = {
    errors.InvalidFields: (400, _no_headers),
    ParseError: (400, _no_headers),
    InvalidHost: (400, _no_headers),
    InvalidIdempotencyKey: (400, _no_headers),
    NotAuthenticated: (401, _challenge),
    BadAuthorizationHeader: (401, _challenge),
    InvalidAccessToken: (401, _challenge),
    errors.InvalidToken: (401, _challenge),
    errors.UserNotFound: (401, _challenge),
    errors.WrongCredentials: (401, _challenge),
    errors.NotFound: (404, _no_headers),
    MethodNotAllowed: (405, _allow),
    NotAcceptable: (406, _no_headers),
    errors.AlreadyFinished: (409, _no_headers),
    RequestTooLarge: (413, _no_headers),
    UnsupportedMediaType: (415, _no_headers),
    errors.IdempotencyKeyReused: (422, _no_headers),
    errors.ActiveTaskLimit: (429, _no_headers),
    errors.Throttled: (429, _retry_after),
    InternalError: (500, _no_headers),
    errors.Unavailable: (503, _retry_after),
}
