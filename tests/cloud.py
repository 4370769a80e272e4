"""The stack of infra/resources.yaml in moto, and the names of everything in it."""

import json
from functools import cache
from typing import Any

import boto3
import cfnlint.decode
from cfnlint.decode.node import dict_node

from infra.stack import TEMPLATE

STAGE = "test"
REGION = "us-east-1"
ACCOUNT = "123456789012"

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "TABLE_NAME": f"tasks-{STAGE}",
    "QUEUE_URL": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/tasks-{STAGE}",
    "QUEUE_ARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:tasks-{STAGE}",
    "DEAD_LETTER_QUEUE_NAME": f"tasks-{STAGE}-dead-letters",
    "SCHEDULE_GROUP": f"tasks-{STAGE}",
    "SCHEDULE_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/tasks-{STAGE}-schedules",
    "SCHEDULE_DEAD_LETTER_ARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:tasks-{STAGE}-schedule-dead",
    "SIGNING_KEYS_ARN": f"tasks-{STAGE}-signing-keys",
}

SIGNING_KEYS = {"current": "k1", "k1": "a" * 64}

# What the service's calls need; moto's CloudFormation does not know all the rest.
_NEEDED = ("AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::IAM::Role")


@cache
def _template() -> str:
    decoded, faults = cfnlint.decode.decode(str(TEMPLATE))
    assert isinstance(decoded, dict_node), faults
    return json.dumps(decoded)


def template() -> dict[str, Any]:
    """Return infra/resources.yaml with its short tags written out."""
    decoded: dict[str, Any] = json.loads(_template())
    return decoded


def create_resources(session: boto3.Session) -> None:
    reduced = template()
    resources = reduced["Resources"].items()
    reduced["Resources"] = {name: one for name, one in resources if one["Type"] in _NEEDED}
    for section in ("Conditions", "Outputs"):
        del reduced[section]
    session.client("cloudformation").create_stack(
        StackName=f"tasks-{STAGE}",
        TemplateBody=json.dumps(reduced),
        Parameters=[{"ParameterKey": "Stage", "ParameterValue": STAGE}],
    )
    session.client("scheduler").create_schedule_group(Name=ENVIRONMENT["SCHEDULE_GROUP"])
    session.client("secretsmanager").create_secret(
        Name=ENVIRONMENT["SIGNING_KEYS_ARN"], SecretString=json.dumps(SIGNING_KEYS)
    )
