"""What AWS does by itself: feed the Lambdas from the queues, tick, fire one-time schedules."""

from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import boto3
from aws_lambda_powertools import Logger
from chalice import Chalice
from chalice.local import LambdaContext

from chalicelib.config import settings
from infra.local import bell

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sqs import SQSClient

log = Logger(service="tasks", child=True)

#: Seconds between two sweeps, as in the app's schedule.
SWEEP_EVERY = 60
#: Seconds between two checks of the schedules.
FIRE_EVERY = 1
#: Seconds between two polls of a queue if no bell rings. A long poll would be deaf to the bell.
POLL = 0.2
#: Messages of one batch, as in the app's event source.
BATCH = 10
#: The time limit of a Lambda, in ms.
TIMEOUT_MS = 60_000


def work(app: Chalice, ears: int, stop: Event) -> None:
    """Feed the worker and the handler of dead letters, in this thread, until `stop` is set.

    It must be the main thread: no other can be interrupted by a time limit.
    """
    sqs: SQSClient = boto3.client("sqs")
    functions = app.handler_map

    def once() -> None:
        is_idle = not bell.wait(ears, POLL)
        while feed(sqs, settings().queue_url, functions["worker"]) == BATCH and not stop.is_set():
            pass
        if is_idle:
            feed(sqs, settings().dead_letter_queue_url, functions["dead_letters"])

    _forever(once, stop)


def keep_time(app: Chalice, stop: Event) -> None:
    """Tick the sweeper and fire the one-time schedules until `stop` is set."""
    schedules = OneTimeSchedules(
        boto3.client("scheduler"), boto3.client("sqs"), settings().schedule_group
    )

    def sweep() -> None:
        if not stop.wait(SWEEP_EVERY):
            tick(app.handler_map["sweeper"])

    def fire() -> None:
        if not stop.wait(FIRE_EVERY):
            schedules.fire_due(datetime.now(UTC))

    threads = [Thread(target=_forever, args=(loop, stop)) for loop in (sweep, fire)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def feed(sqs: "SQSClient", queue_url: str, function: Callable[[Any, Any], Any]) -> int:
    """Receive a batch and pass it to a function, as Lambda's event source mapping does.

    Messages that the function reports as failed stay in the queue; if the function raises, all
    of them do. The others are deleted. Returns how many there were.
    """
    messages = sqs.receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=BATCH,
        WaitTimeSeconds=0,
        MessageSystemAttributeNames=["All"],
    ).get("Messages", [])
    if not messages:
        return 0
    records = [
        {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": "",
            "awsRegion": "",
        }
        for message in messages
    ]
    try:
        answer = function({"Records": records}, LambdaContext("worker", 512, TIMEOUT_MS)) or {}
    except Exception as error:
        log.error("batch_failed", queue=queue_url.rsplit("/", 1)[1], error=repr(error))
        return len(messages)
    failed = {failure["itemIdentifier"] for failure in answer.get("batchItemFailures", [])}
    done = [message for message in messages if message["MessageId"] not in failed]
    if done:
        sqs.delete_message_batch(
            QueueUrl=queue_url,
            Entries=[
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(done)
            ],
        )
    return len(messages)


def tick(function: Callable[[Any, Any], Any]) -> None:
    """Invoke a function as an EventBridge rule does."""
    event = {
        "version": "0",
        "id": "",
        "account": "",
        "region": "",
        "time": "",
        "source": "aws.events",
        "detail-type": "Scheduled Event",
        "detail": {},
        "resources": [],
    }
    function(event, LambdaContext("sweeper", 512, TIMEOUT_MS))


class OneTimeSchedules:
    """Fires one-time schedules: no free emulator does that in Moscow time."""

    def __init__(
        self, scheduler: "EventBridgeSchedulerClient", sqs: "SQSClient", group: str
    ) -> None:
        self._scheduler = scheduler
        self._sqs = sqs
        self._group = group
        self._due: dict[str, datetime] = {}

    def fire_due(self, now: datetime) -> None:
        """Send the input of every due schedule to its queue, and delete the schedule."""
        names = set()
        for page in self._scheduler.get_paginator("list_schedules").paginate(GroupName=self._group):
            names |= {schedule["Name"] for schedule in page["Schedules"]}
        self._due = {name: due for name, due in self._due.items() if name in names}
        for name in names:
            due = self._due.get(name) or self._read(name)
            if due <= now:
                self._fire(name)

    def _read(self, name: str) -> datetime:
        schedule = self._scheduler.get_schedule(GroupName=self._group, Name=name)
        wall_clock = schedule["ScheduleExpression"].removeprefix("at(").removesuffix(")")
        zone = ZoneInfo(schedule.get("ScheduleExpressionTimezone", "UTC"))
        self._due[name] = datetime.fromisoformat(wall_clock).replace(tzinfo=zone)
        return self._due[name]

    def _fire(self, name: str) -> None:
        target = self._scheduler.get_schedule(GroupName=self._group, Name=name)["Target"]
        queue_name = target["Arn"].rsplit(":", 1)[1]
        queue_url = self._sqs.get_queue_url(QueueName=queue_name)["QueueUrl"]
        self._sqs.send_message(QueueUrl=queue_url, MessageBody=target["Input"])
        self._scheduler.delete_schedule(GroupName=self._group, Name=name)


def _forever(loop: Callable[[], None], stop: Event) -> None:
    while not stop.is_set():
        try:
            loop()
        except Exception:
            # As on AWS, a failed round does not end the service.
            if not stop.is_set():
                log.exception("round_failed")
                stop.wait(1)
