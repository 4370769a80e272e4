"""The stack of infra/resources.yaml in moto or LocalStack, and the names of its resources."""

import json
import os
from functools import cache
from typing import Any, cast

import boto3
from localstack_client import config as localstack
from moto.backends import get_backend

from infra import stack
from infra.local import emulated
from infra.template import read_template

STAGE = "test"
REGION = "us-east-1"

#: Whether the tests use a running LocalStack instead of moto.
IN_LOCALSTACK = os.environ.get("TEST_CLOUD") == "localstack"

# The processes of pytest-xdist share one LocalStack, so each has an account of its own in it.
_PROCESS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
ACCOUNT = str(123456789012 + (_PROCESS if IN_LOCALSTACK else 0))

_QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:tasks-{STAGE}"

ENVIRONMENT = {
    # LocalStack reads a key of 12 digits as the account.
    "AWS_ACCESS_KEY_ID": ACCOUNT,
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "TABLE_NAME": f"tasks-{STAGE}",
    "QUEUE_URL": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/tasks-{STAGE}",
    "QUEUE_ARN": _QUEUE_ARN,
    "DEAD_LETTER_QUEUE_NAME": f"tasks-{STAGE}-dead-letters",
    "SCHEDULE_GROUP": f"tasks-{STAGE}",
    "SCHEDULE_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/tasks-{STAGE}-schedules",
    "SCHEDULE_DEAD_LETTER_ARN": f"{_QUEUE_ARN}-schedule-dead-letters",
    "SIGNING_KEYS_ARN": f"tasks-{STAGE}-signing-keys",
}

SIGNING_KEYS = {"current": "k1", "k1": "a" * 64}

Row = dict[str, Any]

# What the service's calls need; moto's CloudFormation does not know every other type.
_NEEDED = ("AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::IAM::Role")


@cache
def client(session: boto3.Session, service: Any) -> Any:
    """Return the client of a service that the session has already, if it has one."""
    # Making a client takes longer than a call.
    return session.client(service)


@cache
def _template() -> str:
    return json.dumps(read_template())


def template() -> dict[str, Any]:
    """Return infra/resources.yaml with its short tags written out."""
    decoded: dict[str, Any] = json.loads(_template())
    return decoded


def default_client(service: Any) -> Any:
    """Return the client of a service that the tests share."""
    return client(boto3._get_default_session(), service)


def backend(service: Any) -> Any:
    """Return where moto keeps what a service stores."""
    return get_backend(service)[ACCOUNT][REGION]


def create_resources(session: boto3.Session) -> None:
    reduced = template()
    resources = reduced["Resources"].items()
    reduced["Resources"] = {name: one for name, one in resources if one["Type"] in _NEEDED}
    for section in ("Outputs", "Rules"):
        del reduced[section]
    session.client("cloudformation").create_stack(
        StackName=f"tasks-{STAGE}",
        TemplateBody=json.dumps(reduced),
        Parameters=[{"ParameterKey": "Stage", "ParameterValue": STAGE}],
    )
    session.client("scheduler").create_schedule_group(Name=ENVIRONMENT["SCHEDULE_GROUP"])
    restore_signing_keys(session)


def connect_to_localstack() -> None:
    """Point every client to LocalStack and create the stack there."""
    ENVIRONMENT["AWS_ENDPOINT_URL"] = localstack.get_service_endpoint("dynamodb")
    os.environ |= ENVIRONMENT
    stack.deploy(STAGE, template=emulated.template())
    ENVIRONMENT["QUEUE_URL"] = stack.environment(STAGE)["QUEUE_URL"]


def empty_resources(session: boto3.Session) -> None:
    """Reset the stack to its first state."""
    if IN_LOCALSTACK:
        _empty_localstack(session)
    else:
        _empty_moto()
    restore_signing_keys(session)


def _empty_moto() -> None:
    # Every test does so, and calls would take ten times as long.
    table_items().clear()
    queues = backend("sqs")
    for name in queues.queues:
        queues.purge_queue(name)
    stored_schedules().clear()


def _empty_localstack(session: boto3.Session) -> None:
    sqs, group = client(session, "sqs"), ENVIRONMENT["SCHEDULE_GROUP"]
    name, dynamodb = ENVIRONMENT["TABLE_NAME"], client(session, "dynamodb")
    pages = dynamodb.get_paginator("scan").paginate(TableName=name, ProjectionExpression="pk, sk")
    for row in [row for page in pages for row in page["Items"]]:
        dynamodb.delete_item(TableName=name, Key=row)
    for suffix in ("", "-dead-letters", "-schedule-dead-letters"):
        sqs.purge_queue(QueueUrl=ENVIRONMENT["QUEUE_URL"] + suffix)
    scheduler = client(session, "scheduler")
    for page in scheduler.get_paginator("list_schedules").paginate(GroupName=group):
        for one in page["Schedules"]:
            scheduler.delete_schedule(GroupName=group, Name=one["Name"])


def rows() -> list[Row]:
    """Return the whole table, in DynamoDB's JSON."""
    if IN_LOCALSTACK:
        pages = default_client("dynamodb").get_paginator("scan")
        found = pages.paginate(TableName=ENVIRONMENT["TABLE_NAME"], ConsistentRead=True)
        return [row for page in found for row in page["Items"]]
    # Every test does so, often several times, and calls would take ten times as long.
    return [_json(item) for items in table_items().values() for item in items.values()]


def row(pk: Row, sk: Row) -> Row | None:
    """Return one row, None if there is none."""
    if IN_LOCALSTACK:
        found = default_client("dynamodb").get_item(
            TableName=ENVIRONMENT["TABLE_NAME"], Key={"pk": pk, "sk": sk}, ConsistentRead=True
        )
        return cast("Row | None", found.get("Item"))
    item = backend("dynamodb").get_item(ENVIRONMENT["TABLE_NAME"], {"pk": pk, "sk": sk})
    return item and _json(item)


def schedules() -> list[str]:
    """Return the names of all one-time schedules."""
    if not IN_LOCALSTACK:
        return [*stored_schedules()]
    pages = default_client("scheduler").get_paginator("list_schedules")
    found = pages.paginate(GroupName=ENVIRONMENT["SCHEDULE_GROUP"])
    return [one["Name"] for page in found for one in page["Schedules"]]


def _json(item: Any) -> Row:
    attributes: Row = item.to_json()["Attributes"]
    return attributes


def table_items() -> Any:
    """Return the items that moto stores, by their keys."""
    return backend("dynamodb").tables[ENVIRONMENT["TABLE_NAME"]].items


def stored_schedules() -> Any:
    """Return the schedules that moto stores, by their names."""
    return backend("scheduler").schedule_groups[ENVIRONMENT["SCHEDULE_GROUP"]].schedules


def restore_signing_keys(session: boto3.Session) -> None:
    """Reset the secret to its value at the beginning of each test."""
    secrets, keys = client(session, "secretsmanager"), json.dumps(SIGNING_KEYS)
    try:
        secrets.put_secret_value(SecretId=ENVIRONMENT["SIGNING_KEYS_ARN"], SecretString=keys)
    except secrets.exceptions.ResourceNotFoundException:
        secrets.create_secret(Name=ENVIRONMENT["SIGNING_KEYS_ARN"], SecretString=keys)
