"""What each operation costs in AWS calls and in DynamoDB's units, exactly.

`make bench-calls` prints the table; docs/operations.md computes prices from it.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.aws_calls import Calls
from tests.drivers import Api, Clock, Lambdas, sweep
from tests.integration.tools import message, minutes_pass, sign_in_again
from tests.meter import Meter

Reading = tuple[int, int, int]


@pytest.fixture
def meter(calls: Calls, ann: Api) -> Meter:
    return Meter(calls)


@pytest.fixture
def costs(meter: Meter) -> Callable[..., None]:
    """`costs("create", calls=2, writes=5, reads=0)`: what was done since the last reading."""

    def costs(operation: str, **expected: int) -> None:
        found = dict(zip(("calls", "writes", "reads"), meter.read(), strict=True))
        columns = "".join(f"{found[name]:>12}" for name in found)
        print(f"\n{operation:44}{columns}", end="")  # noqa: T201  # what `make bench-calls` is for
        assert found == expected

    return costs


def ahead(clock: Clock, **parts: float) -> str:
    return (clock.now + timedelta(**parts)).isoformat()


def test_a_sum_costs_13_write_units_from_post_to_success(
    ann: Api, lambdas: Lambdas, costs: Any, meter: Meter
) -> None:
    task = ann.created()
    costs("sum: POST", calls=2, writes=5, reads=0)
    lambdas.work(message(ann, task))
    costs("sum: worker", calls=2, writes=8, reads=0)
    assert ann.task(task["id"])["status"] == "success"
    costs("sum: GET", calls=1, writes=0, reads=1)


def test_a_30_second_countdown_costs_15_write_units(
    ann: Api, lambdas: Lambdas, clock: Clock, costs: Any
) -> None:
    task = ann.created("countdown", input_data={"seconds": 30})
    costs("countdown of 30 s: POST", calls=2, writes=5, reads=0)
    lambdas.work(message(ann, task))
    costs("countdown of 30 s: first run", calls=3, writes=2, reads=0)
    clock.advance(seconds=30)
    lambdas.work(message(ann, task))
    costs("countdown of 30 s: second run", calls=2, writes=8, reads=0)
    assert ann.task(task["id"])["status"] == "success"


def test_a_countdown_of_a_day(ann: Api, lambdas: Lambdas, clock: Clock, costs: Any) -> None:
    task = ann.created("countdown", input_data={"seconds": 86_400})
    costs("countdown of a day: POST", calls=2, writes=5, reads=0)
    lambdas.work(message(ann, task))
    costs("countdown of a day: first run", calls=3, writes=4, reads=0)
    clock.advance(seconds=86_400 - 60)
    lambdas.work(message(ann, task))
    costs("countdown of a day: message from the schedule", calls=3, writes=1, reads=1)
    clock.advance(seconds=60)
    lambdas.work(message(ann, task))
    costs("countdown of a day: second run", calls=2, writes=8, reads=0)


def test_tasks_with_a_time(ann: Api, lambdas: Lambdas, clock: Clock, costs: Any) -> None:
    ann.created(scheduled_at=ahead(clock, minutes=10))
    costs("in 10 minutes: POST", calls=4, writes=8, reads=0)
    task = ann.created(scheduled_at=ahead(clock, days=1))
    costs("tomorrow: POST", calls=3, writes=8, reads=0)
    clock.advance(days=1)
    lambdas.work(message(ann, task))
    costs("tomorrow: worker", calls=2, writes=8, reads=0)


def test_an_idempotency_key(ann: Api, costs: Any) -> None:
    ann.created(key="once")
    costs("POST with an Idempotency-Key", calls=2, writes=7, reads=0)
    ann.created(key="once")
    costs("the same again", calls=2, writes=6, reads=1)


def test_a_refused_create(ann: Api, clock: Clock, costs: Any, meter: Meter) -> None:
    for _ in range(5):
        ann.created(scheduled_at=ahead(clock, days=1))
    meter.read()
    assert ann.create().status == 429
    costs("a sixth task: POST", calls=2, writes=4, reads=5)


def test_a_cancel(ann: Api, lambdas: Lambdas, clock: Clock, costs: Any, meter: Meter) -> None:
    immediate = ann.created()
    scheduled = ann.created(scheduled_at=ahead(clock, days=1))
    countdown = ann.created("countdown", input_data={"seconds": 600})
    lambdas.work(message(ann, countdown))
    meter.read()
    ann.post(f"/api/tasks/{immediate['id']}/cancel/")
    costs("cancel", calls=2, writes=7, reads=1)
    ann.post(f"/api/tasks/{countdown['id']}/cancel/")
    costs("cancel: a countdown of 10 minutes", calls=2, writes=7, reads=1)
    ann.post(f"/api/tasks/{scheduled['id']}/cancel/")
    costs("cancel: tomorrow's task", calls=3, writes=8, reads=1)
    clock.advance(minutes=3)
    sweep()
    costs("cancel: the sweeper's last look at its schedule", calls=11, writes=2, reads=9)


def test_a_failed_attempt_that_is_retried(
    ann: Api, lambdas: Lambdas, clock: Clock, costs: Any, define: Any, meter: Meter
) -> None:
    def fail() -> None:
        raise OSError

    define(fail)
    task = ann.created("probe", input_data={})
    meter.read()
    lambdas.work(message(ann, task))
    costs("a failed attempt", calls=3, writes=2, reads=0)


@pytest.mark.parametrize("tasks", [3, 45])
def test_lists_cost_the_same_however_many_tasks_there_are(
    ann: Api, lambdas: Lambdas, costs: Any, meter: Meter, tasks: int
) -> None:
    for _ in range(tasks):
        lambdas.work(message(ann, ann.created()))
    active = ann.created()
    meter.read()
    shown = min(tasks, 21)
    ann.get("/api/tasks/")
    _, _, reads = meter.read()
    assert reads <= 4
    ann.get("/api/tasks/?status=success")
    costs(f"page of a status, {tasks} tasks", calls=2, writes=0, reads=1 + 1 + shown)
    ann.get("/api/tasks/?status=pending")
    costs("the active tasks", calls=2, writes=0, reads=2)
    assert active


def test_a_sweep(ann: Api, lambdas: Lambdas, clock: Clock, costs: Any, meter: Meter) -> None:
    sweep()
    costs("a sweep with nothing to do", calls=8, writes=0, reads=8)
    ann.created()
    meter.read()
    clock.advance(minutes=1)
    sweep()
    costs("a sweep with a task to rescue", calls=11, writes=3, reads=9)
    minutes_pass(clock, 1)
    sign_in_again(ann)
