"""AWS is down for hours: no task is lost, none is given up, none ends twice."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.aws_calls import Calls
from tests.drivers import Api, Clock, Lambdas, sweep
from tests.integration.tools import OUTAGE, Rows

TASKS, USERS = 200, 40
STEP = timedelta(seconds=15)


def is_dynamodb(operation: str, parameters: Any) -> bool:
    return (
        "TableName" in parameters or "TransactItems" in parameters or "RequestItems" in parameters
    )


def live(clock: Clock, lambdas: Lambdas, duration: timedelta) -> None:
    """Let time pass as on AWS: the queues feed their Lambdas, the sweeper ticks each minute."""
    end = clock.now + duration
    while clock.now < end:
        clock.move_to(clock.now + STEP)
        lambdas.feed()
        if clock.now.second < STEP.seconds:
            sweep()


def test_200_tasks_survive_3_hours_without_dynamodb(
    sign_up: Callable[[str], Api], lambdas: Lambdas, clock: Clock, calls: Calls, rows: Rows
) -> None:
    for number in range(USERS):
        api = sign_up(f"user{number}")
        for _ in range(TASKS // USERS):
            api.created()
    end_outage = calls.fail(is_dynamodb, OUTAGE)
    live(clock, lambdas, timedelta(hours=3))
    assert attempts(rows) == {("pending", 0): TASKS}
    end_outage()
    live(clock, lambdas, timedelta(minutes=5))
    assert attempts(rows) == {("success", 1): TASKS}


def attempts(rows: Rows) -> Counter[tuple[str, int]]:
    tasks = [row for row in rows() if row["sk"]["S"].startswith("task#")]
    return Counter((row["status"]["S"], int(row["attempts"]["N"])) for row in tasks)
