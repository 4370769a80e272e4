"""HTTP's own errors, and the status and headers of every error."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib import errors
from chalicelib.api.headers import RETRY_AFTER, Header
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


class CrossSite(ServiceError):
    """The request does not come from a page of the service itself."""

    code = "cross_site"
    detail = "Only pages of this service may send this request."


class MethodNotAllowed(ServiceError):
    """The path exists, but not with this method."""

    code = "method_not_allowed"

    def __init__(self, method: str) -> None:
        super().__init__(f'Method "{method}" not allowed.')


class NotAcceptable(ServiceError):
    """The client does not accept what the route answers with."""

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


@dataclass(frozen=True)
class ErrorAnswer:
    """How an error is answered."""

    status: int
    #: The header that goes with it, and what makes its value from the error.
    header: Header | None = None
    value: Callable[[Any], str] = str
    #: What the body has besides `detail` and `code`, as JSON Schema has properties.
    more: Mapping[str, Any] = field(default_factory=dict)
    #: What the error in the document's example is made from.
    example: tuple[Any, ...] = ()

    def headers(self, error: ServiceError) -> dict[str, str]:
        return {self.header.name: self.value(error)} if self.header else {}


def _challenge(error: Any) -> str:
    # RFC 9110, 11.6.1: a 401 names the scheme to authenticate with.
    return 'Bearer realm="api"'


def _retry_after(error: Any) -> str:
    return str(error.retry_after)


# API Gateway renames it.
_CHALLENGE = Header(
    "WWW-Authenticate",
    "The scheme to authenticate with; on AWS as `x-amzn-remapped-www-authenticate`.",
    is_required=False,
)
_MESSAGES = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            name: {"type": "string"} for name in ("token_class", "token_type", "message")
        },
    },
}
_COUNT = {"type": "integer", "minimum": 0}
_TASK = {"$ref": "#/components/schemas/Task"}

#: The answer to each error.
ANSWERS: dict[type[ServiceError], ErrorAnswer] = {
    errors.InvalidFields: ErrorAnswer(400, example=({"username": ["This field is required."]},)),
    ParseError: ErrorAnswer(
        400, example=("JSON parse error - Expecting value: line 1 column 1 (char 0)",)
    ),
    InvalidHost: ErrorAnswer(400),
    InvalidIdempotencyKey: ErrorAnswer(400),
    NotAuthenticated: ErrorAnswer(401, _CHALLENGE, _challenge),
    BadAuthorizationHeader: ErrorAnswer(401, _CHALLENGE, _challenge),
    InvalidAccessToken: ErrorAnswer(
        401, _CHALLENGE, _challenge, {"messages": _MESSAGES}, ("Token is expired",)
    ),
    errors.InvalidToken: ErrorAnswer(401, _CHALLENGE, _challenge),
    errors.UserNotFound: ErrorAnswer(401, _CHALLENGE, _challenge),
    errors.WrongCredentials: ErrorAnswer(401, _CHALLENGE, _challenge),
    CrossSite: ErrorAnswer(403),
    errors.NotFound: ErrorAnswer(404),
    MethodNotAllowed: ErrorAnswer(405, example=("PUT",)),
    NotAcceptable: ErrorAnswer(406),
    errors.AlreadyFinished: ErrorAnswer(409, more={"task": _TASK}, example=(None,)),
    RequestTooLarge: ErrorAnswer(413),
    UnsupportedMediaType: ErrorAnswer(415, example=("text/plain",)),
    errors.IdempotencyKeyReused: ErrorAnswer(422),
    errors.ActiveTaskLimit: ErrorAnswer(
        429, more={"limit": _COUNT, "active": _COUNT}, example=(5, 5)
    ),
    errors.Throttled: ErrorAnswer(429, RETRY_AFTER, _retry_after, example=(60,)),
    InternalError: ErrorAnswer(
        500, more={"request_id": {"type": "string"}}, example=("order-4711",)
    ),
    errors.Unavailable: ErrorAnswer(503, RETRY_AFTER, _retry_after),
}
