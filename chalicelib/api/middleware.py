"""The one place where an error becomes an answer and every answer gets its common headers."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from aws_lambda_powertools import Logger
from chalice import Response
from chalice.app import Request

from chalicelib import deadline, logs, metrics, times
from chalicelib.api.answers import answer_error
from chalicelib.api.call import read_origin, read_request_id
from chalicelib.api.errors import InternalError, MethodNotAllowed
from chalicelib.api.routing import METHODS, Fault, allowed_methods
from chalicelib.errors import ServiceError, Unavailable, is_outage

log = Logger(service="tasks", child=True)

_COMMON_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": (
        "Authorization,Content-Type,Idempotency-Key,If-None-Match,traceparent,X-Request-Id"
    ),
    "Access-Control-Expose-Headers": (
        "Allow,ETag,Idempotent-Replayed,Location,Retry-After,WWW-Authenticate,X-Request-Id"
    ),
    "Access-Control-Max-Age": "7200",
    # Tokens, tasks and errors must not be stored. The few other answers are cheap. An ETag works
    # all the same: it is the client who keeps the task, not a cache.
    "Cache-Control": "no-store",
    "Vary": "Accept",
    # Nothing here is for a browser to show: should one do so, it loads, frames and tells nothing.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
}


def answer_request(request: Request, get_response: Callable[[Request], Response]) -> Response:
    """Answer a request of any method; errors are answered in the contract's shape."""
    if not request.context.get("requestId"):
        request.context["requestId"] = str(uuid4())
    request_id = read_request_id(request)
    allowed = allowed_methods(request.path)
    log.thread_safe_append_keys(**_log_keys(request))
    try:
        with deadline.started(times.now()):
            response = _respond(request, get_response, allowed)
    except Fault as fault:
        response = answer_error(_as_service_error(fault.__cause__ or fault, request_id))
    finally:
        log.thread_safe_clear_keys()
        metrics.flush()
    response.headers |= _COMMON_HEADERS | {"Allow": allowed, "X-Request-Id": request_id}
    if request.method == "HEAD":
        response.body = ""
    return response


def _respond(
    request: Request, get_response: Callable[[Request], Response], allowed: str
) -> Response:
    if request.method not in METHODS:
        # Only a server on one machine passes these on; Chalice's answer has its own shape.
        raise Fault from MethodNotAllowed(request.method, allowed)
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
