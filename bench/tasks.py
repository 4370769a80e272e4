"""Measures how fast a running service is: `make run` in one terminal, `make bench` in another.

Prints the results beside those of the last run, which it keeps in build/bench.json.
"""

import argparse
import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

RESULTS = Path("build/bench.json")
SUM = {"task_type": "sum", "input_data": {"values": [1, 2, 3, 10]}}


def user(url: str) -> httpx.Client:
    """Return an HTTP client of a new user."""
    credentials = {"username": f"bench.{uuid4().hex}", "password": "a long password"}
    httpx.post(f"{url}/api/register/", json=credentials).raise_for_status()
    token = httpx.post(f"{url}/api/token/", json=credentials).raise_for_status().json()["access"]
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60)


def run_tasks(client: httpx.Client, number: int) -> list[dict[str, float]]:
    """Run tasks one after the other; return the times of each in ms."""
    return [run_task(client) for _ in range(number)]


def run_task(client: httpx.Client) -> dict[str, float]:
    begin = time.perf_counter()
    path = client.post("/api/tasks/", json=SUM).raise_for_status().headers["Location"]
    created = time.perf_counter()
    while True:
        asked = time.perf_counter()
        task: dict[str, Any] = client.get(path).raise_for_status().json()
        answered = time.perf_counter()
        if task["finished_at"]:
            break
        time.sleep(0.005)
    started = datetime.fromisoformat(task["started_at"])
    waited = started - datetime.fromisoformat(task["created_at"])
    return {
        "create": (created - begin) * 1000,
        "show": (answered - asked) * 1000,
        "created to started": waited.total_seconds() * 1000,
        "created to seen done": (answered - begin) * 1000,
    }


def run_inline_tasks(client: httpx.Client, number: int) -> list[float]:
    """Create tasks that are finished in their answers; return the time of each in ms."""
    return [run_inline_task(client) for _ in range(number)]


def run_inline_task(client: httpx.Client) -> float:
    begin = time.perf_counter()
    answer = client.post("/api/tasks/", json=SUM, headers={"Prefer": "wait"}).raise_for_status()
    answered = time.perf_counter()
    assert answer.json()["finished_at"], answer.text
    return (answered - begin) * 1000


def measure(url: str, users: int, number: int) -> dict[str, float]:
    clients, numbers = [user(url) for _ in range(users)], [number] * users
    with ThreadPoolExecutor(users) as threads:
        begin = time.perf_counter()
        samples = [*chain.from_iterable(threads.map(run_tasks, clients, numbers))]
        seconds = time.perf_counter() - begin
        inline = [*chain.from_iterable(threads.map(run_inline_tasks, clients, numbers))]
    times = {name: [sample[name] for sample in samples] for name in samples[0]}
    times["created and finished in one call"] = inline
    results = {"tasks per second": len(samples) / seconds}
    for name, values in times.items():
        values.sort()
        results[f"{name}, p50 ms"] = statistics.median(values)
        results[f"{name}, p99 ms"] = values[int(len(values) * 0.99)]
    return results


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--url", default="http://localhost:8000")
    parser.add_argument("--users", type=int, default=8)
    parser.add_argument("--tasks", type=int, default=50, help="per user")
    arguments = parser.parse_args()
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results = measure(arguments.url, arguments.users, arguments.tasks)
    print(f"{'':42}{'before':>10}{'now':>10}")
    for name, value in results.items():
        old = f"{before[name]:10.1f}" if name in before else f"{'-':>10}"
        print(f"{name:42}{old}{value:10.1f}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
