"""Measures the CPU time of each route and of a worked message: `make bench-cpu`.

The answers come from moto, whose time is left out; sockets and TLS are not part of it. Rounds of
their own, under a profiler, tell whose time it is. bench/workload.py keeps some of the results.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from cProfile import Profile
from typing import Any, Protocol
from unittest.mock import patch

import boto3
from chalice import Chalice
from chalice.test import Client
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber

from bench import machine
from bench.layers import BOTOCORE, LIBRARIES, OURS, shares
from tests import cloud
from tests.drivers import Api, function, records

#: How often each operation is measured: in so many clouds, so many times.
CLOUDS, ROUNDS = int(os.environ.get("CLOUDS", 10)), 10
#: Tasks in the lists that are measured: more than a page.
LISTED = 21

_ENVIRONMENT = cloud.ENVIRONMENT | {
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "POWERTOOLS_METRICS_DISABLED": "true",
    "REGISTRATIONS_PER_HOUR": "0",
}

Function = Callable[..., Any]
#: `measure("show", action)`: do something, note its time, and return what it returns.
Measure = Callable[[str, Callable[[], Any]], Any]


class Meter(Protocol):
    """Measures the operations, by their names."""

    def begin(self, operation: str) -> None:
        """Name what is measured from now on."""

    def counted(self, function: Function) -> Function:
        """Return a function that is measured."""

    def left_out(self, function: Function) -> Function:
        """Return a function that is not, though a measured one calls it."""


class Stopwatch:
    """Notes the CPU time of each run of an operation, in ms."""

    def __init__(self) -> None:
        self.ms: dict[str, list[float]] = defaultdict(list)

    def begin(self, operation: str) -> None:
        self._runs = self.ms[operation]
        self._runs.append(0)

    def counted(self, function: Function) -> Function:
        return self._timed(function, 1)

    def left_out(self, function: Function) -> Function:
        return self._timed(function, -1)

    def _timed(self, function: Function, sign: int) -> Function:
        def timed(*args: Any, **kwargs: Any) -> Any:
            begin = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                self._runs[-1] += sign * (time.thread_time() - begin) * 1000

        return timed


class Profiler:
    """Keeps a profile of each operation."""

    def __init__(self) -> None:
        self.profiles: dict[str, Profile] = defaultdict(Profile)

    def begin(self, operation: str) -> None:
        self._profile = self.profiles[operation]

    def counted(self, function: Function) -> Function:
        def counted(*args: Any, **kwargs: Any) -> Any:
            with self._profile:
                return function(*args, **kwargs)

        return counted

    def left_out(self, function: Function) -> Function:
        def left_out(*args: Any, **kwargs: Any) -> Any:
            self._profile.disable()
            try:
                return function(*args, **kwargs)
            finally:
                self._profile.enable()

        return left_out


def use(meter: Meter) -> None:
    """Do every operation many times."""
    process_request = meter.left_out(BotocoreStubber.process_request)
    with (
        patch.object(Chalice, "__call__", meter.counted(Chalice.__call__)),
        patch.object(BotocoreStubber, "process_request", process_request),
    ):
        # moto copies all rows in each transaction, so they must not become many.
        for _ in range(CLOUDS):
            with mock_aws():
                _use_cloud(meter)


def _use_cloud(meter: Meter) -> None:
    def measure(operation: str, action: Callable[[], Any]) -> Any:
        meter.begin(operation)
        result = action()
        meter.begin("")
        return result

    meter.begin("")
    cloud.create_resources(boto3.Session(region_name=cloud.REGION))
    from app import app
    from tests.integration.tools import new_user

    work = meter.counted(function("worker", 60_000))
    with Client(app) as client:
        api = new_user(client, "bench")
        for _ in range(LISTED):
            api.created(prefer="wait")
        for number in range(ROUNDS):
            use_tasks(api, work, measure)
            use_account(Api(client), f"user-{number}", measure)


def use_tasks(api: Api, work: Callable[..., Any], measure: Measure) -> None:
    """Do each operation on tasks once."""

    def run(task: Any) -> None:
        body = {"user": api.user_id, "task": task["id"], "type": task["task_type"]}
        work({"Records": records([json.dumps(body)])}, None)

    task = measure("create", api.created)
    measure("list of a status, pending", lambda: api.get("/api/tasks/?status=pending"))
    measure("run", lambda: run(task))
    measure("show", lambda: api.task(task["id"]))
    countdown = api.created("countdown", input_data={"seconds": 30})
    measure("snooze", lambda: run(countdown))
    measure("cancel", lambda: api.post(f"/api/tasks/{countdown['id']}/cancel/"))
    measure("inline", lambda: api.created(prefer="wait"))
    measure("list", lambda: api.get("/api/tasks/"))
    measure("list of a status, success", lambda: api.get("/api/tasks/?status=success"))
    measure("list, last page", lambda: api.get("/api/tasks/?page=last"))
    measure("task types", lambda: api.get("/api/task-types/"))
    measure("openapi.json", lambda: api.get("/api/openapi.json"))
    measure("health", lambda: api.get("/api/health/"))


def use_account(api: Api, username: str, measure: Measure) -> None:
    """Do each operation on an account once. Register and token are a password's hash, above all."""
    user = {"username": username, "password": "a long password"}
    measure("register", lambda: api.post("/api/register/", user))
    tokens = measure("token", lambda: api.post("/api/token/", user)).json
    measure("verify", lambda: api.post("/api/token/verify/", {"token": tokens["access"]}))
    refresh = {"refresh": tokens["refresh"]}
    tokens = measure("refresh", lambda: api.post("/api/token/refresh/", refresh)).json
    refresh = {"refresh": tokens["refresh"]}
    measure("blacklist", lambda: api.post("/api/token/blacklist/", refresh))


def resident() -> int:
    """Return the MB of a new process that has imported the service and made its clients."""
    code = "import app; from chalicelib import dispatch; dispatch._sqs(); dispatch._scheduler()\n"
    # Unlike getrusage, this knows nothing of the process that started it.
    code += "print(*[line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line])"
    command = [sys.executable, "-c", code]
    kilobytes = subprocess.check_output(command, env=os.environ | _ENVIRONMENT, text=True)
    return int(kilobytes) // 1024


def main() -> None:
    os.environ |= _ENVIRONMENT
    stopwatch, profiler = Stopwatch(), Profiler()
    use(stopwatch)
    use(profiler)
    print(machine.describe())
    layers = (OURS, LIBRARIES, BOTOCORE)
    print(f"{'CPU in ms':28}{'p50':>9}{'p99':>9}   of p50:" + "".join(f"{x:>11}" for x in layers))
    for operation, ms in stopwatch.ms.items():
        if not operation:
            continue
        p50, p99 = statistics.median(ms), statistics.quantiles(ms, n=100)[-1]
        parts = shares(profiler.profiles[operation])
        split = "".join(f"{p50 * parts[layer]:11.2f}" for layer in layers)
        print(f"{operation:28}{p50:9.2f}{p99:9.2f}          {split}")
    print(f"{'resident':28}{resident():6} MB")


if __name__ == "__main__":
    main()
