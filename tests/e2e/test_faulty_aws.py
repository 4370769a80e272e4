"""The service in front of an AWS that throttles, fails, hangs and cuts connections."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from infra.local.cloud import cloud, free_port
from tests.e2e.conftest import CLOUD, LocalService, clean_environment, wait_for
from tests.e2e.test_walk_through import SUM, in_moscow

USERS = 8
#: How long AWS is faulty, in seconds.
FAULTY = 120
#: A lease ends after 65 s; then a message, or a sweep every 60 s, takes the task up again.
PATIENCE = 240

#: The first rule that matches a request applies. An answer that is aborted belongs to a call that
#: took effect.
RULES = [
    {"service": service, "probability": probability, **fault}
    for service, throttled in {
        "dynamodb": "ProvisionedThroughputExceededException",
        "sqs": "ThrottlingException",
        "scheduler": "ThrottlingException",
        "secretsmanager": "ThrottlingException",
    }.items()
    for probability, fault in (
        (0.05, {"error": {"code": throttled}}),
        (0.05, {"error": {"code": "InternalServerError", "status": 500}}),
        (0.02, {"reset": True}),
        (0.03, {"response": {"abort_frac": 0.3}}),
        (0.005, {"timeout_ms": 6000}),
        (0.2, {"latency": {"min": 10, "max": 200}}),
    )
]

#: What each request may be answered; 503 says that AWS is at fault.
CREATED, CANCELLED, READ = {201, 429, 503}, {200, 409, 503}, {200, 503}


class Proxy:
    """microburst between the service and its AWS."""

    def __init__(self, upstream: str) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "microburst", "--upstream", upstream),
                *("--port", self.url.rsplit(":", 1)[1]),
            ],
            env=clean_environment(),
            stderr=subprocess.DEVNULL,
        )
        wait_for(self._answers)

    def set_rules(self, rules: list[dict[str, Any]]) -> None:
        answer = httpx.post(f"{self.url}/_microburst/rules", json=rules)
        assert answer.status_code == 200, answer.text

    def faults(self) -> int:
        stats: dict[str, dict[str, int]] = httpx.get(f"{self.url}/_microburst/stats").json()
        return stats["requests"]["faulted"]

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/_microburst/health").is_success
        except httpx.TransportError:
            return False


@dataclass
class Owner:
    """A user, and what the service has promised them."""

    http: httpx.Client
    created: list[str] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)

    def use_service(self, until: float) -> None:
        while time.monotonic() < until:
            random.choice([self.create, self.create, self.cancel, self.read])()

    def create(self) -> None:
        countdown = {"task_type": "countdown", "input_data": {"seconds": random.randint(0, 5)}}
        soon = SUM | {"scheduled_at": in_moscow(seconds=random.randint(2, 8))}
        answer = self.http.post("/api/tasks/", json=random.choice([SUM, countdown, soon]))
        if check(answer, CREATED) == 201:
            self.created.append(answer.json()["id"])

    def cancel(self) -> None:
        if self.created:
            task_id = random.choice(self.created[-5:])
            if check(self.http.post(f"/api/tasks/{task_id}/cancel/"), CANCELLED) == 200:
                self.cancelled.add(task_id)

    def read(self) -> None:
        check(self.http.get("/api/tasks/"), READ)
        for task_id in self.created[-1:]:
            check(self.http.get(f"/api/tasks/{task_id}/"), READ)

    def is_idle(self) -> bool:
        return self.count("pending") + self.count("started") == 0

    def count(self, status: str) -> int:
        page: dict[str, int] = self.http.get("/api/tasks/", params={"status": status}).json()
        return page["count"]


@pytest.fixture
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with cloud(CLOUD, tmp_path_factory.mktemp("aws")) as endpoint:
        proxy = Proxy(endpoint)
        try:
            yield proxy
        finally:
            proxy.stop()


@pytest.fixture
def service(proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    service = LocalService(tmp_path_factory.mktemp("faulty"), proxy.url)
    # The proxy reads the models of all AWS services at its first request.
    with service.run(patience=90):
        yield service


def test_every_promise_is_kept_though_aws_is_faulty(proxy: Proxy, service: LocalService) -> None:
    owners = [Owner(service.sign_up(f"user{n}")) for n in range(USERS)]
    proxy.set_rules(RULES)
    until = time.monotonic() + FAULTY
    with ThreadPoolExecutor(USERS) as threads:
        for done in [threads.submit(owner.use_service, until) for owner in owners]:
            done.result()
    assert proxy.faults() > 100
    proxy.set_rules([])

    for owner in owners:
        wait_for(owner.is_idle, PATIENCE)
        assert owner.created
        for task_id in owner.created:
            assert_ended_once(owner, owner.http.get(f"/api/tasks/{task_id}/").json())
        assert_counts_agree(owner)
        # All slots are free.
        later = SUM | {"scheduled_at": in_moscow(days=1)}
        answers = [owner.http.post("/api/tasks/", json=later) for _ in range(5)]
        assert {answer.status_code for answer in answers} == {201}


def check(answer: httpx.Response, allowed: set[int]) -> int:
    """Return the status of an answer that is the contract's."""
    assert answer.status_code in allowed, answer.text
    body = answer.json()
    if answer.status_code == 503:
        assert (body["code"], answer.headers["Retry-After"]) == ("unavailable", "1"), answer.text
    return answer.status_code


def assert_ended_once(owner: Owner, task: dict[str, Any]) -> None:
    ends = [one["event"] for one in task["events"] if one["event"] in ("finished", "cancelled")]
    assert len(ends) == 1, task
    if task["id"] in owner.cancelled:
        assert task["status"] == "cancelled", task
    assert task["status"] in ("success", "cancelled"), task


def assert_counts_agree(owner: Owner) -> None:
    listed: list[str] = []
    page: dict[str, Any] = {"next": "/api/tasks/"}
    while page["next"]:
        page = owner.http.get(page["next"]).json()
        listed += [task["id"] for task in page["results"]]
    assert len(listed) == len(set(listed)) == page["count"]
    assert set(owner.created) <= set(listed)
    assert owner.count("success") + owner.count("cancelled") == len(listed)
