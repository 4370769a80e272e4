"""Measures creates with `Prefer: wait`: one call per finished task."""

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

#: As many clients as the peer's bench has, and as many tasks.
CLIENTS, TASKS = 8, 125


def measure(url: str) -> float:
    """Return how many tasks were created and finished per second."""
    clients = [_Client(url) for _ in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as threads:
        begin = time.perf_counter()
        list(threads.map(_Client.run_tasks, clients))
        seconds = time.perf_counter() - begin
    return CLIENTS * TASKS / seconds


class _Client:
    """A new user with a connection that is kept. The standard library's costs the least CPU."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._headers = {"Content-Type": "application/json"}
        user = {"username": f"bench.{uuid4().hex}", "password": uuid4().hex}
        self._post("/api/register/", user)
        access = self._post("/api/token/", user)["access"]
        self._headers |= {"Authorization": f"Bearer {access}", "Prefer": "wait"}

    def run_tasks(self) -> None:
        for number in range(TASKS):
            body = {"task_type": "sum", "input_data": {"values": [number, 2, 3.5]}}
            task = self._post("/api/tasks/", body)
            assert task["status"] == "success", task

    def _post(self, path: str, body: Any) -> Any:
        self._connection.request("POST", path, json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status in (200, 201), (answer.status, text)
        return json.loads(text)
