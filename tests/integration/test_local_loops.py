"""What `make run` does in place of AWS."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.session import Session

from chalicelib import aws
from infra.local import bell
from infra.local.loops import OneTimeSchedules, feed, work
from tests import cloud
from tests.drivers import NOON, Api, Clock

QUEUE_URL = cloud.ENVIRONMENT["QUEUE_URL"]


@pytest.fixture
def sqs(aws: None) -> Any:
    return boto3.client("sqs", region_name=cloud.REGION)


@pytest.fixture
def one_time_schedules(sqs: Any) -> OneTimeSchedules:
    scheduler = boto3.client("scheduler", region_name=cloud.REGION)
    return OneTimeSchedules(scheduler, sqs, cloud.ENVIRONMENT["SCHEDULE_GROUP"])


def bodies(sqs: Any) -> list[str]:
    messages = sqs.receive_message(QueueUrl=QUEUE_URL, MaxNumberOfMessages=10, WaitTimeSeconds=0)
    return [message["Body"] for message in messages.get("Messages", [])]


def test_a_one_time_schedule_fires_at_its_moscow_time_and_is_gone(
    ann: Api,
    clock: Clock,
    one_time_schedules: OneTimeSchedules,
    sqs: Any,
    schedules: Callable[[], list[str]],
) -> None:
    task = ann.created(scheduled_at="2026-02-02 15:00:00")
    # It is set a minute early, because EventBridge Scheduler is precise to a minute.
    at = NOON + timedelta(hours=3, minutes=-1)

    one_time_schedules.fire_due(at - timedelta(seconds=1))
    assert (bodies(sqs), len(schedules())) == ([], 1)

    one_time_schedules.fire_due(at)
    assert [json.loads(body)["task"] for body in bodies(sqs)] == [task["id"]]
    assert schedules() == []


def test_a_deleted_one_time_schedule_does_not_fire(
    ann: Api, one_time_schedules: OneTimeSchedules, sqs: Any
) -> None:
    task = ann.created(scheduled_at="2026-02-02 15:00:00")
    one_time_schedules.fire_due(NOON)
    ann.post(f"/api/tasks/{task['id']}/cancel/")
    one_time_schedules.fire_due(NOON + timedelta(days=1))
    assert bodies(sqs) == []


def test_a_batch_is_deleted_except_for_failed_messages(sqs: Any) -> None:
    for body in ("good", "bad"):
        sqs.send_message(QueueUrl=QUEUE_URL, MessageBody=body)

    def function(event: Any, context: Any) -> Any:
        failed = [record for record in event["Records"] if record["body"] == "bad"]
        return {"batchItemFailures": [{"itemIdentifier": one["messageId"]} for one in failed]}

    feed(sqs, QUEUE_URL, function)

    counts = sqs.get_queue_attributes(QueueUrl=QUEUE_URL, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessages"] == "0"
    assert counts["ApproximateNumberOfMessagesNotVisible"] == "1"


def test_a_batch_whose_function_raises_stays_in_the_queue(
    sqs: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for body in ("one", "two"):
        sqs.send_message(QueueUrl=QUEUE_URL, MessageBody=body)

    def function(event: Any, context: Any) -> Any:
        raise RuntimeError("out of order")

    feed(sqs, QUEUE_URL, function)

    counts = sqs.get_queue_attributes(QueueUrl=QUEUE_URL, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessagesNotVisible"] == "2"
    [line] = map(vars, caplog.records)
    assert (line["msg"], line["queue"]) == ("batch_failed", "tasks-test")
    assert line["error"] == "RuntimeError('out of order')"


@pytest.fixture
def a_bell(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """The end of a bell that hears and the end that rings, for clients of a new process."""
    session = Session()
    monkeypatch.setattr(aws, "session", lambda: session)
    ends = bell.make()
    yield ends
    for end in ends:
        os.close(end)


@pytest.mark.parametrize("suffix", ["", "-dead-letters"])
def test_messages_are_handled_in_the_main_thread_where_time_limits_work(
    sqs: Any, a_bell: tuple[int, int], suffix: str
) -> None:
    stop, handled = threading.Event(), []

    def function(name: str, event: Any) -> None:
        thread = threading.current_thread() is threading.main_thread()
        handled.append((name, event["Records"][0]["body"], thread))
        stop.set()

    functions = {
        "worker": lambda event, _: function("", event),
        "dead_letters": lambda event, _: function("-dead-letters", event),
    }
    app: Any = SimpleNamespace(handler_map=functions)
    sqs.send_message(QueueUrl=QUEUE_URL + suffix, MessageBody="one")

    work(app, a_bell[0], stop)
    assert handled == [(suffix, "one", True)]


def test_whoever_sends_a_message_rings_and_one_who_waits_hears_it(
    sqs: Any, a_bell: tuple[int, int]
) -> None:
    ears, rope = a_bell
    bell.ring_when_sending(rope)
    client = aws.client("sqs", Config())
    assert not bell.wait(ears, 0)

    client.send_message(QueueUrl=QUEUE_URL, MessageBody="one")
    assert bell.wait(ears, 0)
    assert not bell.wait(ears, 0)


def test_a_bell_that_nobody_hears_stops_nobody(sqs: Any, a_bell: tuple[int, int]) -> None:
    _, rope = a_bell
    bell.ring_when_sending(rope)
    while True:
        try:
            os.write(rope, b"!" * 4096)
        except BlockingIOError:
            break
    client = aws.client("sqs", Config())
    assert client.send_message(QueueUrl=QUEUE_URL, MessageBody="one")["MessageId"]
