"""Responses: everything is answered as JSON."""

from typing import Any

from chalice import Response
from pydantic import BaseModel

from chalicelib import exact_json
from chalicelib.api.errors import ANSWERS
from chalicelib.errors import ServiceError


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a response with a model, anything else that JSON can carry, or text as it is.

    Numbers keep every digit.
    """
    if isinstance(body, BaseModel):
        body = body.model_dump()
    text = body if isinstance(body, str) else exact_json.dumps(body)
    return Response(text, {"Content-Type": "application/json", **(headers or {})}, status)


def answer_error(error: ServiceError, more: dict[str, Any] | None = None) -> Response:
    """Return the response to an error, with `more` in its body."""
    answered = ANSWERS[type(error)]
    return answer(error.body() | (more or {}), answered.status, answered.headers(error))
