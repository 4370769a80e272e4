"""AWS is down for hours: no task is lost, none is given up, none ends twice."""

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import Any

import boto3
import pytest

from tests import cloud
from tests.aws_calls import Calls, Parameters
from tests.drivers import Api, Clock, Lambdas
from tests.integration.tools import OUTAGE, Define, LambdaDied, Rows, SignUp

#: A message that failed often comes again after as long as this.
REDELIVERY = timedelta(seconds=90)


def is_dynamodb(operation: str, parameters: Parameters) -> bool:
    return (
        "TableName" in parameters or "TransactItems" in parameters or "RequestItems" in parameters
    )


def create(sign_up: SignUp, count: int) -> None:
    """Create tasks, five per user."""
    for number in range(count // 5):
        api = sign_up(f"user{number}")
        for _ in range(5):
            api.created()


def live(clock: Clock, lambdas: Lambdas, duration: timedelta, step: timedelta) -> None:
    """Let time pass as on AWS: the queues feed their Lambdas, the sweeper ticks."""
    end = clock.now + duration
    while clock.now < end:
        clock.move_to(clock.now + step)
        feed(lambdas)
        lambdas.sweep()


def feed(lambdas: Lambdas) -> None:
    """Deliver what the queues show now. The messages of a Lambda that dies come again later."""
    is_empty = False
    while not is_empty:
        with suppress(LambdaDied):
            lambdas.feed()
            is_empty = True


def ends(rows: Rows) -> Counter[tuple[str, int]]:
    """Count the tasks by their status and their attempts."""
    tasks = [row for row in rows() if row["sk"]["S"].startswith("task#")]
    return Counter((row["status"]["S"], int(row["attempts"]["N"])) for row in tasks)


def waiting_dead_letters() -> int:
    queue_url = f"{cloud.ENVIRONMENT['QUEUE_URL']}-dead-letters"
    found = boto3.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])
    return int(found["Attributes"]["ApproximateNumberOfMessagesNotVisible"])


def test_200_tasks_survive_3_hours_without_dynamodb(
    sign_up: SignUp, lambdas: Lambdas, clock: Clock, calls: Calls, rows: Rows
) -> None:
    create(sign_up, 200)
    end_outage = calls.fail(is_dynamodb, OUTAGE)
    # The emulator takes long for 200 messages, so they come seldom. The next test has all
    # their redeliveries.
    live(clock, lambdas, timedelta(hours=3), step=timedelta(minutes=90))
    assert ends(rows) == {("pending", 0): 200}
    end_outage()
    live(clock, lambdas, timedelta(minutes=3), REDELIVERY)
    assert ends(rows) == {("success", 1): 200}


def test_tasks_survive_an_outage_in_which_all_their_messages_become_dead_letters(
    sign_up: SignUp, lambdas: Lambdas, clock: Clock, calls: Calls, rows: Rows
) -> None:
    create(sign_up, 10)
    end_outage = calls.fail(is_dynamodb, OUTAGE)
    live(clock, lambdas, timedelta(hours=3), REDELIVERY)
    assert ends(rows) == {("pending", 0): 10}
    assert waiting_dead_letters() == 10
    end_outage()
    live(clock, lambdas, timedelta(minutes=6), REDELIVERY)
    assert ends(rows) == {("success", 1): 10}


def test_dead_letters_alone_bring_tasks_back_if_the_sweeper_does_not_run(
    sign_up: SignUp, lambdas: Lambdas, clock: Clock, calls: Calls, rows: Rows
) -> None:
    create(sign_up, 5)
    end_outage = calls.fail(is_dynamodb, OUTAGE)
    lambdas.sweep = lambda: None  # type: ignore[method-assign]
    live(clock, lambdas, timedelta(hours=3), REDELIVERY)
    assert waiting_dead_letters() == 5
    end_outage()
    live(clock, lambdas, timedelta(minutes=6), REDELIVERY)
    assert ends(rows) == {("success", 1): 5}


@pytest.mark.parametrize("outage", [True, False], ids=["after an outage", "without an outage"])
def test_tasks_survive_35_minutes_with_a_batch_mate_whose_lambda_dies(
    ann: Api,
    sign_up: SignUp,
    lambdas: Lambdas,
    clock: Clock,
    calls: Calls,
    rows: Rows,
    define: Define,
    probe: Any,
    outage: bool,
) -> None:
    def die() -> None:
        raise LambdaDied

    define(die)
    probe()
    create(sign_up, 10)
    if outage:
        end_outage = calls.fail(is_dynamodb, OUTAGE)
        live(clock, lambdas, timedelta(minutes=35), REDELIVERY)
        assert ends(rows) == {("pending", 0): 11}
        end_outage()
    live(clock, lambdas, timedelta(minutes=35), REDELIVERY)
    assert ends(rows) == {("success", 1): 10, ("failure", 5): 1}
