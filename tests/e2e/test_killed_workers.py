"""Tasks whose workers are killed, as by a machine that runs out of memory."""

import os
import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import LocalService, wait_for
from tests.e2e.test_walk_through import SUM, create

USERS, TASKS_EACH, KILLS = 40, 5, 20
#: A task is taken up again after its lease of 65 s, by a sweeper that comes every 60 s.
PATIENCE = 180


@pytest.fixture
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    with LocalService(tmp_path_factory.mktemp("killed")).run() as service:
        yield service


def test_tasks_end_exactly_once_in_success_though_workers_are_killed(service: LocalService) -> None:
    with ThreadPoolExecutor(8) as threads:
        users = list(threads.map(service.sign_up, [f"user{n}" for n in range(USERS)]))
        creating = [threads.submit(create_tasks, user) for user in users]
        for _ in range(KILLS):
            time.sleep(random.uniform(0.1, 0.8))
            kill_a_worker(service)
        made = [one.result() for one in creating]
    for user, tasks in zip(users, made, strict=True):
        wait_for(partial(has_finished, user), PATIENCE)
        assert count(user) == TASKS_EACH
        for task in tasks:
            assert_ended_once(user.get(f"/api/tasks/{task['id']}/").json())
        # All slots are free.
        create_tasks(user)


def create_tasks(user: httpx.Client) -> list[dict[str, Any]]:
    """Make tasks that run at once, and some that go on after a while."""
    countdown = {"task_type": "countdown", "input_data": {"seconds": random.randint(1, 10)}}
    return [create(user, random.choice([SUM, countdown])) for _ in range(TASKS_EACH)]


def kill_a_worker(service: LocalService) -> None:
    worker = random.choice(wait_for(lambda: list(service.processes("worker"))))
    with suppress(ProcessLookupError):
        os.kill(worker, signal.SIGKILL)


def has_finished(user: httpx.Client) -> bool:
    return count(user, "success") == TASKS_EACH


def count(user: httpx.Client, status: str = "") -> int:
    page: dict[str, int] = user.get("/api/tasks/", params={"status": status}).json()
    return page["count"]


def assert_ended_once(task: dict[str, Any]) -> None:
    expected = 16 if task["task_type"] == "sum" else task["input_data"]
    assert (task["status"], task["result"]) == ("success", expected), task
    events = [event["event"] for event in task["events"]]
    assert (events[0], events[-1]) == ("created", "finished"), task
    assert (events.count("created"), events.count("finished")) == (1, 1), task
    starts = [event["attempt"] for event in task["events"] if event["event"] == "started"]
    assert starts == list(range(1, task["attempts"] + 1)), task
