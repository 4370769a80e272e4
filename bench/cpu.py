"""Measures the CPU time of the service's own code per operation: `make bench-cpu`.

The answers come from moto, whose time is subtracted; sockets and TLS are not part of it.
bench/workload.py keeps the results.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
from chalice import Chalice
from chalice.test import Client
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber

from tests import cloud
from tests.drivers import Api, function, records

ROUNDS = 100
_ENVIRONMENT = cloud.ENVIRONMENT | {
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "POWERTOOLS_METRICS_DISABLED": "true",
}


class Stopwatch:
    """Adds up the CPU time in Lambda functions, without moto's."""

    def __init__(self) -> None:
        self.ms = 0.0

    def timed(self, function: Callable[..., Any], sign: int) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            begin = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.ms += sign * (time.process_time() - begin) * 1000

        return timed

    def measure(self, action: Callable[[], Any]) -> tuple[float, Any]:
        self.ms = 0
        result = action()
        return self.ms, result


def operations(api: Api, stopwatch: Stopwatch) -> dict[str, float]:
    """Do each operation once; return its CPU time in ms."""
    work = stopwatch.timed(function("worker", 60_000), 1)

    def run(task: Any) -> None:
        body = {"user": api.user_id, "task": task["id"], "type": task["task_type"]}
        work({"Records": records([json.dumps(body)])}, None)

    create, task = stopwatch.measure(api.created)
    show, _ = stopwatch.measure(lambda: api.task(task["id"]))
    done, _ = stopwatch.measure(lambda: run(task))
    countdown = api.created("countdown", input_data={"seconds": 30})
    snooze, _ = stopwatch.measure(lambda: run(countdown))
    api.post(f"/api/tasks/{countdown['id']}/cancel/")
    inline, _ = stopwatch.measure(lambda: api.created(prefer="wait"))
    return {"create": create, "show": show, "run": done, "snooze": snooze, "inline": inline}


def measure() -> dict[str, float]:
    """Return the median CPU time of each operation in ms."""
    stopwatch = Stopwatch()
    with (
        mock_aws(),
        patch.object(Chalice, "__call__", stopwatch.timed(Chalice.__call__, 1)),
        patch.object(
            BotocoreStubber, "process_request", stopwatch.timed(BotocoreStubber.process_request, -1)
        ),
    ):
        cloud.create_resources(boto3.Session(region_name=cloud.REGION))
        from app import app
        from tests.integration.tools import new_user

        with Client(app) as client:
            api = new_user(client, "bench")
            rounds = [operations(api, stopwatch) for _ in range(ROUNDS)]
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


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
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {processor()},", end=" ")
    print(f"Python {platform.python_version()}")
    for name, ms in measure().items():
        print(f"{name:10}{ms:6.1f} ms")
    print(f"{'resident':10}{resident():6} MB")


def processor() -> str:
    """Return the name of the processor, where Linux tells it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown processor"


if __name__ == "__main__":
    main()
