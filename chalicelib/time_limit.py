"""Interrupting code that runs for too long."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType


class TimeLimitExceeded(BaseException):
    """A run took too long. Not an Exception, so that `except Exception` does not swallow it."""


@contextmanager
def time_limit(limit: timedelta) -> Iterator[None]:
    """Raise TimeLimitExceeded in the block when the limit is over.

    Python runs signal handlers in the main thread alone, which is where Lambda calls a
    handler; in another thread nothing is interrupted. Neither is a call into C code that does
    not return: there the Lambda's own timeout is the limit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, limit.total_seconds())
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise TimeLimitExceeded
