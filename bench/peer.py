"""Measures `make run` beside a peer, a service of the same contract: `make bench-peer PEER=folder`.

The folder has `run.sh start|stop`, which takes its ports from the environment, and
`bench.py URL`, which measures either service and prints its results as JSON. Both services run all
the time and are measured in turns, so that whatever else the machine does slows both. The medians
of the rounds are compared and written to docs/benchmarks.md.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench import inline, machine
from infra.local.cloud import free_port

ROOT = Path(__file__).parents[1]
COPY = ROOT / "build" / "peer"
DATA = ROOT / "build" / "peer-data"
DOCUMENT = ROOT / "docs" / "benchmarks.md"
#: How long a service may take to start, in seconds; a peer installs itself first.
PATIENCE = 60

Results = dict[str, Any]


class Row(NamedTuple):
    """One line of the comparison."""

    name: str
    unit: str
    #: What we are to reach, as a multiple of the peer.
    aim: float
    ours: Callable[[Results], float]
    theirs: Callable[[Results], float] | None = None
    #: Whether less is better.
    is_time: bool = False

    def ratio(self, ours: list[Results], theirs: list[Results]) -> tuple[float, float, float]:
        """Return the median of ours, that of the peer, and how they compare."""
        mine = statistics.median(map(self.ours, ours))
        other = statistics.median(map(self.theirs or self.ours, theirs))
        return mine, other, mine / other

    def is_reached(self, ratio: float) -> bool:
        return ratio <= self.aim if self.is_time else ratio >= self.aim


def _rate(phase: str) -> Callable[[Results], float]:
    return lambda results: float(results[phase]["per_s"])


def _finished(results: Results) -> float:
    return float(results["create"]["finished_per_s"])


def _inline(results: Results) -> float:
    return float(results["inline"])


ROWS = (
    Row("register", "per s", 5, _rate("register")),
    Row("token", "per s", 5, _rate("token")),
    Row("create", "per s", 1.25, _rate("create")),
    Row("created and finished", "per s", 1.5, _finished),
    Row("created and finished, with `Prefer: wait`", "per s", 3, _inline, _finished),
    Row("detail", "per s", 1.25, _rate("detail")),
    Row("list", "per s", 1.25, _rate("list")),
    Row(
        "POST to success, p50",
        "ms",
        1,
        lambda results: float(results["end_to_end"]["p50_ms"]),
        is_time=True,
    ),
)


def main() -> None:
    arguments = _arguments()
    ours: list[Results] = []
    theirs: list[Results] = []
    with _peer(arguments.peer) as their_url, _service() as our_url:
        for number in range(arguments.rounds):
            print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr, flush=True)
            theirs.append(_measure(their_url))
            ours.append(_measure(our_url) | {"inline": inline.measure(our_url)})
    table = render(ours, theirs)
    print(table)
    DOCUMENT.write_text(_document(table, arguments.rounds))


def render(ours: list[Results], theirs: list[Results]) -> str:
    """Return the comparison as a table in Markdown."""
    lines = ["| | `make run` | peer | ratio | aim |", "| --- | ---: | ---: | ---: | ---: |"]
    for row in ROWS:
        mine, other, ratio = row.ratio(ours, theirs)
        aim = f"{'at most' if row.is_time else 'at least'} {row.aim}"
        mark = "" if row.is_reached(ratio) else " (missed)"
        lines.append(
            f"| {row.name} | {mine:.1f} {row.unit} | {other:.1f} {row.unit} "
            f"| {ratio:.2f} | {aim}{mark} |"
        )
    return "\n".join(lines)


def _document(table: str, rounds: int) -> str:
    return f"""# Benchmarks

`make run` beside a Django, REST framework, Celery, Redis and PostgreSQL service of the same
contract, on one machine. `make bench-peer PEER=<folder>` measures both in turns, {rounds} times,
and writes this page. Compare the ratios: the rates are the machine's, which may have had other
work. The peer has no `Prefer: wait`; that row compares one call with its create and wait.

{machine.describe()}:

{table}
"""


def _measure(url: str) -> Results:
    command = [sys.executable, str(COPY / "bench.py"), url]
    results: Results = json.loads(subprocess.check_output(command))
    return results


@contextmanager
def _peer(folder: Path) -> Iterator[str]:
    """Run a copy of the peer, which may write into its folder; yield its URL."""
    shutil.copytree(folder, COPY, dirs_exist_ok=True)
    names = ("PEER_PORT", "PEER_DB_PORT", "PEER_REDIS_PORT")
    ports = {name: str(free_port()) for name in names}
    run = [str(COPY / "run.sh")]
    subprocess.run([*run, "start"], env=os.environ | ports, check=True)
    try:
        yield f"http://127.0.0.1:{ports['PEER_PORT']}"
    finally:
        subprocess.run([*run, "stop"], env=os.environ | ports, check=True)


@contextmanager
def _service() -> Iterator[str]:
    """Run the service with new data; yield its URL."""
    shutil.rmtree(DATA, ignore_errors=True)
    port = str(free_port())
    command = [sys.executable, "-m", "infra.local", "--port", port, "--data", str(DATA)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(f"{url}/api/health/")
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-peer", description=__doc__)
    parser.add_argument("peer", type=Path, help="the folder of the peer")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
