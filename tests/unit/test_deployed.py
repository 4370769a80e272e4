"""What is deployed is found again in AWS, without Chalice's record of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra import DeployError, chalice_project, deployed

STAGE = "dev"
ACCOUNT = "123456789012"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:tasks-dev"


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr(chalice_project, "RECORDS", tmp_path)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with mock_aws():
        yield


def create_function(name: str, role: str = "") -> str:
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    iam = boto3.client("iam")
    arn = iam.create_role(RoleName=role or name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    function = boto3.client("lambda").create_function(
        FunctionName=name,
        Role=arn,
        Runtime="python3.13",
        Handler="app.app",
        Code={"ZipFile": b"zip"},
    )
    return function["FunctionArn"]


def create_api(function: str, name: str = "tasks") -> str:
    """Create an API that calls a function, as Chalice's does."""
    client = boto3.client("apigateway")
    api = client.create_rest_api(name=name)["id"]
    root = client.get_resources(restApiId=api)["items"][0]["id"]
    place: Any = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
    client.put_method(**place, authorizationType="NONE")
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"
    client.put_integration(**place, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    return api


def create_mapping(function: str, queue: str) -> str:
    boto3.client("sqs").create_queue(QueueName=queue)
    mapping = boto3.client("lambda").create_event_source_mapping(
        EventSourceArn=f"arn:aws:sqs:us-east-1:{ACCOUNT}:{queue}", FunctionName=function
    )
    return mapping["UUID"]


def completed(*recorded: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the record, completed with what is found, by the names of the resources."""
    if recorded:
        chalice_project.write_record(STAGE, list(recorded))
    deployed.complete_record(STAGE)
    return {one["name"]: one for one in chalice_project.read_record(STAGE)}


def test_nothing_is_found_before_the_first_deployment() -> None:
    assert completed() == {}


def test_a_function_is_found_with_its_role() -> None:
    arn = create_function("tasks-dev-worker")
    assert completed() == {
        "worker": {"name": "worker", "resource_type": "lambda_function", "lambda_arn": arn},
        "worker_role": {
            "name": "worker_role",
            "resource_type": "iam_role",
            "role_arn": f"arn:aws:iam::{ACCOUNT}:role/tasks-dev-worker",
            "role_name": "tasks-dev-worker",
        },
    }


def test_a_live_event_source_mapping_is_found_and_not_deleted() -> None:
    arn = create_function("tasks-dev-worker")
    uuid = create_mapping("tasks-dev-worker", "tasks-dev")
    assert completed()["worker-sqs-event-source"] == {
        "name": "worker-sqs-event-source",
        "resource_type": "sqs_event",
        "queue_arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:tasks-dev",
        "event_uuid": uuid,
        "queue": "tasks-dev",
        "lambda_arn": arn,
    }
    assert boto3.client("lambda").get_event_source_mapping(UUID=uuid)["UUID"] == uuid


def test_the_rule_of_the_sweeper_is_found() -> None:
    create_function("tasks-dev-sweeper")
    assert "sweeper-event" not in completed()
    rule = "tasks-dev-sweeper-event"
    boto3.client("events").put_rule(Name=rule, ScheduleExpression="rate(1 minute)")
    assert completed()["sweeper-event"]["rule_name"] == rule


def test_the_api_is_the_one_that_calls_the_stages_function() -> None:
    create_api(FUNCTION.replace("tasks-dev", "tasks-prod"))
    ours = create_api(FUNCTION)
    create_api(FUNCTION, name="another")
    assert completed()["rest_api"] == {
        "name": "rest_api",
        "resource_type": "rest_api",
        "rest_api_id": ours,
        "rest_api_url": f"https://{ours}.execute-api.us-east-1.amazonaws.com/dev/",
    }


def test_an_api_that_calls_an_alias_of_the_function_is_the_stages_too() -> None:
    api = create_api(f"{FUNCTION}:live")
    assert completed()["rest_api"]["rest_api_id"] == api


def test_two_apis_that_call_the_function_stop_the_deployment() -> None:
    ids = [create_api(FUNCTION), create_api(FUNCTION)]
    with pytest.raises(DeployError, match="Delete all but the one") as stopped:
        completed()
    assert all(one in str(stopped.value) for one in ids)


def test_of_two_apis_the_recorded_one_is_the_stages() -> None:
    create_api(FUNCTION)
    recorded = {
        "name": "rest_api",
        "resource_type": "rest_api",
        "rest_api_id": create_api(FUNCTION),
    }
    assert completed(recorded)["rest_api"]["rest_api_id"] == recorded["rest_api_id"]


def test_a_recorded_api_that_is_gone_is_replaced_by_the_one_that_is_there() -> None:
    api = create_api(FUNCTION)
    gone = {"name": "rest_api", "resource_type": "rest_api", "rest_api_id": "gone"}
    assert completed(gone)["rest_api"]["rest_api_id"] == api


def test_a_record_of_another_account_is_dropped() -> None:
    arn = FUNCTION.replace(ACCOUNT, "999999999999")
    other = {"name": "api_handler", "resource_type": "lambda_function", "lambda_arn": arn}
    gone = {"name": "rest_api", "resource_type": "rest_api", "rest_api_id": "gone"}
    assert completed(other, gone) == {}


def test_a_function_that_the_app_no_longer_has_is_deleted_only_if_allowed() -> None:
    old = {"name": "old", "resource_type": "lambda_function", "lambda_arn": f"{FUNCTION}-old"}
    assert completed(old) == {"old": old}
    with pytest.raises(DeployError, match="ALLOW=old"):
        deployed.refuse_to_delete_functions(STAGE, [])
    deployed.refuse_to_delete_functions(STAGE, ["old"])
