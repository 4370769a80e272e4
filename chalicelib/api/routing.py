"""Routes: each is described in one place, at the function behind it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from chalice import Chalice, ChaliceUnhandledError, Response
from chalice.app import Request
from pydantic import BaseModel

from chalicelib.api import call, errors
from chalicelib.api.headers import Header
from chalicelib.errors import InvalidFields, ServiceError, Unavailable

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Handler = Callable[..., Response]
_H = TypeVar("_H", bound=Handler)

#: All methods that API Gateway knows. Each path takes all of them, so that this service
#: answers the wrong ones, and not API Gateway.
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

_ERRORS = (errors.InvalidHost, errors.NotAcceptable, errors.InternalError, Unavailable)
_TOKEN_ERRORS = (errors.NotAuthenticated, errors.BadAuthorizationHeader, errors.InvalidAccessToken)
_BODY_ERRORS = (
    InvalidFields,
    errors.ParseError,
    errors.RequestTooLarge,
    errors.UnsupportedMediaType,
)


@dataclass(frozen=True)
class Route:
    """One method of a path: what the service does with it and what OpenAPI says of it."""

    handler: Handler
    summary: str
    #: The model of the body; None leaves the body unread.
    body: type[BaseModel] | None
    #: The model of the answer for each status of success; None for an answer without a body.
    answers: Mapping[int, type[BaseModel] | None]
    errors: Sequence[type[ServiceError]]
    #: Those of the path, query and headers, as OpenAPI has them.
    parameters: Sequence[dict[str, Any]]
    #: The headers of its answers.
    headers: Sequence[Header]
    #: What a client can do next with its answers, as OpenAPI has it.
    links: Mapping[str, Any]
    #: Whether it takes requests without an access token.
    is_public: bool
    #: What it answers with, as the client must accept it; errors are JSON everywhere.
    media_type: str
    #: Whether OpenAPI lists it: pages and what only they use are no part of the API.
    is_documented: bool


#: Every route, by path and method. GET includes HEAD.
routes: dict[str, dict[str, Route]] = {}


def route(
    method: Method,
    path: str,
    *,
    summary: str,
    answers: Mapping[int, type[BaseModel] | None],
    body: type[BaseModel] | None = None,
    errors: Sequence[type[ServiceError]] = (),
    parameters: Sequence[dict[str, Any]] = (),
    headers: Sequence[Header] = (),
    links: Mapping[str, Any] | None = None,
    is_public: bool = False,
    media_type: str = call.JSON,
    is_documented: bool = True,
) -> Callable[[_H], _H]:
    """Serve a method of a path, written without a trailing slash, with the decorated function.

    The function gets the Call, and the path's parameters by name. `errors` are its own; those
    that every route has, of the token and of the body are added here.

    Raises ValueError if there is such a route already.
    """
    implied = (*_ERRORS, *(_BODY_ERRORS if body else ()), *(() if is_public else _TOKEN_ERRORS))

    def register(handler: _H) -> _H:
        methods = routes.setdefault(path, {})
        if method in methods:
            raise ValueError(f"There already is a route {method} {path}.")
        methods[method] = Route(
            handler,
            summary,
            body,
            answers,
            [*errors, *implied],
            parameters,
            headers,
            links or {},
            is_public,
            media_type,
            is_documented,
        )
        return handler

    return register


def page_route(path: str, *, summary: str, media_type: str = "text/html") -> Callable[[_H], _H]:
    """Serve a page, or with `*/*` its files, to everybody. They are not part of the API."""
    return route(
        "GET",
        path,
        summary=summary,
        answers={},
        is_public=True,
        media_type=media_type,
        is_documented=False,
    )


class Fault(ChaliceUnhandledError):
    """Carries an error of a view, as its cause, past Chalice's error handling."""


def mount(app: Chalice) -> None:
    """Add all routes to an app."""
    for path in routes:
        app.route(path, methods=METHODS, content_types=[], name=path.strip("/") or "/")(
            _view(app, path)
        )


def allowed_methods(path: str) -> str:
    """Return the methods of a path as the header Allow lists them."""
    served = {"OPTIONS", *routes[path], *(["HEAD"] if "GET" in routes[path] else [])}
    return ", ".join(method for method in METHODS if method in served)


def _view(app: Chalice, path: str) -> Handler:
    def view(**parameters: str) -> Response:
        try:
            request: Any = app.current_request
            return _respond(path, request, parameters)
        except Exception as error:
            raise Fault(str(error)) from error

    return view


def _respond(path: str, request: Request, parameters: dict[str, str]) -> Response:
    """Check a request in the order of docs/contract.md and hand it to its function."""
    if request.method == "OPTIONS":
        return Response("", {"Access-Control-Allow-Methods": allowed_methods(path)}, 200)
    methods = routes[path]
    found = methods.get("GET" if request.method == "HEAD" else request.method)
    call.check_accept(request, found.media_type if found else call.JSON)
    is_public = all(one.is_public for one in ([found] if found else methods.values()))
    user_id = "" if is_public else call.authenticate(request)
    if found is None:
        raise errors.MethodNotAllowed(request.method)
    body = call.read_body(request) if found.body else {}
    return found.handler(call.make_call(request, user_id, body), **parameters)


def in_path(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    """Describe a parameter of the path."""
    return {"name": name, "in": "path", "required": True} | _described(schema, description)


def query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    """Describe a query parameter; an empty one counts as missing."""
    return {"name": name, "in": "query", "allowEmptyValue": True} | _described(schema, description)


def header(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    """Describe a request header."""
    return {"name": name, "in": "header"} | _described(schema, description)


def _described(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"schema": schema, "description": description}
