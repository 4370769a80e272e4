"""Handing a task to AWS: now or soon by SQS, later by EventBridge Scheduler.

A message says whose task is due, nothing else; the worker reads the rest. Two messages
for one task are normal and harmless, so whatever is in doubt is sent again.
"""

import json
import math
import re
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from chalicelib import moscow
from chalicelib.config import settings

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sqs import SQSClient

#: The longest DelaySeconds of an SQS message.
LONGEST_DELAY = timedelta(minutes=15)
#: What waits for longer than that is sent by the sweeper, so long ahead of its moment.
SENT_AHEAD = timedelta(minutes=10)
#: EventBridge Scheduler fires within 60 seconds after the time it is given.
SCHEDULER_PRECISION = timedelta(seconds=60)
#: A one-shot further ahead than this is set early by SCHEDULER_PRECISION.
EARLY_BEYOND = timedelta(minutes=2)

_ID = re.compile(r"[\w-]{1,64}", re.ASCII)

_CONFIG = Config(
    connect_timeout=2,
    read_timeout=4,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=64,
)


def send(user_id: str, task_id: str, delay: timedelta = timedelta()) -> None:
    """Put a task on the queue; the worker gets it after the delay, of 15 minutes at most.

    Raises ClientError or BotoCoreError if the queue does not take it.
    """
    _sqs().send_message(
        QueueUrl=settings().queue_url,
        MessageBody=_body(user_id, task_id),
        # Rounded up: a message that comes too early would only be handed back.
        DelaySeconds=math.ceil(min(max(delay, timedelta()), LONGEST_DELAY).total_seconds()),
        # A fair queue: one user's many tasks do not hold up another's.
        MessageGroupId=user_id,
    )


def send_at(user_id: str, task_id: str, due: datetime, now: datetime) -> None:
    """Make sure that a pending task gets its message at its time.

    Within 15 minutes a delayed message makes it exact and the one-shot is the guarantee.
    Beyond, the one-shot comes early and the worker hands the message back with the rest
    of the delay.

    Raises ClientError or BotoCoreError if the task may miss its time.
    """
    soon = due - now < LONGEST_DELAY
    if soon:
        send(user_id, task_id, due - now)
    at = due - SCHEDULER_PRECISION if due - now > EARLY_BEYOND else due
    if at <= now:
        return
    try:
        _create_schedule(user_id, task_id, at)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        # The name is the task's own, so what is in the way is this very one-shot.
        if code == "ConflictException":
            return
        # By now `at` may just have passed, which is not valid: the message does it.
        if code == "ValidationException" and soon:
            return
        raise


def call_off(task_id: str) -> None:
    """Delete a task's one-shot. One that is gone is as good."""
    try:
        _scheduler().delete_schedule(
            Name=schedule_name(task_id), GroupName=settings().schedule_group
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise


def show_again(receipt_handle: str, delay: timedelta) -> None:
    """Let the queue deliver a message that was not dealt with again, after the delay."""
    _sqs().change_message_visibility(
        QueueUrl=settings().queue_url,
        ReceiptHandle=receipt_handle,
        VisibilityTimeout=math.ceil(delay.total_seconds()),
    )


def read(body: str) -> tuple[str, str]:
    """Return the user and the task that a message names.

    Raises ValueError for a body that no dispatch of ours has written.
    """
    try:
        message = json.loads(body)
        user_id, task_id = message["user"], message["task"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("not a task message") from None
    if not all(isinstance(name, str) and _ID.fullmatch(name) for name in (user_id, task_id)):
        raise ValueError("not a task message")
    return user_id, task_id


def check_health() -> None:
    """Make sure that the queue answers. Raises ClientError or BotoCoreError otherwise."""
    _sqs().get_queue_attributes(QueueUrl=settings().queue_url, AttributeNames=["QueueArn"])


def schedule_name(task_id: str) -> str:
    """Return the name of a task's one-shot; it makes creating it idempotent."""
    return f"task-{task_id}"


def _create_schedule(user_id: str, task_id: str, at: datetime) -> None:
    _scheduler().create_schedule(
        Name=schedule_name(task_id),
        GroupName=settings().schedule_group,
        ScheduleExpression=f"at({moscow.wall_clock(at)})",
        ScheduleExpressionTimezone=moscow.ZONE_NAME,
        FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target={
            "Arn": settings().queue_arn,
            "RoleArn": settings().schedule_role_arn,
            "Input": _body(user_id, task_id),
            "DeadLetterConfig": {"Arn": settings().schedule_dead_letter_arn},
        },
    )


def _body(user_id: str, task_id: str) -> str:
    return json.dumps({"user": user_id, "task": task_id})


@cache
def _sqs() -> "SQSClient":
    return boto3.client("sqs", config=_CONFIG)


@cache
def _scheduler() -> "EventBridgeSchedulerClient":
    return boto3.client("scheduler", config=_CONFIG)
