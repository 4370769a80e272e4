"""What a user's requests cost does not grow with the number of the user's tasks.

`make bench-growth` prints the table, with 100,000 tasks as well.
"""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import boto3
import pytest

from bench.workload import Cost
from chalicelib.listing import NUMBERED_REACH, PAGE_SIZE
from tests import cloud
from tests.aws_calls import Calls
from tests.drivers import Answer, Api, Clock, sweep
from tests.integration.tools import Finish, Rows, sign_in_again
from tests.meter import Meter

#: Two pages are full; with fewer tasks a page costs less.
FEW, FULL_PAGES, MANY = 10, 2 * PAGE_SIZE, 1_000
SIZES = [FEW, FULL_PAGES, MANY, *map(int, os.environ.get("GROWTH", "").split())]

#: Passes every task before its page, so its cost grows, as docs/operations.md says.
BY_NUMBER = "page in the middle, by number"


class Measured(NamedTuple):
    cost: Cost
    #: Of the service's own code: moto searches the whole table in each call, as DynamoDB does not.
    ms: float


Table = dict[str, dict[int, Measured]]


class Stopwatch:
    """Measures the time in which no AWS call is under way."""

    def __init__(self, calls: Calls) -> None:
        self._calls: list[tuple[float, float]] = []
        calls.script(lambda _operation, _parameters: True, self._time)

    def _time(self, make: Callable[[], Any]) -> Any:
        begin = time.perf_counter()
        try:
            return make()
        finally:
            self._calls.append((begin, time.perf_counter()))

    def measure(self, action: Callable[[], Any]) -> float:
        """Do it; return how many ms it took without its AWS calls."""
        self._calls.clear()
        begin = end = time.perf_counter()
        action()
        total = time.perf_counter() - begin
        for started, ended in sorted(self._calls):
            # The sweeper's threads make calls side by side.
            total -= max(0, ended - max(started, end))
            end = max(end, ended)
        return total * 1000


@pytest.fixture
def fill(aws: None, finish: Finish, rows: Rows) -> Iterator[Callable[[Api, int], None]]:
    """`fill(ann, 1000)`: this many finished tasks of ann's, older than any other one.

    They are copies of one, put straight into moto: 100,000 calls would take an hour.
    """
    if cloud.IN_LOCALSTACK:
        pytest.skip("needs moto's own table")
    table = cloud.backend("dynamodb").tables[cloud.ENVIRONMENT["TABLE_NAME"]]

    def fill(user: Api, number: int) -> None:
        from chalicelib.models import User

        [newest] = finish(user, 1)
        originals = [row for row in rows() if newest in row["sk"]["S"]]
        for count in range(1, number):
            older = f"00000000-0000-7000-8000-{count:012x}"
            for row in originals:
                table.put_item(row | {"sk": {"S": row["sk"]["S"].replace(newest, older)}})
        User(f"user#{user.user_id}", "user").update([User.success.add(number - 1)])

    yield fill
    # What looks at all rows after each test would take as long.
    cloud.empty_resources(boto3.Session(region_name=cloud.REGION))


def test_nothing_costs_more_however_many_tasks_the_user_has(
    sign_up: Callable[[str], Api],
    clock: Clock,
    calls: Calls,
    fill: Callable[[Api, int], None],
) -> None:
    table: Table = {}
    # The meter reads all rows first, so it comes before there are many.
    meter, stopwatch = Meter(calls), Stopwatch(calls)
    for tasks in SIZES:
        user = sign_up(f"user-{tasks}")
        fill(user, tasks)
        for operation, action in _operations(user, tasks, clock):
            table.setdefault(operation, {})[tasks] = _measure(
                action, meter, stopwatch, rounds=3 if tasks <= MANY else 1
            )
    print("\n\n" + "\n".join(_lines(table)))  # noqa: T201  # what `make bench-growth` is for
    for operation, sizes in table.items():
        least = FULL_PAGES if "page" in operation else FEW
        costs = [measured.cost for tasks, measured in sizes.items() if tasks >= least]
        for unit, fewest in zip(zip(*costs, strict=True), costs[0], strict=True):
            assert operation == BY_NUMBER or max(unit) <= 1.1 * fewest, operation


def _operations(user: Api, tasks: int, clock: Clock) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield what is measured; each can be done up to three times."""

    def get(path: str) -> Callable[[], Any]:
        return lambda: _ok(user.get(f"/api/tasks/{path}"))

    assert get("")()["count"] == tasks
    middle = min(tasks // 2, NUMBERED_REACH) // PAGE_SIZE + 1
    yield "first page", get("")
    yield "page of a status", get("?status=success")
    yield "last page", get("?page=last")
    yield BY_NUMBER, get(f"?page={middle}")
    created: list[Any] = []
    yield "create", lambda: created.append(user.created())
    yield "detail", get(f"{created[0]['id']}/")

    def cancel() -> None:
        _ok(user.post(f"/api/tasks/{created.pop()['id']}/cancel/"))

    yield "cancel", cancel
    created.append(user.created())

    def rescue() -> None:
        # Longer than the longest pause between two rescues of a task.
        clock.advance(minutes=20)
        sweep()

    yield "sweep that rescues a task", rescue
    sign_in_again(user)
    cancel()


def _ok(answer: Answer) -> Any:
    assert answer.status == 200, answer.text
    return answer.json


def _measure(
    action: Callable[[], Any], meter: Meter, stopwatch: Stopwatch, rounds: int
) -> Measured:
    meter.read()
    times, costs = [], set()
    for _ in range(rounds):
        times.append(stopwatch.measure(action))
        costs.add(Cost(*meter.read()))
    [cost] = costs
    return Measured(cost, min(times))


def _lines(table: Table) -> Iterator[str]:
    yield f"{'operation':32}{'tasks':>9}{'AWS calls':>11}{'writes':>8}{'reads':>8}{'own ms':>8}"
    for operation, sizes in table.items():
        for tasks, (cost, ms) in sizes.items():
            calls, writes, reads = cost
            yield f"{operation:32}{tasks:9,}{calls:11}{writes:8}{reads:8g}{ms:8.1f}"
    yield ""
    yield "writes, reads: DynamoDB's units; with 10 tasks a page is half full."
    yield "own ms: without the AWS calls, which are moto's; the best of 3, with most tasks of 1."
