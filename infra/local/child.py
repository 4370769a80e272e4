"""A process of a local run, by its role; it ends with its parent."""

import os
import signal
import socket
import sys
from collections.abc import Callable
from threading import Event, Thread

import uvicorn


def main() -> None:
    role, *descriptors = sys.argv[1:]
    Thread(target=_end_with_parent, daemon=True).start()
    ROLES[role](*map(int, descriptors))


def _aws(listener: int) -> None:
    """Serve MiniStack, faster than its own server does; SIGTERM makes it write its data."""
    from ministack.app import app

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


def _api(listener: int, rope: int) -> None:
    from infra.local import bell, server

    bell.ring_when_sending(rope)
    # The app reads its settings when it is imported.
    from app import app

    server.serve(app, socket.socket(fileno=listener))


def _worker(ears: int) -> None:
    from app import app
    from infra.local import loops

    loops.work(app, ears, _stopped())


def _timers() -> None:
    from app import app
    from infra.local import loops

    loops.keep_time(app, _stopped())


#: What a process does, with the descriptors that it inherits.
ROLES: dict[str, Callable[..., None]] = {
    "aws": _aws,
    "api": _api,
    "worker": _worker,
    "timers": _timers,
}


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
