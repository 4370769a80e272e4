"""What `make run` does in place of AWS."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import boto3
import pytest

from infra.local.loops import OneShots, feed
from tests import cloud
from tests.drivers import NOON, Api, Clock

QUEUE_URL = cloud.ENVIRONMENT["QUEUE_URL"]


@pytest.fixture
def sqs(aws: None) -> Any:
    return boto3.client("sqs", region_name=cloud.REGION)


@pytest.fixture
def one_shots(sqs: Any) -> OneShots:
    scheduler = boto3.client("scheduler", region_name=cloud.REGION)
    return OneShots(scheduler, sqs, cloud.ENVIRONMENT["SCHEDULE_GROUP"])


def bodies(sqs: Any) -> list[str]:
    messages = sqs.receive_message(QueueUrl=QUEUE_URL, MaxNumberOfMessages=10, WaitTimeSeconds=0)
    return [message["Body"] for message in messages.get("Messages", [])]


def test_a_one_time_schedule_fires_at_its_moscow_time_and_is_deleted(
    ann: Api, clock: Clock, one_shots: OneShots, sqs: Any, schedules: Callable[[], list[str]]
) -> None:
    task = ann.created(scheduled_at="2026-02-02 15:00:00")
    # It is set a minute early because EventBridge Scheduler is precise to a minute.
    at = NOON + timedelta(hours=3, minutes=-1)

    one_shots.fire_due(at - timedelta(seconds=1))
    assert (bodies(sqs), len(schedules())) == ([], 1)

    one_shots.fire_due(at)
    assert [json.loads(body)["task"] for body in bodies(sqs)] == [task["id"]]
    assert schedules() == []


def test_a_deleted_schedule_does_not_fire(ann: Api, one_shots: OneShots, sqs: Any) -> None:
    task = ann.created(scheduled_at="2026-02-02 15:00:00")
    one_shots.fire_due(NOON)
    ann.post(f"/api/tasks/{task['id']}/cancel/")
    one_shots.fire_due(NOON + timedelta(days=1))
    assert bodies(sqs) == []


def test_only_the_messages_that_succeeded_are_deleted(sqs: Any) -> None:
    for body in ("good", "bad"):
        sqs.send_message(QueueUrl=QUEUE_URL, MessageBody=body)

    def function(event: Any, context: Any) -> Any:
        failed = [record for record in event["Records"] if record["body"] == "bad"]
        return {"batchItemFailures": [{"itemIdentifier": one["messageId"]} for one in failed]}

    feed(sqs, QUEUE_URL, function)

    counts = sqs.get_queue_attributes(QueueUrl=QUEUE_URL, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessages"] == "0"
    assert counts["ApproximateNumberOfMessagesNotVisible"] == "1"


def test_a_batch_whose_function_fails_stays_in_the_queue(sqs: Any) -> None:
    sqs.send_message(QueueUrl=QUEUE_URL, MessageBody="any")

    def function(event: Any, context: Any) -> Any:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        feed(sqs, QUEUE_URL, function)

    counts = sqs.get_queue_attributes(QueueUrl=QUEUE_URL, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessagesNotVisible"] == "1"
