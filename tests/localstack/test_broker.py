"""What only a real broker shows: redrive, visibility, delays and stored schedules."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from chalicelib import dispatch, times
from chalicelib.models import Task
from tests import cloud

QUEUE = f"tasks-{cloud.STAGE}"
NOW = datetime(2026, 2, 2, 9, tzinfo=UTC)

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


def task(days: int = 0) -> Task:
    """Return a task that is not stored, due in some days."""
    now = times.now().replace(microsecond=0)
    due_at = now + timedelta(days=days) if days else None
    return Task.new("ann", "0199", task_type="sum", input_data="{}", scheduled_at=due_at, now=now)


def schedule(one: Task) -> None:
    dispatch.send_scheduled(one, one.due_at, times.now())


BODY = {"user": "ann", "task": "0199", "type": "sum"}
QUEUE_URL = cloud.ENVIRONMENT["QUEUE_URL"]


def test_a_delayed_message_comes_at_its_time_and_not_before(sqs: Any) -> None:
    sent = time.monotonic()
    dispatch.send(task(), timedelta(seconds=2.5))
    message = wait_for(lambda: receive(sqs))
    assert 2.5 <= time.monotonic() - sent <= 6
    assert json.loads(message["Body"]) == BODY
    assert message["Attributes"]["MessageGroupId"] == "ann"


def test_a_message_with_a_new_visibility_comes_back(sqs: Any) -> None:
    dispatch.send(task())
    first = wait_for(lambda: receive(sqs))
    assert receive(sqs) is None
    dispatch.change_visibility(QUEUE_URL, [first["ReceiptHandle"]], timedelta(seconds=1))
    second = wait_for(lambda: receive(sqs))
    assert second["MessageId"] == first["MessageId"]
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"


def test_a_batch_of_ten_comes_whole(sqs: Any) -> None:
    tasks = [
        Task.new(
            "ann", f"0199-{number}", task_type="sum", input_data="{}", scheduled_at=None, now=NOW
        )
        for number in range(10)
    ]
    assert dispatch.send_batch(tasks) == {one.task_id for one in tasks}
    found = {json.loads(wait_for(lambda: receive(sqs))["Body"])["task"] for _ in tasks}
    assert found == {one.task_id for one in tasks}


def test_after_50_receives_the_broker_moves_a_message_to_the_dead_letters(sqs: Any) -> None:
    dispatch.send(task())
    for _ in range(50):
        message = wait_for(lambda: receive(sqs))
        dispatch.change_visibility(QUEUE_URL, [message["ReceiptHandle"]], timedelta())
    assert receive(sqs) is None
    letter = wait_for(lambda: receive(sqs, f"{QUEUE}-dead-letters"))
    assert letter["MessageId"] == message["MessageId"]


# The tasks of these schedules are not stored.
@pytest.mark.corrupts_data
def test_a_schedule_is_stored_as_the_scheduler_needs_it(aws: None) -> None:
    one = task(days=30)
    schedule(one)
    group = cloud.ENVIRONMENT["SCHEDULE_GROUP"]
    stored = boto3.client("scheduler").get_schedule(Name="task-0199-0", GroupName=group)
    at = times.wall_clock(one.due_at - timedelta(minutes=1))
    assert stored["ScheduleExpression"] == f"at({at})"
    assert stored["ScheduleExpressionTimezone"] == "Europe/Moscow"
    assert stored["ActionAfterCompletion"] == "DELETE"
    assert stored["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert stored["Target"]["Arn"] == cloud.ENVIRONMENT["QUEUE_ARN"]
    assert json.loads(stored["Target"]["Input"]) == BODY


@pytest.mark.corrupts_data
def test_a_schedule_that_exists_is_not_an_error(aws: None) -> None:
    one = task(days=30)
    schedule(one)
    schedule(one)
    group = cloud.ENVIRONMENT["SCHEDULE_GROUP"]
    assert len(boto3.client("scheduler").list_schedules(GroupName=group)["Schedules"]) == 1


def test_a_deleted_schedule_is_gone_and_deleting_it_again_is_not_an_error(aws: None) -> None:
    one = task(days=30)
    schedule(one)
    dispatch.delete_schedule(one)
    dispatch.delete_schedule(one)
    group = cloud.ENVIRONMENT["SCHEDULE_GROUP"]
    assert boto3.client("scheduler").list_schedules(GroupName=group)["Schedules"] == []


def test_the_stack_has_the_table_with_its_one_index_and_the_time_to_live(aws: None) -> None:
    dynamodb = boto3.client("dynamodb")
    table = dynamodb.describe_table(TableName=cloud.ENVIRONMENT["TABLE_NAME"])["Table"]
    assert "LocalSecondaryIndexes" not in table
    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["sweep"]
    ttl = dynamodb.describe_time_to_live(TableName=cloud.ENVIRONMENT["TABLE_NAME"])
    assert ttl["TimeToLiveDescription"]["AttributeName"] == "expires_at"
