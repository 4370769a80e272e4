"""The service as `make run` starts it, on a free port and with its own data."""

import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from infra.local.cloud import free_port
from tests import cloud

#: How long a test waits before it gives up, in seconds.
PATIENCE = 30
#: The AWS of the service, as `make run` names it.
CLOUD = "localstack" if cloud.IN_LOCALSTACK else "embedded"


class Service:
    """A running service with clients for its users."""

    def __init__(self, url: str, connections: int = 100) -> None:
        """A client makes up to `connections` requests at a time; the others wait."""
        self.url = url
        # LocalStack keeps its users between services.
        self._suffix = f".{uuid4().hex[:8]}"
        self._limits = httpx.Limits(max_connections=connections)
        self._clients: list[httpx.Client] = []

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        client = httpx.Client(
            base_url=self.url, headers=headers, timeout=60, transport=_AtHome(limits=self._limits)
        )
        self._clients.append(client)
        return client

    def sign_in(self, username: str, password: str = "password") -> httpx.Client:
        credentials = {"username": username + self._suffix, "password": password}
        answer = self.client().post("/api/token/", json=credentials)
        assert answer.status_code == 200, answer.text
        return self.client(answer.json()["access"])

    def sign_up(self, username: str) -> httpx.Client:
        credentials = {"username": username + self._suffix, "password": "password"}
        answer = self.client().post("/api/register/", json=credentials)
        assert answer.status_code == 201, answer.text
        return self.sign_in(username)

    def close(self) -> None:
        for client in self._clients:
            client.close()


class _AtHome(httpx.HTTPTransport):
    """Connects `localhost` and its subdomains to this machine, without a resolver."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(host="127.0.0.1")
        return super().handle_request(request)


class LocalService(Service):
    """The service of `make run`."""

    def __init__(self, data: Path, aws: str = CLOUD) -> None:
        self._data = data
        self._aws = aws
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        super().__init__(f"http://localhost:{self._port}")

    def start(self, patience: float = PATIENCE) -> None:
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "infra.local"),
                *("--cloud", self._aws),
                *("--port", str(self._port)),
                *("--data", str(self._data)),
            ],
            env=clean_environment(),
        )
        wait_for(self._answers, patience)

    @contextmanager
    def run(self, patience: float = PATIENCE) -> Iterator["LocalService"]:
        """Run it during the block; Ctrl-C must end it in good order."""
        try:
            self.start(patience)
            yield self
        finally:
            assert self.stop() == 0

    def stop(self) -> int:
        """Press Ctrl-C and return the exit code."""
        assert self._process
        self.close()
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(PATIENCE)

    def kill(self) -> None:
        """Kill what `make run` started, without a chance to end its processes."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def processes(self, role: str = "") -> set[int]:
        """Return the ids of the processes with a role; of all without one."""
        assert self._process
        return {
            process
            for process, parent, command in running()
            if parent == self._process.pid and f"infra.local.child {role}" in command
        }

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, "the service ended"
        try:
            return httpx.get(f"{self.url}/api/health/").status_code == 200
        except httpx.TransportError:
            return False


def clean_environment() -> dict[str, str]:
    """Return the environment without the settings of other tests."""
    kept = {"PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "LOCALSTACK_HOST"}
    if cloud.IN_LOCALSTACK:
        # The process's own account.
        kept |= {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    return {name: value for name, value in os.environ.items() if name in kept}


def installing(folder: Path, url: str) -> dict[str, str]:
    """Return an environment of its own: `pip install` into a folder, for the service at a URL."""
    packages = sysconfig.get_path("purelib", "posix_prefix", {"base": str(folder)})
    bins = (folder / "bin", Path(sys.executable).parent)
    return clean_environment() | {
        "PATH": os.pathsep.join([*map(str, bins), os.environ["PATH"]]),
        "PYTHONPATH": packages,
        "PIP_PREFIX": str(folder),
        "PIP_IGNORE_INSTALLED": "1",
        # What the package needs is here already, and pip shall look for nothing elsewhere. (pip
        # reads 0 as "no build isolation".)
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "XDG_CONFIG_HOME": str(folder / "config"),
        "MOSCOW_TASKS_URL": url,
        # As nobody is there to type it.
        "MOSCOW_TASKS_PASSWORD": "password",
    }


def running() -> list[tuple[int, int, str]]:
    """Return each process of this machine that has not ended: its id, its parent's, its command."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "stat=,pid=,ppid=,args="], capture_output=True, text=True, check=True
    )
    lines = [line.split(maxsplit=3) for line in listed.stdout.splitlines()]
    return [
        (int(process), int(parent), command)
        for state, process, parent, command in lines
        if not state.startswith("Z")
    ]


def wait_for(condition: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Return the result of the condition as soon as it is true."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"the condition did not hold within {patience} seconds")


# It polls its queues all the time, so it ends with the tests of this folder.
@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with LocalService(tmp_path_factory.mktemp("local")).run() as service:
        yield service
