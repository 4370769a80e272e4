"""Handing a task to AWS: now or soon by SQS, later by EventBridge Scheduler.

A message says whose task is due and which request made it; the worker reads the rest. Two
messages for one task are normal and harmless, so a message that may be missing is sent again.
"""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Protocol

from botocore.config import Config
from botocore.exceptions import ClientError

from chalicelib import aws, deadline, logs, times
from chalicelib.config import settings
from chalicelib.lifecycle import MAX_DELAY

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sqs import SQSClient

#: EventBridge Scheduler fires within 60 seconds after the time it is given
#: (EventBridge Scheduler User Guide, "Schedule types").
SCHEDULER_PRECISION = timedelta(seconds=60)
#: A schedule further ahead than this is set early by SCHEDULER_PRECISION.
EARLY_BEYOND = timedelta(minutes=2)
#: Entries of one SendMessageBatch or ChangeMessageVisibilityBatch (SQS quota).
MAX_BATCH = 10

_ID = re.compile(r"[\w-]{1,64}", re.ASCII)

_CONFIG = Config(
    connect_timeout=deadline.CONNECT_TIMEOUT,
    read_timeout=deadline.READ_TIMEOUT,
    retries={"mode": "standard", "total_max_attempts": deadline.TRIES},
    max_pool_connections=64,
)


class Addressed(Protocol):
    """What a message is made from: a task, or another message."""

    @property
    def user_id(self) -> str: ...
    @property
    def task_id(self) -> str: ...
    @property
    def task_type(self) -> str: ...
    @property
    def origin(self) -> str | None: ...


class Schedulable(Addressed, Protocol):
    """What a schedule is made from: a task."""

    @property
    def attempts(self) -> float: ...


@dataclass(frozen=True)
class Message:
    """What the worker is told: whose task is due. None of it ever changes."""

    user_id: str
    task_id: str
    task_type: str
    #: The request that made the task, for the log; see `chalicelib.logs.origin`.
    origin: str | None = None


def send(task: Addressed, delay: timedelta = timedelta()) -> None:
    """Put a task on the queue; the worker gets it after the delay, at most 15 minutes.

    Raises ClientError or BotoCoreError if the queue does not take it.
    """
    _sqs().send_message(
        QueueUrl=settings().queue_url,
        MessageBody=_body(task),
        DelaySeconds=_whole_seconds(min(max(delay, timedelta()), MAX_DELAY)),
        # A fair queue: one user's many tasks do not hold up another's.
        MessageGroupId=task.user_id,
    )


def send_batch(tasks: Sequence[Addressed]) -> set[str]:
    """Put at most 10 tasks on the queue in one call; return the ids of those it took.

    Raises ClientError or BotoCoreError if it took none.
    """
    answer = _sqs().send_message_batch(
        QueueUrl=settings().queue_url,
        Entries=[
            {"Id": task.task_id, "MessageBody": _body(task), "MessageGroupId": task.user_id}
            for task in tasks
        ],
    )
    return {entry["Id"] for entry in answer.get("Successful", [])}


def send_later(task: Schedulable, at: datetime, now: datetime) -> None:
    """Make sure that a task gets its message at a moment to come.

    Within 15 minutes a delayed message does it. Beyond, a one-time schedule fires early and
    the worker sends the message on with the rest of the delay.

    Raises ClientError or BotoCoreError if the task may miss its moment.
    """
    if at - now <= MAX_DELAY:
        send(task, at - now)
    else:
        _create_schedule(task, at - SCHEDULER_PRECISION)


def send_scheduled(task: Schedulable, due_at: datetime, now: datetime) -> None:
    """Make sure that a task with a time of its own gets its message then.

    It has a one-time schedule in any case: within 15 minutes as a second guarantee.

    Raises ClientError or BotoCoreError if the task may miss its time.
    """
    send_later(task, due_at, now)
    ahead = due_at - now
    at = due_at - SCHEDULER_PRECISION if ahead > EARLY_BEYOND else due_at
    if ahead > MAX_DELAY or at <= now:
        return
    try:
        _create_schedule(task, at)
    except ClientError as error:
        # A time that has just passed is not valid any more; the message is on its way.
        if error.response["Error"]["Code"] != "ValidationException":
            raise


def delete_schedule(task: Schedulable) -> None:
    """Delete the schedule of a task's next run; a schedule that is gone is success."""
    try:
        _scheduler().delete_schedule(Name=schedule_name(task), GroupName=settings().schedule_group)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise


def change_visibility(queue_url: str, receipt_handles: Sequence[str], delay: timedelta) -> None:
    """Let a queue deliver at most 10 messages again after the delay, in one call.

    Raises ClientError or BotoCoreError; then they come after the queue's visibility timeout.
    """
    _sqs().change_message_visibility_batch(
        QueueUrl=queue_url,
        Entries=[
            {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": _whole_seconds(delay)}
            for number, handle in enumerate(receipt_handles)
        ],
    )


def parse_message(body: str) -> Message:
    """Read the body of a message. Raises ValueError if the service did not write it."""
    try:
        found = json.loads(body)
        names = (found["user"], found["task"], found["type"])
        origin = found.get("origin")
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        raise ValueError("not a task message") from None
    is_ours = all(isinstance(name, str) and _ID.fullmatch(name) for name in names)
    if not is_ours or not (origin is None or logs.is_origin(origin)):
        raise ValueError("not a task message")
    return Message(*names, origin)


def check_health() -> None:
    """Make sure that the queue answers. Raises ClientError or BotoCoreError otherwise."""
    _sqs().get_queue_attributes(QueueUrl=settings().queue_url, AttributeNames=["QueueArn"])


def schedule_name(task: Schedulable) -> str:
    """Return the name of the schedule of a task's next run.

    Each wait of a task has a name of its own, which makes creating it idempotent: the
    schedule of the wait before may still be on its way out (ActionAfterCompletion).
    """
    return f"task-{task.task_id}-{task.attempts}"


def _create_schedule(task: Schedulable, at: datetime) -> None:
    try:
        _scheduler().create_schedule(
            Name=schedule_name(task),
            GroupName=settings().schedule_group,
            ScheduleExpression=f"at({times.wall_clock(at)})",
            ScheduleExpressionTimezone=times.ZONE_NAME,
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target={
                "Arn": settings().queue_arn,
                "RoleArn": settings().schedule_role_arn,
                "Input": _body(task),
                "DeadLetterConfig": {"Arn": settings().schedule_dead_letter_arn},
            },
        )
    except ClientError as error:
        # The name belongs to this task and this wait, so this very schedule exists.
        if error.response["Error"]["Code"] != "ConflictException":
            raise


def _body(task: Addressed) -> str:
    body = {"user": task.user_id, "task": task.task_id, "type": task.task_type}
    return json.dumps(body | ({"origin": task.origin} if task.origin else {}))


def _whole_seconds(delay: timedelta) -> int:
    """Round up: a message that comes too early would only be sent on."""
    return math.ceil(delay.total_seconds())


@cache
def _sqs() -> "SQSClient":
    client: SQSClient = aws.client("sqs", _CONFIG)
    return client


@cache
def _scheduler() -> "EventBridgeSchedulerClient":
    client: EventBridgeSchedulerClient = aws.client("scheduler", _CONFIG)
    return client
