"""The service as `make run` starts it, on a free port and with data of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local.cloud import free_port

#: What to wait for at most, in seconds, before a test gives up.
PATIENCE = 30


class Service:
    """A running service, and clients for its users."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: list[httpx.Client] = []

    @property
    def url(self) -> str:
        return f"http://localhost:{self._port}"

    def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if name in _KEPT}
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "infra.local"),
                *("--port", str(self._port)),
                *("--data", str(self._data)),
            ],
            env=environment,
        )
        wait_for(self._answers)

    def stop(self) -> int:
        """Press Ctrl-C and return the exit code."""
        assert self._process
        for client in self._clients:
            client.close()
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(PATIENCE)

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        limits = httpx.Limits(max_connections=100)
        client = httpx.Client(base_url=self.url, headers=headers, timeout=60, limits=limits)
        self._clients.append(client)
        return client

    def sign_in(self, username: str, password: str = "password") -> httpx.Client:
        credentials = {"username": username, "password": password}
        answer = httpx.post(f"{self.url}/api/token/", json=credentials)
        assert answer.status_code == 200, answer.text
        return self.client(answer.json()["access"])

    def sign_up(self, username: str) -> httpx.Client:
        credentials = {"username": username, "password": "password"}
        answer = httpx.post(f"{self.url}/api/register/", json=credentials)
        assert answer.status_code == 201, answer.text
        return self.sign_in(username)

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, "the service ended"
        try:
            return httpx.get(f"{self.url}/api/health/").status_code == 200
        except httpx.TransportError:
            return False


# Nothing of what the other tests set may reach the service.
_KEPT = {"PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV"}


def wait_for(condition: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Return what the condition returns as soon as that is true."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"nothing came of it in {patience} seconds")


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("local"))
    service.start()
    yield service
    assert service.stop() == 0
