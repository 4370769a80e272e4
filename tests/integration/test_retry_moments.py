"""When a failed attempt is tried again: the type's `backoff`, or what `Retry` says."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest

from chalicelib.task_types import Retry
from infra.local.loops import OneTimeSchedules
from tests import cloud
from tests.drivers import Api, Clock, Lambdas
from tests.integration.tools import (
    RETRIES_EXHAUSTED,
    Define,
    doing,
    next_try,
    shown,
    sign_in_again,
)


def waits(api: Api, task: dict[str, Any]) -> list[timedelta | None]:
    """Return the pauses that the events of a task show after each failed attempt."""
    sign_in_again(api)
    failed = [one for one in api.task(task["id"])["events"] if one["event"] == "attempt_failed"]
    return [
        one["next_try_at"]
        and datetime.fromisoformat(one["next_try_at"]) - datetime.fromisoformat(one["at"])
        for one in failed
    ]


def test_a_type_says_how_long_the_first_pause_is(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define, probe: Any
) -> None:
    probe()
    define(doing(OSError(), OSError(), "done"), backoff=timedelta(minutes=4))
    lambdas.work_off()
    assert 240 <= next_try(lambdas, clock) <= 300
    assert 480 <= next_try(lambdas, clock) <= 600


def test_a_pause_is_at_most_15_minutes(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define, probe: Any
) -> None:
    task = probe()
    define(doing(OSError(), OSError(), "done"), backoff=timedelta(hours=2))
    lambdas.work_off()
    assert [next_try(lambdas, clock), next_try(lambdas, clock)] == [900, 900]
    sign_in_again(ann)
    assert ann.task(task["id"])["result"] == "done"


@pytest.mark.parametrize(
    ("after", "delay"), [(-5, 0), (0, 0), (0.5, 1), (42, 42), (899.5, 900), (900, 900)]
)
def test_a_retry_chooses_the_moment_of_the_next_try(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define, probe: Any, after: float, delay: int
) -> None:
    task = probe()
    define(doing(Retry(timedelta(seconds=after)), "done"))
    assert lambdas.work_off() == []
    assert next_try(lambdas, clock) == delay
    sign_in_again(ann)
    assert ann.task(task["id"])["result"] == "done"
    assert waits(ann, task) == [timedelta(seconds=after)]


@pytest.mark.parametrize(
    ("retry", "code"),
    [
        (Retry(timedelta(seconds=5)), "retry"),
        (Retry(timedelta(seconds=5), "rate_limited"), "rate_limited"),
    ],
)
def test_the_code_of_a_retry_is_shown(
    ann: Api, lambdas: Lambdas, define: Define, probe: Any, retry: Retry, code: str
) -> None:
    task = probe()
    define(doing(retry))
    lambdas.work_off()
    assert ann.task(task["id"])["events"][-1]["code"] == code


def test_a_retry_counts_as_a_try(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define, probe: Any
) -> None:
    task = probe()
    retry = Retry(timedelta(seconds=5), "busy")
    define(doing(retry, retry), max_tries=2)
    lambdas.work_off()
    next_try(lambdas, clock)
    ended = ann.task(task["id"])
    assert ended["error"] == RETRIES_EXHAUSTED
    assert ended["events"][-2]["code"] == "busy"
    assert waits(ann, task) == [timedelta(seconds=5), None]


def test_a_retry_after_more_than_15_minutes_waits_for_a_schedule(
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    schedules: Callable[[], list[str]],
    define: Define,
    probe: Any,
) -> None:
    task = probe()
    define(doing(Retry(timedelta(minutes=20)), "done"))
    assert lambdas.work_off() == []
    assert lambdas.sent() == []
    assert schedules() == [f"task-{task['id']}-1"]
    aws = OneTimeSchedules(
        boto3.client("scheduler"), boto3.client("sqs"), cloud.ENVIRONMENT["SCHEDULE_GROUP"]
    )
    lambdas.feed()
    clock.advance(minutes=19)
    aws.fire_due(clock.now)
    lambdas.feed()
    clock.advance(minutes=1)
    lambdas.feed()
    sign_in_again(ann)
    ended = ann.task(task["id"])
    assert (ended["result"], ended["attempts"]) == ("done", 2)
    assert ended["finished_at"] == shown(clock.now)
