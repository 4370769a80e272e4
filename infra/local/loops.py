"""What AWS does by itself: feed the Lambdas from the queues, tick, fire one-time schedules."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import boto3
from chalice import Chalice
from chalice.local import LambdaContext

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sqs import SQSClient

log = logging.getLogger(__name__)

#: How many batches the worker handles in parallel.
WORKERS = 4
#: Seconds between two sweeps, as in the app's schedule.
SWEEP_EVERY = 60
#: Seconds between two checks of the schedules.
FIRE_EVERY = 1
#: How long a receive waits for messages, in seconds. Ctrl-C may take as long.
POLL = 1
#: The time limit of a Lambda, in ms.
TIMEOUT_MS = 60_000


def start(app: Chalice, environment: dict[str, str], stop: Event) -> list[Thread]:
    """Start all loops; they end soon after `stop` is set."""
    sqs: SQSClient = boto3.client("sqs")
    scheduler: EventBridgeSchedulerClient = boto3.client("scheduler")
    dead_letters = sqs.get_queue_url(QueueName=environment["DEAD_LETTER_QUEUE_NAME"])["QueueUrl"]
    schedules = OneTimeSchedules(scheduler, sqs, environment["SCHEDULE_GROUP"])
    functions = app.handler_map

    def work() -> None:
        feed(sqs, environment["QUEUE_URL"], functions["worker"])

    def handle_dead_letters() -> None:
        feed(sqs, dead_letters, functions["dead_letters"])

    def sweep() -> None:
        if not stop.wait(SWEEP_EVERY):
            tick(functions["sweeper"])

    def fire() -> None:
        if not stop.wait(FIRE_EVERY):
            schedules.fire_due(datetime.now(UTC))

    loops = [*[work] * WORKERS, handle_dead_letters, sweep, fire]
    threads = [Thread(target=_forever, args=(loop, stop), daemon=True) for loop in loops]
    for thread in threads:
        thread.start()
    return threads


def feed(sqs: "SQSClient", queue_url: str, function: Callable[[Any, Any], Any]) -> None:
    """Receive a batch and pass it to a function, as Lambda's event source mapping does.

    Messages that the function reports as failed stay in the queue; if the function raises, all
    of them do. The others are deleted.
    """
    messages = sqs.receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=10,
        WaitTimeSeconds=POLL,
        MessageSystemAttributeNames=["All"],
    ).get("Messages", [])
    if not messages:
        return
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
        log.error("batch_failed queue=%s error=%r", queue_url.rsplit("/", 1)[1], error)
        return
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
