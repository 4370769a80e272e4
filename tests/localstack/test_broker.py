"""What only a real broker shows: redrive, visibility, delays and stored schedules."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import boto3
import pytest

from chalicelib import dispatch, times
from tests import cloud

QUEUE = f"tasks-{cloud.STAGE}"

#: The longest wait for the broker, in seconds.
PATIENCE = 20


@pytest.fixture
def sqs(aws: None) -> Any:
    return boto3.client("sqs")


def receive(sqs: Any, queue: str = QUEUE) -> dict[str, Any] | None:
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, AttributeNames=["All"])
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    return messages[0] if messages else None


def wait_for(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := look():
            return found
    raise AssertionError("nothing came")


def test_a_delayed_message_comes_at_its_time_and_not_before(sqs: Any) -> None:
    sent = time.monotonic()
    dispatch.send("ann", "task", timedelta(seconds=2.5))
    message = wait_for(lambda: receive(sqs))
    assert 2.5 <= time.monotonic() - sent <= 6
    assert json.loads(message["Body"]) == {"user": "ann", "task": "task"}
    assert message["Attributes"]["MessageGroupId"] == "ann"


def test_a_message_that_is_shown_again_comes_back(sqs: Any) -> None:
    dispatch.send("ann", "task")
    first = wait_for(lambda: receive(sqs))
    assert receive(sqs) is None
    dispatch.show_again(first["ReceiptHandle"], timedelta(seconds=1))
    second = wait_for(lambda: receive(sqs))
    assert second["MessageId"] == first["MessageId"]
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"


def test_after_five_receives_the_broker_moves_a_message_to_the_dead_letters(sqs: Any) -> None:
    dispatch.send("ann", "task")
    for _ in range(5):
        message = wait_for(lambda: receive(sqs))
        dispatch.show_again(message["ReceiptHandle"], timedelta())
    assert receive(sqs) is None
    letter = wait_for(lambda: receive(sqs, f"{QUEUE}-dead-letters"))
    assert letter["MessageId"] == message["MessageId"]


def test_a_one_shot_is_stored_as_the_scheduler_needs_it(aws: None) -> None:
    now = times.now().replace(microsecond=0)
    due = now + timedelta(days=30)
    dispatch.send_at("ann", "0199", due, now)
    group = cloud.ENVIRONMENT["SCHEDULE_GROUP"]
    stored = boto3.client("scheduler").get_schedule(Name="task-0199", GroupName=group)
    at = times.wall_clock(due - timedelta(minutes=1))
    assert stored["ScheduleExpression"] == f"at({at})"
    assert stored["ScheduleExpressionTimezone"] == "Europe/Moscow"
    assert stored["ActionAfterCompletion"] == "DELETE"
    assert stored["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert stored["Target"]["Arn"] == cloud.ENVIRONMENT["QUEUE_ARN"]
    assert json.loads(stored["Target"]["Input"]) == {"user": "ann", "task": "0199"}


def test_a_one_shot_called_off_is_gone(aws: None) -> None:
    now = times.now()
    dispatch.send_at("ann", "0199", now + timedelta(days=30), now)
    dispatch.call_off("0199")
    dispatch.call_off("0199")
    group = cloud.ENVIRONMENT["SCHEDULE_GROUP"]
    assert boto3.client("scheduler").list_schedules(GroupName=group)["Schedules"] == []


def test_the_stack_has_the_table_with_both_indexes_and_the_time_to_live(aws: None) -> None:
    dynamodb = boto3.client("dynamodb")
    table = dynamodb.describe_table(TableName=cloud.ENVIRONMENT["TABLE_NAME"])["Table"]
    assert [index["IndexName"] for index in table["LocalSecondaryIndexes"]] == ["by_status"]
    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["watched"]
    ttl = dynamodb.describe_time_to_live(TableName=cloud.ENVIRONMENT["TABLE_NAME"])
    assert ttl["TimeToLiveDescription"]["AttributeName"] == "expires_at"
