"""The one place where an error becomes an answer and every answer gets its common headers."""

from collections.abc import Callable
from uuid import uuid4

from aws_lambda_powertools import Logger
from chalice import Response
from chalice.app import Request

from chalicelib import metrics
from chalicelib.api.answers import answer_error
from chalicelib.api.errors import InternalError, MethodNotAllowed
from chalicelib.api.routing import METHODS, Fault, allowed_methods
from chalicelib.errors import ServiceError, Unavailable, is_outage

log = Logger(service="tasks", child=True)

_COMMON_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Authorization,Content-Type,Idempotency-Key,If-None-Match",
    "Access-Control-Expose-Headers": (
        "Allow,ETag,Idempotent-Replayed,Location,Retry-After,WWW-Authenticate,X-Request-Id"
    ),
    "Access-Control-Max-Age": "7200",
    # Tokens, tasks and errors must not be stored. The few other answers are cheap.
    "Cache-Control": "no-store",
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
}


def answer_request(request: Request, get_response: Callable[[Request], Response]) -> Response:
    """Answer a request of any method; errors are answered in the contract's shape."""
    request_id = _request_id(request)
    allowed = allowed_methods(request.path)
    log.thread_safe_append_keys(request_id=request_id)
    try:
        if request.method not in METHODS:
            # Only a server on one machine passes these on; Chalice's answer has its own shape.
            raise Fault from MethodNotAllowed(request.method, allowed)
        response = get_response(request)
    except Fault as fault:
        response = answer_error(_as_service_error(fault.__cause__ or fault, request_id))
    finally:
        log.thread_safe_clear_keys()
        metrics.flush()
    response.headers |= _COMMON_HEADERS | {"Allow": allowed, "X-Request-Id": request_id}
    if request.method == "HEAD":
        response.body = ""
    return response


def _as_service_error(error: BaseException, request_id: str) -> ServiceError:
    if isinstance(error, ServiceError):
        return error
    if is_outage(error):
        log.error("dependency_unavailable", exc_info=error)
        return Unavailable()
    log.error("unexpected_error", exc_info=error)
    return InternalError(request_id)


def _request_id(request: Request) -> str:
    return request.context.get("requestId") or str(uuid4())
