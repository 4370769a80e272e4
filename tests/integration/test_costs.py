"""What each operation costs in AWS calls and in DynamoDB's units, exactly.

`make bench-calls` prints the table; docs/scaling.md computes costs from it.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from bench.workload import CREATE, INLINE, RUN, SHOW, SNOOZE, Cost
from tests.aws_calls import Calls
from tests.drivers import Api, Clock, Lambdas, sweep
from tests.integration.tools import OUTAGE, Define, Fail, Finish, message
from tests.meter import Meter

#: `costs("create", Cost(2, 5, 0))`: the operation done since the last reading; returns the cost.
Costs = Callable[[str, Cost], Cost]


@pytest.fixture(scope="module")
def table() -> Iterator[dict[str, Cost]]:
    """The costs by operation; with `-s` they are printed after the last test."""
    table: dict[str, Cost] = {}
    yield table
    lines = [f"{'operation':54}{'AWS calls':>12}{'write units':>14}{'read units':>13}"]
    for operation, cost in table.items():
        lines.append(f"{operation:54}{cost.calls:>12}{cost.writes:>14}{cost.reads:>13g}")
    print("\n\n" + "\n".join(lines))  # noqa: T201  # what `make bench-calls` is for


@pytest.fixture
def meter(calls: Calls, ann: Api) -> Meter:
    return Meter(calls)


@pytest.fixture
def costs(meter: Meter, table: dict[str, Cost]) -> Costs:
    def costs(operation: str, expected: Cost) -> Cost:
        table[operation] = found = Cost(*meter.read())
        assert found == expected, operation
        return found

    return costs


def in_all(*costs: Cost) -> Cost:
    return Cost(*(sum(column) for column in zip(*costs, strict=True)))


def ahead(clock: Clock, **parts: float) -> str:
    return (clock.now + timedelta(**parts)).isoformat()


# -- accounts


def test_an_account_and_its_tokens(api: Api, meter: Meter, costs: Costs) -> None:
    user = {"username": "user", "password": "password"}
    assert api.post("/api/register/", user).status == 201
    costs("register", Cost(2, 6, 2))
    tokens = api.post("/api/token/", user).json
    # The signing keys are read once per container, which was before.
    costs("sign in", Cost(3, 12, 4))
    assert api.post("/api/token/", user | {"password": "wrong"}).status == 401
    costs("sign in with a wrong password", Cost(2, 6, 4))
    assert api.post("/api/token/refresh/", {"refresh": tokens["refresh"]}).status == 200
    costs("refresh", Cost(1, 1, 0))
    assert api.post("/api/token/verify/", {"token": tokens["access"]}).status == 200
    costs("verify", Cost(0, 0, 0))


# -- a task from POST to success


def test_a_sum_costs_at_most_13_write_units_from_post_to_success(
    ann: Api, lambdas: Lambdas, costs: Costs, table: dict[str, Cost]
) -> None:
    task = ann.created()
    created = costs("sum: POST", CREATE)
    lambdas.work(message(ann, task))
    done = costs("sum: its run", RUN)
    assert ann.task(task["id"])["status"] == "success"
    table["sum: from POST to success"] = total = in_all(created, done)
    assert total.writes <= 13


def test_a_sum_that_its_client_waits_for_is_one_call_and_6_write_units(
    ann: Api, costs: Costs
) -> None:
    # The task, its key under its status, and the user.
    assert ann.create(prefer="wait").json["status"] == "success"
    costs("sum: POST with Prefer: wait, to success", INLINE)
    ann.create(prefer="wait", key="once")
    costs("the same with an Idempotency-Key", Cost(1, 8, 0))
    ann.create(prefer="wait", key="once")
    costs("the same again, replayed", Cost(2, 8, 1))


def test_a_30_second_countdown_costs_at_most_15_write_units_from_post_to_success(
    ann: Api, lambdas: Lambdas, clock: Clock, costs: Costs, table: dict[str, Cost]
) -> None:
    task = ann.created("countdown", input_data={"seconds": 30})
    created = costs("countdown of 30 s: POST", CREATE)
    lambdas.work(message(ann, task))
    snoozed = costs("countdown of 30 s: first run, snoozed", SNOOZE)
    clock.advance(seconds=30)
    lambdas.work(message(ann, task))
    done = costs("countdown of 30 s: second run", RUN)
    assert ann.task(task["id"])["status"] == "success"
    table["countdown of 30 s: from POST to success"] = total = in_all(created, snoozed, done)
    assert total.writes <= 15


def test_a_countdown_of_a_day(
    ann: Api, lambdas: Lambdas, clock: Clock, costs: Costs, table: dict[str, Cost]
) -> None:
    task = ann.created("countdown", input_data={"seconds": 86_400})
    created = costs("countdown of a day: POST", Cost(2, 5, 0))
    lambdas.work(message(ann, task))
    snoozed = costs("countdown of a day: first run, snoozed", Cost(3, 4, 0))
    clock.advance(seconds=86_400 - 60)
    lambdas.work(message(ann, task))
    early = costs("countdown of a day: the schedule's message, sent on", Cost(3, 1, 1))
    clock.advance(seconds=60)
    lambdas.work(message(ann, task))
    done = costs("countdown of a day: second run", Cost(2, 8, 0))
    table["countdown of a day: from POST to success"] = in_all(created, snoozed, early, done)


def test_tasks_with_a_time(ann: Api, lambdas: Lambdas, clock: Clock, costs: Costs) -> None:
    ann.created(scheduled_at=ahead(clock, minutes=10))
    costs("in 10 minutes: POST", Cost(4, 8, 0))
    task = ann.created(scheduled_at=ahead(clock, days=1))
    costs("tomorrow: POST", Cost(3, 8, 0))
    clock.advance(days=1)
    lambdas.work(message(ann, task))
    costs("tomorrow: its run", Cost(2, 8, 0))


def test_a_failed_attempt_that_is_retried(
    ann: Api, lambdas: Lambdas, costs: Costs, define: Define, meter: Meter
) -> None:
    def fail() -> None:
        raise OSError

    define(fail)
    task = ann.created("probe", input_data={})
    meter.read()
    lambdas.work(message(ann, task))
    costs("a failed attempt that is retried", Cost(3, 2, 0))


def test_an_idempotency_key(ann: Api, costs: Costs) -> None:
    ann.created(key="once")
    costs("POST with an Idempotency-Key", Cost(2, 7, 0))
    ann.created(key="once")
    costs("POST with the same Idempotency-Key, replayed", Cost(2, 6, 1))


# -- the limit


def test_a_refused_create(ann: Api, clock: Clock, costs: Costs, meter: Meter) -> None:
    for _ in range(5):
        ann.created(scheduled_at=ahead(clock, days=1))
    meter.read()
    assert ann.create().status == 429
    costs("POST of a sixth task, refused", Cost(2, 4, 5))


def test_a_create_that_repairs_the_set_of_active_tasks(
    ann: Api, costs: Costs, meter: Meter
) -> None:
    from chalicelib.models import User

    for _ in range(4):
        ann.created()
    User(f"user#{ann.user_id}", "user").update([User.active.add({"gone"})])
    meter.read()
    ann.created()
    costs("POST of a fifth task that frees a stale slot", Cost(5, 10, 5))


def test_a_cancel(ann: Api, lambdas: Lambdas, clock: Clock, costs: Costs, meter: Meter) -> None:
    immediate = ann.created()
    scheduled = ann.created(scheduled_at=ahead(clock, days=1))
    countdown = ann.created("countdown", input_data={"seconds": 600})
    lambdas.work(message(ann, countdown))
    meter.read()
    ann.post(f"/api/tasks/{immediate['id']}/cancel/")
    costs("cancel", Cost(2, 7, 1))
    ann.post(f"/api/tasks/{immediate['id']}/cancel/")
    costs("cancel once more", Cost(1, 0, 1))
    ann.post(f"/api/tasks/{countdown['id']}/cancel/")
    costs("cancel of a countdown of 10 minutes", Cost(2, 7, 1))
    ann.post(f"/api/tasks/{scheduled['id']}/cancel/")
    costs("cancel of tomorrow's task", Cost(3, 8, 1))
    clock.advance(minutes=3)
    sweep()
    costs("a sweep with its last look at that schedule", Cost(11, 2, 5))


# -- reading


def test_the_detail_of_a_task(ann: Api, lambdas: Lambdas, costs: Costs, meter: Meter) -> None:
    task = ann.created()
    meter.read()
    ann.task(task["id"])
    costs("GET of a task", SHOW)


def test_a_list_without_a_filter(ann: Api, finish: Finish, costs: Costs) -> None:
    finish(ann, 100)
    ann.get("/api/tasks/")
    costs("first page of the list", Cost(1, 0, 2))
    second = ann.get("/api/tasks/").json["next"].removeprefix("http://api.test")
    costs("first page of the list", Cost(1, 0, 2))
    ann.get(second)
    costs("the next page, by its cursor", Cost(2, 0, 3))
    ann.get("/api/tasks/?page=3")
    costs("page 3 of 5, by its number", Cost(3, 0, 6))
    ann.get("/api/tasks/?page=last")
    costs("the last page", Cost(2, 0, 3))


@pytest.mark.parametrize("tasks", [3, 45])
def test_lists_of_one_status_are_at_most_2_calls_however_many_tasks_there_are(
    ann: Api, finish: Finish, costs: Costs, meter: Meter, tasks: int
) -> None:
    finish(ann, tasks)
    ann.created()
    meter.read()
    ann.get("/api/tasks/?status=success")
    # The keys, the user, and each task of the page and the first of the next one.
    costs(f"page of a finished status, {tasks} tasks", Cost(2, 0, 1 + 1 + min(tasks, 21)))
    ann.get("/api/tasks/?status=pending")
    costs("list of the pending tasks, one active", Cost(2, 0, 1 + 1))


# -- sweeps


def test_a_sweep_with_nothing_to_do(ann: Api, costs: Costs) -> None:
    sweep()
    costs("a sweep with nothing to do", Cost(8, 0, 4))


def test_a_sweep_with_a_task_to_rescue(ann: Api, clock: Clock, costs: Costs, meter: Meter) -> None:
    ann.created()
    meter.read()
    clock.advance(minutes=1)
    sweep()
    costs("a sweep that rescues a task", Cost(11, 3, 5))


def test_a_sweep_with_a_scheduled_task_to_rescue(
    ann: Api, clock: Clock, costs: Costs, meter: Meter, fail: Fail
) -> None:
    fail("CreateSchedule", OUTAGE, times=1)
    ann.created(scheduled_at=ahead(clock, days=1))
    meter.read()
    clock.advance(minutes=1)
    sweep()
    costs("a sweep that makes up for a missing schedule", Cost(11, 3, 5))


def test_a_task_among_many_costs_a_sweep_no_more_than_one_alone(
    ann: Api, bob: Api, clock: Clock, costs: Costs, meter: Meter
) -> None:
    tasks: list[Any] = [user.created() for user in (ann, bob) for _ in range(5)]
    meter.read()
    clock.advance(minutes=1)
    sweep()
    # How many shards they are in is up to chance, so calls and reads are.
    cost = Cost(*meter.read())
    assert cost.writes == 3 * len(tasks)
    assert cost.calls <= 8 + 3 * len(tasks)
