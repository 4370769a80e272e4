"""The AWS of a local run: an embedded one, LocalStack, or any endpoint."""

import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from localstack_client import config as localstack

from infra.local import processes

#: How long the embedded AWS may take to start or to stop, in seconds.
PATIENCE = 30
#: Its log, in the data folder.
LOG = "ministack.log"


@contextmanager
def cloud(choice: str, data: Path) -> Iterator[str]:
    """Yield the endpoint of the chosen AWS; an embedded one runs for the duration of the block."""
    if choice == "embedded":
        with _embedded(data) as endpoint:
            yield endpoint
    elif choice == "localstack":
        yield localstack.get_service_endpoint("dynamodb")
    elif choice.startswith(("http://", "https://")):
        yield choice
    else:
        raise SystemExit(f"CLOUD={choice}: use embedded, localstack or the URL of an endpoint.")


def free_port() -> int:
    """Return an unused port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _embedded(data: Path) -> Iterator[str]:
    """Run MiniStack; the data folder keeps its contents across restarts."""
    data.mkdir(parents=True, exist_ok=True)
    # Its contents are secrets, too.
    data.chmod(0o700)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        process = _start(listener.fileno(), port, data)
    try:
        endpoint = f"http://127.0.0.1:{port}"
        _wait_until_up(process, endpoint, data / LOG)
        yield endpoint
    finally:
        # It stops last, when nothing uses it anymore.
        processes.stop([process], PATIENCE)
        # Its Lambda workers outlive it, in its process group.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _start(listener: int, port: int, data: Path) -> processes.Popen:
    settings = {
        "GATEWAY_PORT": str(port),
        "PERSIST_STATE": "1",
        "STATE_DIR": str(data.resolve() / "state"),
        "LOG_LEVEL": "WARNING",
        # Listeners that this service does not use.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }
    (data / LOG).touch(0o600)
    (data / LOG).chmod(0o600)
    with (data / LOG).open("ab") as log:
        return processes.start(
            "aws", listener, env=os.environ | settings, stdout=log, stderr=log, umask=0o077
        )


def _wait_until_up(process: processes.Popen, endpoint: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{endpoint}/_localstack/health", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise SystemExit(f"The embedded AWS did not start; {log} says why.")
