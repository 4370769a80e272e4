"""Responses: everything but pages and their files is answered as JSON."""

import hashlib
from typing import Any

from chalice import Response
from pydantic import BaseModel

from chalicelib import exact_json
from chalicelib.api.call import JSON, Call
from chalicelib.api.errors import ANSWERS
from chalicelib.errors import ServiceError


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a response with a model, anything else that JSON can carry, or text as it is.

    Numbers keep every digit.
    """
    if isinstance(body, BaseModel):
        body = body.model_dump()
    text = body if isinstance(body, str) else exact_json.dumps(body)
    return Response(text, {"Content-Type": JSON, **(headers or {})}, status)


def answer_error(error: ServiceError, more: dict[str, Any] | None = None) -> Response:
    """Return the response to an error, with `more` in its body."""
    answered = ANSWERS[type(error)]
    return answer(error.body() | (more or {}), answered.status, answered.headers(error))


def page_policy(*more: str, images: str = "'self'") -> str:
    """Return the Content-Security-Policy of a page that needs nothing but this service."""
    own = f"script-src 'self'; style-src 'self'; img-src {images}; connect-src 'self'"
    nowhere = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return "; ".join(("default-src 'none'", own, nowhere, *more))


def answer_page(call: Call, html: str, policy: str) -> Response:
    """Return the response with a page that has a Content-Security-Policy of its own.

    Browsers keep the page, and ask each time whether it is still the same.
    """
    tag = f'"{hashlib.sha256(html.encode()).hexdigest()[:32]}"'
    headers: dict[str, str | list[str]] = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": policy,
        "Content-Type": "text/html; charset=utf-8",
        "ETag": tag,
    }
    return Response("", headers, 304) if call.has(tag) else Response(html, headers)
