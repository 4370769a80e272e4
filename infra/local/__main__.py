"""Run the whole service on this machine until Ctrl-C."""

import argparse
import os
import signal
import sys
from pathlib import Path
from threading import Event

from infra import stack
from infra.local import emulated, loops, server
from infra.local.cloud import cloud

STAGE = "local"


def main() -> None:
    arguments = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
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
    }
    stack.deploy(STAGE, template=emulated.template())
    environment = stack.environment(STAGE)
    os.environ |= environment
    # Not earlier: the app reads its settings when it is imported.
    from app import app

    stop = Event()
    try:
        web = server.create_server(app, "127.0.0.1", port)
    except OSError as error:
        raise SystemExit(f"Cannot use port {port} ({error}); try: make run PORT=8001") from None
    threads = loops.start(app, environment, stop)
    print(f"AWS:     {endpoint}", f"Service: http://localhost:{port}/api/", sep="\n", flush=True)
    print("Press Ctrl-C to stop.", flush=True)
    try:
        web.run()
    finally:
        print("Stopping ...", flush=True)
        stop.set()
        web.close()
        for thread in threads:
            thread.join()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--cloud", default="embedded", help="embedded, localstack or a URL")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--data", type=Path, default=Path(".local"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
