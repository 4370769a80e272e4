"""The one place where an error becomes an answer and every answer gets its common headers."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from aws_lambda_powertools import Logger
from chalice import Response
from chalice.app import Request

from chalicelib import deadline, logs, metrics, times
from chalicelib.api.answers import answer_error
from chalicelib.api.call import read_origin
from chalicelib.api.errors import InternalError, MethodNotAllowed
from chalicelib.api.headers import Header
from chalicelib.api.routing import METHODS, Fault, allowed_methods, header
from chalicelib.errors import ServiceError, Unavailable, is_outage

log = Logger(service="tasks", child=True)


def _fixed(name: str, value: str, description: str) -> Header:
    return Header(name, description, {"type": "string", "const": value})


#: What every request may have.
PARAMETERS = (
    header(
        "X-Request-Id",
        {"type": "string", "examples": ["order-4711"]},
        "A name for the request in answers and logs: 1 to 128 visible ASCII characters. "
        "Any other value is ignored.",
    ),
    header(
        "traceparent",
        {"type": "string", "examples": ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]},
        "The trace that the request is part of (W3C Trace Context, version 00). "
        "Any other value is ignored.",
    ),
)
#: What every answer has.
HEADERS = (
    _fixed("Access-Control-Allow-Origin", "*", "Pages of every site may read the answer."),
    _fixed(
        "Access-Control-Allow-Headers",
        "Authorization,Content-Type,Idempotency-Key,If-None-Match,Prefer,traceparent,X-Request-Id",
        "What pages of other sites may send.",
    ),
    _fixed(
        "Access-Control-Expose-Headers",
        "Allow,ETag,Idempotent-Replayed,Location,Preference-Applied,Retry-After,"
        "WWW-Authenticate,X-Request-Id",
        "What pages of other sites may read.",
    ),
    _fixed("Access-Control-Max-Age", "7200", "How long this holds for a page, in seconds."),
    # The few answers without tokens, tasks and errors are cheap. An ETag works all the same: it is
    # the client who keeps the task, not a cache.
    _fixed("Cache-Control", "no-store", "Tokens, tasks and errors must not be stored."),
    _fixed("Vary", "Accept, Prefer", "The request headers that the answer depends on."),
    # Nothing but pages is for a browser to show.
    _fixed(
        "Content-Security-Policy",
        "default-src 'none'; frame-ancestors 'none'",
        "Should a browser show the answer, it loads and frames nothing.",
    ),
    _fixed("Referrer-Policy", "no-referrer", "Browsers tell nobody the address of the answer."),
    _fixed("Strict-Transport-Security", "max-age=31536000", "Browsers use https only."),
    _fixed("X-Content-Type-Options", "nosniff", "The answer is what its Content-Type says."),
    Header("Allow", "The methods of the path."),
    Header(
        "X-Request-Id",
        "The request's own X-Request-Id, or else one made for it.",
        {"type": "string", "pattern": f"^{logs.REQUEST_ID.pattern}$"},
    ),
)
_FIXED = {one.name: one.schema["const"] for one in HEADERS if "const" in one.schema}


def answer_request(request: Request, get_response: Callable[[Request], Response]) -> Response:
    """Answer a request of any method; errors are answered as docs/contract.md has them."""
    if not request.context.get("requestId"):
        request.context["requestId"] = str(uuid4())
    allowed, keys = allowed_methods(request.path), _log_keys(request)
    request_id: str = keys["request_id"]
    log.thread_safe_append_keys(**keys)
    try:
        with deadline.started(times.now()):
            response = _respond(request, get_response)
    except Fault as fault:
        response = answer_error(_as_service_error(fault.__cause__ or fault, request_id))
    finally:
        log.thread_safe_clear_keys()
        metrics.flush()
    # A page has a policy and a caching of its own.
    response.headers = (
        _FIXED | dict(response.headers) | {"Allow": allowed, "X-Request-Id": request_id}
    )
    if request.method == "HEAD":
        response.body = ""
    return response


def _respond(request: Request, get_response: Callable[[Request], Response]) -> Response:
    if request.method not in METHODS:
        # Only a server on one machine passes these on; Chalice's answer has its own shape.
        raise Fault from MethodNotAllowed(request.method)
    return get_response(request)


def _as_service_error(error: BaseException, request_id: str) -> ServiceError:
    if isinstance(error, ServiceError):
        return error
    if is_outage(error):
        log.error("dependency_unavailable", **logs.exception_keys(error))
        return Unavailable()
    log.error("unexpected_error", **logs.exception_keys(error))
    return InternalError(request_id)


def _log_keys(request: Request) -> dict[str, Any]:
    """Return the keys of a request's log lines; its messages carry all but the last of them."""
    keys = logs.origin_keys(read_origin(request))
    gateway_id = request.context["requestId"]
    # The access log has API Gateway's id alone.
    return keys if gateway_id == keys["request_id"] else keys | {"gateway_request_id": gateway_id}
