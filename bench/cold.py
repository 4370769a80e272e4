"""Measures how long a new container takes to its first answer: `make bench-cold`.

A fresh process has what Lambda gives it: the deployment zip and the runtime's own packages. Beside
it runs one that only makes a GetItem with botocore. A server in this process answers for AWS. As on
Lambda, nobody can write next to the code, so what the zip has uncompiled is compiled each time. The
results are written to docs/cold-start.md.
"""

import argparse
import compileall
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

from bench import machine
from tests import cloud
from tests.drivers import records

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "cold-start.md"
#: What Lambda's runtime has besides Python.
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
USER, TASK = "00000000-0000-4000-8000-000000000000", "019c1d94-8a80-7000-8000-000000000000"

# A process ends with its answer: Lambda does not take a container down after the first one.
BARE = """
import os
from botocore.session import get_session
client = get_session().create_client("dynamodb")
client.get_item(TableName="t", Key={"pk": {"S": "pk"}, "sk": {"S": "sk"}})
os._exit(0)
"""
LAMBDA = """
import json, os, sys
from types import SimpleNamespace
import app
context = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
answer = getattr(app, sys.argv[1])(json.loads(sys.argv[2]), context)
assert not answer or answer.get("statusCode") == 200 or answer == {"batchItemFailures": []}, answer
os._exit(0)
"""


class Start(NamedTuple):
    """What a process does until its first answer."""

    name: str
    script: str
    #: What its time is to be at most, as a multiple of the bare process's.
    aim: float
    function: str = ""
    event: Any = None


class Cost(NamedTuple):
    """What that takes, in ms."""

    time: float
    cpu: float


class FakeAws(BaseHTTPRequestHandler):
    """Answers each operation with the same answer."""

    protocol_version = "HTTP/1.1"
    # Or the body of each answer but the first would wait for an acknowledgement, for 40 ms.
    disable_nagle_algorithm = True
    answers: dict[str, Any]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.answers[self.headers["X-Amz-Target"].rpartition(".")[2]]
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-cold", description=__doc__)
    parser.add_argument("package", type=Path, help="the deployment zip")
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeAws)
    Thread(target=server.serve_forever, daemon=True).start()
    os.environ |= cloud.ENVIRONMENT
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "POWERTOOLS_METRICS_DISABLED": "true",
    }
    FakeAws.answers = {"GetSecretValue": {"SecretString": json.dumps(cloud.SIGNING_KEYS)}}
    FakeAws.answers |= _rows()
    starts = [
        Start("bare GetItem", BARE, 1),
        Start("API: a detail", LAMBDA, 1.5, "app", _request()),
        Start("worker: a message", LAMBDA, 1.3, "work", {"Records": records([_message()])}),
        Start("sweeper: a sweep", LAMBDA, 1.3, "sweep", _TICK),
    ]
    with tempfile.TemporaryDirectory() as folder:
        paths = _unpack(arguments.package, Path(folder))
        table = render(starts, _measure(starts, paths, arguments.rounds))
    print(table)
    DOCUMENT.write_text(_document(table, arguments.rounds))


def render(starts: list[Start], costs: list[Cost]) -> str:
    """Return the costs as a table in Markdown; those of the bare process come first."""
    lines = [
        "| | time | ratio | CPU time | ratio | aim |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    bare = costs[0]
    for start, cost in zip(starts, costs, strict=True):
        ratio = cost.time / bare.time
        mark = "" if ratio <= start.aim else " (missed)"
        lines.append(
            f"| {start.name} | {cost.time:.0f} ms | {ratio:.2f} "
            f"| {cost.cpu:.0f} ms | {cost.cpu / bare.cpu:.2f} | {start.aim}{mark} |"
        )
    return "\n".join(lines)


def _document(table: str, rounds: int) -> str:
    return f"""# Cold start

How long a new container takes to its first answer. Each is a fresh process with what Lambda gives
it, the deployment zip and the packages of the runtime; all AWS services answer at once. The bare
process has botocore alone and makes one GetItem: what is above 1 is ours. `make bench-cold` writes
this page: medians of {rounds} rounds. Compare the ratios: the times are the machine's, which may
have had other work.

{machine.describe()}:

{table}
"""


def _rows() -> dict[str, Any]:
    """Return the answers about one task, which is pending and then taken up."""
    from chalicelib.models import Task

    now = datetime.now(UTC)
    task = Task.new(
        USER, TASK, task_type="sum", input_data='{"values":[1]}', scheduled_at=None, now=now
    )
    pending = task.serialize()
    task.status, task.lease_id, task.started_at = "started", "lease", now
    task.attempts = task.attempts_since_progress = 1
    return {
        "GetItem": {"Item": pending},
        "UpdateItem": {"Attributes": task.serialize()},
        "TransactWriteItems": {},
        "Query": {"Items": [], "Count": 0, "ScannedCount": 0},
    }


def _message() -> str:
    return json.dumps({"user": USER, "task": TASK, "type": "sum"})


def _request() -> dict[str, Any]:
    from chalice.local import LambdaEventConverter, RouteMatcher

    from app import app
    from chalicelib import security

    # The clock of a container may be behind.
    token = security.issue_token(security.ACCESS, USER, datetime.now(UTC) - timedelta(seconds=1))
    events = LambdaEventConverter(RouteMatcher(list(app.routes)))
    headers = {"authorization": f"Bearer {token}", "host": "localhost"}
    event: dict[str, Any] = events.create_lambda_event("GET", f"/api/tasks/{TASK}", headers)
    return event


_TICK = {
    **dict.fromkeys(("version", "id", "account", "region", "time", "source"), ""),
    "detail-type": "Scheduled Event",
    "detail": {},
    "resources": [],
}


def _unpack(package: Path, folder: Path) -> list[Path]:
    """Return the folders that Lambda imports from: of the zip, and of the runtime."""
    code, runtime = folder / "code", folder / "runtime"
    runtime.mkdir()
    with zipfile.ZipFile(package) as archive:
        archive.extractall(code)
    for name in RUNTIME:
        spec = find_spec(name)
        assert spec
        assert spec.origin
        source = Path(spec.origin)
        source = source.parent if source.name == "__init__.py" else source
        (runtime / source.name).symlink_to(source)
        # As Lambda's runtime has them.
        compile_all = compileall.compile_dir if source.is_dir() else compileall.compile_file
        compile_all(source, quiet=1)
    return [code, runtime]


def _measure(starts: list[Start], paths: list[Path], rounds: int) -> list[Cost]:
    """Return the median of each, after one round that fills the caches."""
    costs = [[_run(start, paths) for start in starts] for _ in range(rounds + 1)][1:]
    return [
        Cost(*map(statistics.median, zip(*of_one, strict=True)))
        for of_one in zip(*costs, strict=True)
    ]


def _run(start: Start, paths: list[Path]) -> Cost:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "_HANDLER": f"app.{start.function}",
    }
    event = json.dumps(start.event)
    command = [sys.executable, "-S", "-P", "-c", start.script, start.function, event]
    begin = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{start.name} failed; see above.")
    return Cost(wall * 1000, (used.ru_utime + used.ru_stime) * 1000)


if __name__ == "__main__":
    main()
