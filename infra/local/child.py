"""A process of a local run, by its role; it ends with its parent."""

import os
import signal
import socket
import sys
from collections.abc import Callable
from functools import lru_cache
from threading import Event, Thread
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from chalice import Chalice


def main() -> None:
    role, *descriptors = sys.argv[1:]
    Thread(target=_end_with_parent, daemon=True).start()
    ROLES[role](*map(int, descriptors))


def _aws(listener: int) -> None:
    """Serve MiniStack, faster than its own server does; SIGTERM makes it write its data."""
    from ministack.app import app

    _parse_conditions_once()
    config = uvicorn.Config(
        app,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        # MiniStack answers with AWS's own headers.
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=listener)])


def _parse_conditions_once() -> None:
    """Let MiniStack remember how it parsed an expression.

    It parses a condition again for each item of a partition, which takes most of a Query's time.
    """
    from ministack.services import dynamodb

    for name in ("_tokenize", "_condition_syntax_error"):
        setattr(dynamodb, name, lru_cache(getattr(dynamodb, name)))


def _api(listener: int, rope: int) -> None:
    from infra.local import bell, server

    bell.ring_when_sending(rope)
    server.serve(_app(), socket.socket(fileno=listener))


def _worker(ears: int) -> None:
    from infra.local import loops

    loops.work(_app(), ears, _stopped())


def _timers() -> None:
    from infra.local import loops

    loops.keep_time(_app(), _stopped())


#: What a process does, with the descriptors that it inherits.
ROLES: dict[str, Callable[..., None]] = {
    "aws": _aws,
    "api": _api,
    "worker": _worker,
    "timers": _timers,
}


def _app() -> "Chalice":
    """Import the app, which reads its settings, and let its log be read by people."""
    from app import app, log
    from infra.local import log_lines

    log_lines.install(log)
    return app


def _stopped() -> Event:
    """Return an event that SIGTERM sets: what has begun is finished first."""
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    return stop


def _end_with_parent() -> None:
    """Standard input is a pipe that nobody writes to: it ends when the parent does."""
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
