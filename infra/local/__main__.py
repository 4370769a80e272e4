"""Run the whole service on this machine until Ctrl-C."""

import argparse
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread
from urllib.request import urlopen

from infra import stack
from infra.local import bell, emulated, processes
from infra.local.cloud import cloud
from infra.local.processes import Process

STAGE = "local"
#: Processes that serve the API, and that run tasks: a task that takes long holds up one of them.
APIS, WORKERS = 2, 2


def main() -> None:
    arguments = _arguments()
    # Both, since SIGINT may be ignored from the start, as in a shell's background.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        print("Starting AWS ...", flush=True)
        with cloud(arguments.cloud, arguments.data) as endpoint:
            _serve(endpoint, arguments.port)
    except KeyboardInterrupt:
        sys.exit(0)


def _serve(endpoint: str, port: int) -> None:
    os.environ |= {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": os.environ.get("AWS_ACCESS_KEY_ID", "test"),
        "AWS_SECRET_ACCESS_KEY": os.environ.get("AWS_SECRET_ACCESS_KEY", "test"),
        "AWS_DEFAULT_REGION": os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
        # Everybody on this machine has the same address.
        "REGISTRATIONS_PER_HOUR": os.environ.get("REGISTRATIONS_PER_HOUR") or "0",
        # Nobody collects metrics here, and each sweep would print some.
        "POWERTOOLS_METRICS_DISABLED": "true",
        # glibc would keep the 19 MiB that hashing a password takes, once for each thread.
        "MALLOC_MMAP_THRESHOLD_": str(1024 * 1024),
    }
    try:
        listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    except OSError as error:
        raise SystemExit(f"Cannot use port {port} ({error}); try: make run PORT=8001") from None
    print(f"Creating the stack in {endpoint} ...", flush=True)
    stack.deploy(STAGE, template=emulated.template())
    os.environ |= stack.environment(STAGE)
    ears, rope = bell.make()
    print("Starting the service ...", flush=True)
    Thread(target=_tell_when_ready, args=[port], daemon=True).start()
    processes.keep_running(
        [
            *(Process("api", [listener.fileno(), rope]) for _ in range(APIS)),
            *(Process("worker", [ears]) for _ in range(WORKERS)),
            Process("timers"),
        ]
    )


def _tell_when_ready(port: int) -> None:
    while True:
        # Until a process accepts it, the request waits.
        with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/api/health/"):
            break
        time.sleep(1)
    url = f"http://localhost:{port}/"
    print(f"Ready: {url} (the console), {url}api/. Press Ctrl-C to stop.", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--cloud", default="embedded", help="embedded, localstack or a URL")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--data", type=Path, default=Path(".local"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
