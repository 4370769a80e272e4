"""A bell between processes: a sender rings it, so that the worker need not wait for a poll.

It is a pipe. A ring that is lost costs only time, because the worker polls as well.
"""

import os
import select
import time
from contextlib import suppress
from typing import Any

from chalicelib import aws

#: How many rings are heard at once: the messages of one batch.
_AT_ONCE = 10


def make() -> tuple[int, int]:
    """Return the end of a bell that hears and the end that rings."""
    ears, rope = os.pipe()
    os.set_blocking(ears, False)
    os.set_blocking(rope, False)
    return ears, rope


def ring_when_sending(rope: int) -> None:
    """Ring when a client of this process, made after this, has put a message on a queue."""

    def ring(**_: Any) -> None:
        # A full pipe has rung enough.
        with suppress(BlockingIOError):
            os.write(rope, b"!")

    aws.session().register("after-call.sqs.SendMessage", ring)


def wait(ears: int, seconds: float) -> bool:
    """Wait for the bell, at most this long; return whether it rang for this process."""
    deadline = time.monotonic() + seconds
    while select.select([ears], [], [], max(0, deadline - time.monotonic()))[0]:
        # Another process may have heard it first.
        with suppress(BlockingIOError):
            return bool(os.read(ears, _AT_ONCE))
    return False
