"""The one place where a fault becomes an answer; every answer gets its common headers."""

from collections.abc import Callable
from uuid import uuid4

from aws_lambda_powertools import Logger
from chalice import Response
from chalice.app import Request

from chalicelib import errors
from chalicelib.api.endpoint import METHODS, Fault, allowed_methods, answer

log = Logger(service="tasks", child=True)

_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Authorization,Content-Type,Idempotency-Key,If-None-Match",
    "Access-Control-Expose-Headers": (
        "Allow,ETag,Idempotent-Replayed,Location,Retry-After,WWW-Authenticate,X-Request-Id"
    ),
    "Access-Control-Max-Age": "7200",
}


def answer_faults(request: Request, get_response: Callable[[Request], Response]) -> Response:
    """Middleware: turn what was raised into the contract's error shape."""
    request_id = _request_id(request)
    allowed = allowed_methods[request.path]
    log.thread_safe_append_keys(request_id=request_id)
    try:
        if request.method not in METHODS:
            # API Gateway knows no others; Chalice would answer them in its own shape.
            raise Fault from errors.MethodNotAllowed(request.method, allowed)
        response = get_response(request)
    except Fault as fault:
        response = _answer_fault(fault.__cause__ or fault, request_id)
    finally:
        log.thread_safe_clear_keys()
    response.headers |= _CORS | {"Allow": allowed, "X-Request-Id": request_id, "Vary": "Accept"}
    if request.method == "HEAD":
        response.body = ""
    return response


def _answer_fault(fault: BaseException, request_id: str) -> Response:
    if isinstance(fault, errors.ServiceError):
        return answer(fault.body(), fault.status, fault.headers)
    if errors.is_outage(fault):
        log.error("a dependency is not available", exc_info=fault)
        outage = errors.Unavailable()
        return answer(outage.body(), outage.status, outage.headers)
    log.error("unexpected fault", exc_info=fault)
    internal = errors.ServiceError()
    return answer(internal.body() | {"request_id": request_id}, internal.status)


def _request_id(request: Request) -> str:
    return request.context.get("requestId") or str(uuid4())
