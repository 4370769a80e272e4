"""`Prefer: wait`: runs that do not end in the request are left to the worker."""

import signal
from datetime import timedelta
from typing import NoReturn

import pytest

from chalicelib.task_types import Retry, Snooze
from tests.drivers import Api, Clock, Lambdas
from tests.integration.inline import is_finished, is_pending, wait
from tests.integration.tools import (
    Define,
    Rows,
    counters,
    doing,
)


def spin() -> NoReturn:
    while True:
        pass


@pytest.mark.parametrize("error", [OSError(), ValueError(), Retry(timedelta(seconds=5))], ids=repr)
def test_a_run_that_raises_is_left_to_the_worker(
    ann: Api, lambdas: Lambdas, define: Define, rows: Rows, error: Exception
) -> None:
    define(doing(error, "done"), inline=True)
    answer = wait(ann, "probe")
    assert is_pending(answer)
    assert counters(rows, ann) == {"active": 1}
    assert lambdas.work_off() == []
    task = ann.task(answer.json["id"])
    assert (task["status"], task["result"], task["attempts"]) == ("success", "done", 1)


def test_a_run_that_snoozes_is_left_to_the_worker(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define
) -> None:
    define(lambda: Snooze(clock.now), inline=True)
    assert is_pending(wait(ann, "probe"))
    assert len(lambdas.sent()) == 1


def test_a_result_that_is_not_json_is_left_to_the_worker(ann: Api, define: Define) -> None:
    define(object, inline=True)
    assert is_pending(wait(ann, "probe"))


def test_a_run_that_takes_too_long_is_interrupted_and_left_to_the_worker(
    ann: Api, lambdas: Lambdas, define: Define
) -> None:
    define(doing(spin, "done"), inline=True, timeout=0.02)
    answer = wait(ann, "probe")
    assert is_pending(answer)
    assert lambdas.work_off() == []
    assert ann.task(answer.json["id"])["result"] == "done"


@pytest.mark.parametrize(("timeout", "limit"), [(30, 1), (1, 1), (0.5, 0.5)])
def test_a_run_has_the_timeout_of_its_type_but_a_second_at_most(
    ann: Api, define: Define, timeout: float, limit: float
) -> None:
    left: list[float] = []

    def look() -> None:
        left.append(signal.getitimer(signal.ITIMER_REAL)[0])

    define(look, inline=True, timeout=timeout)
    assert is_finished(wait(ann, "probe"))
    assert limit / 2 < left[0] <= limit


def test_the_worker_gives_the_same_type_its_whole_timeout(
    ann: Api, lambdas: Lambdas, define: Define
) -> None:
    left: list[float] = []

    def look() -> None:
        left.append(signal.getitimer(signal.ITIMER_REAL)[0])

    define(look, inline=True, timeout=30)
    ann.created("probe", input_data={})
    lambdas.work_off()
    assert 1 < left[0] <= 30
