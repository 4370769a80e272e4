"""`make redrive`: dead letters get another chance."""

import json
from typing import Any

import boto3
import pytest

from infra.redrive import redrive
from tests import cloud


def test_dead_letters_of_the_queue_and_of_schedules_go_back_to_the_queue(aws: None) -> None:
    sqs = boto3.client("sqs", region_name=cloud.REGION)
    letters = [
        json.dumps({"user": "ann", "task": str(number), "type": "sum"}) for number in range(12)
    ]
    for number, letter in enumerate(letters):
        name = "dead-letters" if number % 2 else "schedule-dead-letters"
        sqs.send_message(QueueUrl=f"{cloud.ENVIRONMENT['QUEUE_URL']}-{name}", MessageBody=letter)

    assert redrive(cloud.STAGE) == 12

    assert sorted(received(sqs)) == sorted(letters)
    assert redrive(cloud.STAGE) == 0


@pytest.mark.parametrize(
    "letter", ["no task", "[]", '{"user": "ann"}', '{"user": "ann", "task": "0199aaaa"}']
)
def test_a_dead_letter_that_names_no_task_stays(aws: None, letter: str) -> None:
    sqs = boto3.client("sqs", region_name=cloud.REGION)
    url = f"{cloud.ENVIRONMENT['QUEUE_URL']}-dead-letters"
    sqs.send_message(QueueUrl=url, MessageBody=letter)
    assert redrive(cloud.STAGE) == 0
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessagesNotVisible"] == "1"


def received(sqs: Any) -> list[str]:
    bodies: list[str] = []
    while messages := sqs.receive_message(
        QueueUrl=cloud.ENVIRONMENT["QUEUE_URL"], MaxNumberOfMessages=10, WaitTimeSeconds=0
    ).get("Messages"):
        bodies += [message["Body"] for message in messages]
    return bodies
