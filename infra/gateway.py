"""API Gateway's own responses, in the error shape of docs/contract.md instead of its own."""

import json
from dataclasses import dataclass, field
from typing import Any

REQUEST_ID = "$context.requestId"

#: The security headers of the service's own answers.
SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
}
#: Headers of every such response; it also gets `X-Request-Id`.
_HEADERS = SECURITY_HEADERS | {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Retry-After,X-Request-Id",
}


@dataclass(frozen=True)
class GatewayResponse:
    """A response that API Gateway sends without a Lambda."""

    #: None keeps API Gateway's status.
    status: int | None
    body: dict[str, str]
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, str]:
        """Return the headers as `responseParameters`, where a constant stands in single quotes."""
        values = {name: f"'{value}'" for name, value in (_HEADERS | self.headers).items()}
        values["X-Request-Id"] = "context.requestId"
        return {f"gatewayresponse.header.{name}": value for name, value in values.items()}

    @property
    def templates(self) -> dict[str, str]:
        """Return the body as `responseTemplates`."""
        return {"application/json": json.dumps(self.body, separators=(",", ":"))}


_RETRY = {"Retry-After": "1"}
_NOT_FOUND = GatewayResponse(404, {"detail": "Not found.", "code": "not_found"})
# Its status stays 504: CloudWatch counts a status that is not API Gateway's own as a 4XXError,
# and then no alarm on 5XXError sees that the API times out.
_TIMEOUT = GatewayResponse(
    None,
    {"detail": "Service temporarily unavailable, try again later.", "code": "unavailable"},
    _RETRY,
)

#: By API Gateway's response type. It calls an unknown path or method a "missing token", and an
#: "invalid signature" if the request has an Authorization header.
RESPONSES: dict[str, GatewayResponse] = {
    "MISSING_AUTHENTICATION_TOKEN": _NOT_FOUND,
    "INVALID_SIGNATURE": _NOT_FOUND,
    "ACCESS_DENIED": _NOT_FOUND,
    "RESOURCE_NOT_FOUND": _NOT_FOUND,
    "REQUEST_TOO_LARGE": GatewayResponse(
        413,
        {"detail": "The request body must be at most 64 KiB.", "code": "request_too_large"},
    ),
    "THROTTLED": GatewayResponse(
        429, {"detail": "Request was throttled.", "code": "throttled"}, _RETRY
    ),
    "INTEGRATION_FAILURE": _TIMEOUT,
    "INTEGRATION_TIMEOUT": _TIMEOUT,
    "DEFAULT_4XX": GatewayResponse(
        None, {"detail": "The request is not valid.", "code": "bad_request"}
    ),
    "DEFAULT_5XX": GatewayResponse(
        None,
        {"detail": "Internal server error.", "code": "internal", "request_id": REQUEST_ID},
    ),
}


def answer(kind: str, request_id: str, status: int | None = None) -> dict[str, Any]:
    """Return a response for a server on one machine, the same as the deployed API's."""
    response = RESPONSES[kind]
    headers = {"Content-Type": "application/json", "X-Request-Id": request_id}
    return {
        "statusCode": status or response.status,
        "headers": headers | _HEADERS | response.headers,
        "body": response.templates["application/json"],
    }
