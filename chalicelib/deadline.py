"""The time that a request may take, whatever hangs.

API Gateway gives up on a request after 29 seconds (Amazon API Gateway quotas, "Integration
timeout").
A client that gets 503 before that knows what to do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any, TypeVar

from chalicelib import errors, times

#: How long an attempt of a call to AWS waits for a connection, and for an answer, in seconds.
CONNECT_TIMEOUT, READ_TIMEOUT = 1, 4
#: How often a call is tried. The pauses between tries are at most 1 and 2 seconds (botocore's
#: retry mode "standard").
TRIES = 3
#: The last moment in a request at which an attempt starts: with its timeouts and the pause
#: after it, the answer comes within 20 seconds.
LAST_ATTEMPT = timedelta(seconds=12)

_C = TypeVar("_C", bound=Any)

_last_attempt_at: ContextVar[datetime | None] = ContextVar("last_attempt_at", default=None)


@contextmanager
def started(now: datetime) -> Iterator[None]:
    """Let the calls within belong to a request that came now."""
    token = _last_attempt_at.set(now + LAST_ATTEMPT)
    try:
        yield
    finally:
        _last_attempt_at.reset(token)


def keep(client: _C) -> _C:
    """Make an AWS client raise Unavailable instead of starting an attempt too late."""
    client.meta.events.register_first("before-send", _check)
    return client


def _check(**_: Any) -> None:
    last = _last_attempt_at.get()
    if last and times.now() > last:
        raise errors.Unavailable
