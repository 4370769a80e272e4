"""Move the dead letters of a stage back to its task queue."""

import argparse
from typing import TYPE_CHECKING

import boto3

from chalicelib import dispatch

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef


def redrive(stage: str) -> int:
    """Move every dead letter of a stage, including the schedules'; return their number.

    A message that names no task stays where it is.

    SQS's own redrive does not handle dead letters of EventBridge Scheduler. Each message is sent
    before it is deleted: a task may get two messages, which is harmless, but never none.
    """
    sqs: SQSClient = boto3.client("sqs")
    queue = sqs.get_queue_url(QueueName=f"tasks-{stage}")["QueueUrl"]
    moved = 0
    for name in (f"tasks-{stage}-dead-letters", f"tasks-{stage}-schedule-dead-letters"):
        source = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        while messages := sqs.receive_message(
            QueueUrl=source, MaxNumberOfMessages=10, WaitTimeSeconds=0
        ).get("Messages"):
            for message in messages:
                moved += _move(sqs, message, source, queue)
    return moved


def _move(sqs: "SQSClient", message: "MessageTypeDef", source: str, queue: str) -> bool:
    try:
        user = dispatch.parse_message(message["Body"]).user_id
    except ValueError:
        print(f"Not moved, because it names no task: {message['Body'][:200]}")
        return False
    sqs.send_message(QueueUrl=queue, MessageBody=message["Body"], MessageGroupId=user)
    sqs.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
    return True


def main() -> None:
    parser = argparse.ArgumentParser(prog="make redrive", description=__doc__)
    parser.add_argument("--stage", required=True)
    print(f"{redrive(parser.parse_args().stage)} dead letters moved.")


if __name__ == "__main__":
    main()
