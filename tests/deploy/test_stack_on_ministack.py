"""The stack of a stage on MiniStack, which imports tables by AWS's rules, but no secrets.

tests/unit/test_stack.py has the calls for both.
"""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from infra import StackError, stack
from infra.change_set import Template
from infra.local import emulated
from infra.local.cloud import cloud
from infra.template import read_template

STAGE = "dev"
NAME = "tasks-dev"
KEYS = "tasks-dev-signing-keys"


def deploy() -> None:
    stack.deploy(STAGE, template=emulated.template())


class Aws:
    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._session = boto3.Session("test", "test", region_name="us-east-1")
        self.dynamodb = self.client("dynamodb")
        self.secrets = self.client("secretsmanager")
        self.cloudformation = self.client("cloudformation")

    def client(self, name: str) -> Any:
        return self._session.client(name, endpoint_url=self._endpoint)  # type: ignore[call-overload]

    @property
    def keys(self) -> str:
        value: str = self.secrets.get_secret_value(SecretId=KEYS)["SecretString"]
        return value

    @property
    def resources(self) -> dict[str, str]:
        pages = self.cloudformation.get_paginator("list_stack_resources").paginate(StackName=NAME)
        summaries = [one for page in pages for one in page["StackResourceSummaries"]]
        return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in summaries}

    def delete_stack(self) -> None:
        """Delete the stack, and the keys that it leaves: MiniStack could not import them."""
        stack.delete(NAME)
        self.secrets.delete_secret(SecretId=KEYS, ForceDeleteWithoutRecovery=True)

    def write_row(self) -> None:
        self.dynamodb.put_item(TableName=NAME, Item={"pk": {"S": "a"}, "sk": {"S": "b"}})

    def rows(self) -> int:
        count: int = self.dynamodb.scan(TableName=NAME)["Count"]
        return count


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    with cloud("embedded", tmp_path_factory.mktemp("ministack")) as endpoint:
        yield Aws(endpoint)


@pytest.fixture
def aws(ministack: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    monkeypatch.setattr(boto3, "client", ministack.client)
    yield ministack
    stack.delete(NAME)
    stack.delete_data(STAGE)


def test_a_stage_that_is_destroyed_and_deployed_again_has_its_rows(aws: Aws) -> None:
    deploy()
    aws.write_row()
    aws.delete_stack()
    deploy()
    assert aws.rows() == 1
    assert aws.resources["Table"] == NAME
    assert aws.resources["Queue"] == stack.environment(STAGE)["QUEUE_URL"]


def test_a_table_that_was_taken_over_outlives_the_next_stack_too(aws: Aws) -> None:
    for _ in range(3):
        deploy()
        aws.write_row()
        aws.delete_stack()
    assert aws.rows() == 1


def test_a_stage_destroyed_with_its_data_starts_empty(aws: Aws) -> None:
    deploy()
    aws.write_row()
    keys = aws.keys
    stack.delete(NAME)
    stack.delete_data(STAGE)
    deploy()
    assert aws.rows() == 0
    assert aws.keys != keys


def test_a_first_deployment_that_failed_can_be_repeated(aws: Aws) -> None:
    fails = {
        "Signal": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
        "NeverComes": {
            "Type": "AWS::CloudFormation::WaitCondition",
            "DependsOn": ["Table", "SigningKeys"],
            "Properties": {"Handle": {"Ref": "Signal"}, "Timeout": "1"},
        },
    }
    whole = emulated.reduced(read_template())
    template = Template(json.dumps({**whole, "Resources": fails | whole["Resources"]}))
    with pytest.raises(StackError, match="NeverComes"):
        stack.bring_up_to_date(NAME, STAGE, template, {})
    deploy()
    assert {"Table", "SigningKeys"} <= set(aws.resources)


def test_a_stack_left_in_review_can_be_deployed(aws: Aws) -> None:
    aws.cloudformation.create_change_set(
        StackName=NAME,
        ChangeSetName="never-executed",
        ChangeSetType="CREATE",
        TemplateBody='{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}',
    )
    deploy()
    assert "Table" in aws.resources


def test_deploying_again_without_a_change_changes_nothing(aws: Aws) -> None:
    deploy()
    before = aws.resources
    deploy()
    assert aws.resources == before


def test_a_template_without_the_table_is_refused_and_changes_nothing(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy()
    template = Template('{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}')
    with pytest.raises(
        StackError, match=r"Remove Table: AWS::DynamoDB::Table tasks-dev"
    ) as refused:
        stack.bring_up_to_date(NAME, STAGE, template, {})
    assert "ALLOW=" in str(refused.value)
    assert "Table" in aws.resources
