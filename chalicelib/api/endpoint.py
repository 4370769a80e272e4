"""From a request to the one function that deals with it, checked in the contract's order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from chalice import Blueprint, ChaliceUnhandledError, Response
from chalice.app import Request

from chalicelib import errors, exact_json, security, times

#: The largest body that is read, in bytes.
MAX_BODY = 64 * 1024

# Every method goes to every route, so that a wrong one is answered here, not by API Gateway.
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
#: What each path allows, as the header Allow has it.
allowed_methods: dict[str, str] = {}


@dataclass(frozen=True)
class Call:
    """A request that passed the checks, as the functions behind the routes see it."""

    now: datetime
    #: Whose token it is; empty on public routes.
    user_id: str
    body: dict[str, Any]
    headers: Mapping[str, str]
    #: Where the request went, as the client has it, always with a trailing slash.
    url: str
    #: Every query parameter in order.
    query: list[tuple[str, str]] = field(default_factory=list)

    def parameter(self, name: str) -> str | None:
        """Return the last value of a query parameter, None for a missing or empty one."""
        return next((value for key, value in reversed(self.query) if key == name), None) or None

    def link(self, changes: Mapping[str, str | None]) -> str:
        """Return this URL with some query parameters replaced or, where None, left out."""
        query = [(key, value) for key, value in self.query if key not in changes]
        query += [(key, value) for key, value in changes.items() if value is not None]
        return self.url + ("?" + urlencode(query) if query else "")


Handler = Callable[..., Response]


class Fault(ChaliceUnhandledError):
    """Carries what a view raised past Chalice's own error handling to the middleware."""


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response; numbers come out exactly as they are."""
    text = body if isinstance(body, str) else exact_json.dumps(body)
    return Response(text, {"Content-Type": "application/json", **(headers or {})}, status)


def resource(
    blueprint: Blueprint,
    path: str,
    *,
    get: Handler | None = None,
    post: Handler | None = None,
    public: bool = False,
    has_body: bool = True,
) -> None:
    """Serve a path: `get` for GET and HEAD, `post` for POST, 405 for all else.

    A handler gets the Call and the path's parameters by name. A route that is not public
    needs an access token; one that has no body leaves what comes in one alone.
    """
    handlers = {"GET": get, "HEAD": get, "POST": post}
    allowed = ", ".join([*(name for name, handler in handlers.items() if handler), "OPTIONS"])

    def view(**parameters: str) -> Response:
        request = blueprint.current_request
        try:
            return respond(request, parameters)
        except Exception as error:
            raise Fault(str(error)) from error

    def respond(request: Request, parameters: dict[str, str]) -> Response:
        if request.method == "OPTIONS":
            return Response("", {"Access-Control-Allow-Methods": allowed}, 200)
        _check_accept(request.headers.get("accept", ""))
        user_id = "" if public else _authenticate(request.headers.get("authorization", ""))
        handler = handlers.get(request.method)
        if handler is None:
            raise errors.MethodNotAllowed(request.method, allowed)
        body = _read_body(request) if request.method == "POST" and has_body else {}
        return handler(_call(request, user_id, body), **parameters)

    allowed_methods[path] = allowed
    blueprint.route(path, methods=METHODS, content_types=[], name=path.strip("/"))(view)


def _check_accept(header: str) -> None:
    media_types = [part.split(";")[0].strip().lower() for part in header.split(",")]
    if not {"", "*/*", "application/*", "application/json"} & set(media_types):
        raise errors.NotAcceptable


def _authenticate(header: str) -> str:
    """Return the user of an Authorization header, which reads as SimpleJWT reads it."""
    parts = header.split()
    if not parts or parts[0] != "Bearer":
        raise errors.NotAuthenticated
    if len(parts) != 2:
        raise errors.BadAuthorizationHeader
    try:
        return security.read_token(parts[1], security.ACCESS).user_id
    except errors.InvalidToken as error:
        raise errors.InvalidAccessToken(error.detail) from None


def _read_body(request: Request) -> dict[str, Any]:
    raw = request.raw_body
    if not raw:
        return {}
    content_type = request.headers.get("content-type", "")
    if content_type.split(";")[0].strip().lower() != "application/json":
        raise errors.UnsupportedMediaType(content_type)
    if len(raw) > MAX_BODY:
        raise errors.RequestTooLarge
    try:
        body = exact_json.loads(raw)
    except ValueError as error:
        raise errors.ParseError(f"JSON parse error - {error}") from None
    if body is None:
        raise errors.InvalidFields({errors.NON_FIELD: ["No data provided"]})
    if not isinstance(body, dict):
        message = f"Invalid data. Expected a dictionary, but got {type_name(body)}."
        raise errors.InvalidFields({errors.NON_FIELD: [message]})
    return body


def type_name(value: object) -> str:
    """Name a JSON value's type as Python's json module, and so DRF, would."""
    return {"Decimal": "float"}.get(type(value).__name__, type(value).__name__)


def _call(request: Request, user_id: str, body: dict[str, Any]) -> Call:
    host = request.headers.get("host", "localhost")
    scheme = request.headers.get("x-forwarded-proto", "http")
    # The path in the context has API Gateway's stage in it.
    path = request.context.get("path", request.path).rstrip("/")
    query = request.to_original_event().get("multiValueQueryStringParameters") or {}
    return Call(
        now=times.now(),
        user_id=user_id,
        body=body,
        headers=request.headers,
        url=f"{scheme}://{host}{path}/",
        query=[(key, value) for key, values in query.items() for value in values],
    )
