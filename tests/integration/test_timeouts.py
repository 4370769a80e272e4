"""A run that takes too long is interrupted and counts as a failed try."""

from typing import Any

from tests.drivers import Api, Clock, Lambdas
from tests.integration.tools import RETRIES_EXHAUSTED, Define, doing, next_try


def spin() -> None:
    while True:
        pass


def test_a_run_that_exceeds_the_timeout_of_its_type_is_a_failed_try(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define, probe: Any
) -> None:
    task = probe()
    define(doing(spin, "done"), timeout=0.05)
    assert lambdas.work_off() == []
    between = ann.task(task["id"])
    assert (between["status"], between["events"][-1]["code"]) == ("started", "timeout")
    assert 10 <= next_try(lambdas, clock) <= 13
    ended = ann.task(task["id"])
    assert (ended["result"], ended["attempts"]) == ("done", 2)


def test_a_run_that_exceeds_its_timeout_in_its_last_try_ends_in_failure(
    ann: Api, lambdas: Lambdas, define: Define, probe: Any
) -> None:
    task = probe()
    define(spin, timeout=0.05, max_tries=1)
    assert lambdas.work_off() == []
    ended = ann.task(task["id"])
    assert ended["error"] == RETRIES_EXHAUSTED
    assert ended["events"][-2]["code"] == "timeout"
    assert lambdas.sent() == []


def test_a_run_that_exceeds_its_timeout_holds_up_no_other_task_of_its_batch(
    ann: Api, lambdas: Lambdas, define: Define, probe: Any
) -> None:
    tasks = [ann.created(), probe(), ann.created()]
    define(spin, timeout=0.05)
    assert lambdas.work_off() == []
    statuses = [ann.task(task["id"])["status"] for task in tasks]
    assert statuses == ["success", "started", "success"]
