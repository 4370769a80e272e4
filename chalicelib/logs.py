"""What goes into the log about a request and about an exception.

A message of an exception may quote what a user sent: a password, a token, the input of a task. So
an exception is logged by its type and the lines that it passed, never by its message.
"""

import re
import traceback
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

#: X-Request-Id: what a client may send, and what API Gateway makes.
REQUEST_ID = re.compile("[!-~]{1,128}")
#: W3C Trace Context, version 00.
TRACEPARENT = re.compile("00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

_ORIGIN = re.compile(f"({REQUEST_ID.pattern})(?: ({TRACEPARENT.pattern}))?")

#: How many exceptions of a chain are shown, and how many lines of each.
_CHAIN, _LINES = 5, 20


def origin(request_id: str, traceparent: str) -> str:
    """Return the text that says which request made a task; its messages carry it."""
    return f"{request_id} {traceparent}" if TRACEPARENT.fullmatch(traceparent) else request_id


def is_origin(text: object) -> bool:
    """Tell whether `origin` could have written a text."""
    return isinstance(text, str) and _ORIGIN.fullmatch(text) is not None


def origin_keys(text: str | None) -> dict[str, Any]:
    """Return an origin as the keys of log lines; every function uses the same keys."""
    request_id, _, traceparent = (text or "").partition(" ")
    found = {"request_id": request_id, "traceparent": traceparent}
    return {name: value for name, value in found.items() if value}


def exception_keys(error: BaseException) -> dict[str, Any]:
    """Return an exception as the keys of a log line, with its causes before it."""
    chain = [*_chain(error)][:_CHAIN]
    return {
        "exception_name": type(error).__name__,
        "exception": "\n".join(_describe(one) for one in reversed(chain)),
    }


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        # PynamoDB keeps the error that it wraps in `cause`.
        cause = error.__cause__ or getattr(error, "cause", None)
        error = cause or (None if error.__suppress_context__ else error.__context__)


def _describe(error: BaseException) -> str:
    stack = traceback.StackSummary.extract(
        traceback.walk_tb(error.__traceback__), lookup_lines=False
    )
    lines = [f'File "{frame.filename}", line {frame.lineno}, in {frame.name}' for frame in stack]
    return "\n".join([*lines[-_LINES:], _name(error)])


def _name(error: BaseException) -> str:
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    if isinstance(error, ClientError):
        # AWS's own words: the code of the error and the operation, not its message.
        return f"{name}: {error.response.get('Error', {}).get('Code')} ({error.operation_name})"
    return name
