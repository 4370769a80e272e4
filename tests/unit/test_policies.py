"""Each Lambda may do the least that it needs, and the files that say so are current."""

import json
from typing import Any

import boto3
import pytest
from chalice.config import Config

from app import app
from infra.policies import CHALICE, STAGES, policies, policy_file, text
from tests import aws_calls, cloud, policy
from tests.aws_calls import running

FUNCTIONS = ["api_handler", "dead_letters", "sweeper", "worker"]
CONFIG = json.loads((CHALICE / "config.json").read_text())
EACH = [(stage, function) for stage in STAGES for function in FUNCTIONS]


def on_disk() -> dict[str, Any]:
    config: dict[str, Any] = json.loads((CHALICE / "config.json").read_text())
    return config


def statements(stage: str, function: str) -> list[dict[str, Any]]:
    """Return what a function is allowed as its file says it, less logs and X-Ray."""
    found = policies(stage)[function]["Statement"]
    return [one for one in found if not one["Action"][0].startswith(("logs:", "xray:"))]


def actions(stage: str, function: str) -> set[str]:
    return {action for one in statements(stage, function) for action in one["Action"]}


def test_the_files_are_what_the_module_generates() -> None:
    generated = {
        policy_file(function, stage).name: text(document)
        for stage in STAGES
        for function, document in policies(stage).items()
    }
    found = {file.name: file.read_text() for file in CHALICE.glob("policy-*.json")}
    assert found == generated, "run `python -m infra.policies`"


@pytest.mark.parametrize("stage", STAGES)
def test_every_function_of_the_app_has_a_policy(stage: str) -> None:
    functions = {"api_handler", *(source.name for source in app.event_sources)}
    assert policies(stage).keys() == functions == set(FUNCTIONS)


@pytest.mark.parametrize(("stage", "function"), EACH)
def test_chalice_takes_the_policy_from_the_functions_own_file(stage: str, function: str) -> None:
    # Chalice writes policies of its own unless it is told not to.
    config = Config(
        stage, function, config_from_disk=CONFIG, default_params={"autogen_policy": True}
    )
    assert config.autogen_policy is False
    assert config.iam_policy_file == policy_file(function, stage).name


def test_the_stages_with_policies_are_all_stages() -> None:
    assert CONFIG["stages"].keys() == set(STAGES)


@pytest.mark.parametrize(("stage", "function"), EACH)
def test_every_statement_allows_named_actions(stage: str, function: str) -> None:
    for statement in policies(stage)[function]["Statement"]:
        assert statement.keys() <= {"Effect", "Action", "Resource", "Condition"}
        assert statement["Effect"] == "Allow"
        assert "*" not in "".join(statement["Action"])


@pytest.mark.parametrize(("stage", "function"), EACH)
def test_only_x_ray_is_allowed_on_everything(stage: str, function: str) -> None:
    for statement in policies(stage)[function]["Statement"]:
        if "*" in statement["Resource"]:
            assert {action.split(":")[0] for action in statement["Action"]} == {"xray"}


@pytest.mark.parametrize(("stage", "function"), EACH)
def test_every_resource_is_one_of_the_stage(stage: str, function: str) -> None:
    for statement in statements(stage, function):
        for resource in statement["Resource"]:
            assert f"tasks-{stage}" in resource.split(":", 5)[5]


@pytest.mark.parametrize("stage", STAGES)
def test_only_their_own_function_touches_the_dead_letters(stage: str) -> None:
    for function in set(FUNCTIONS) - {"dead_letters"}:
        for statement in statements(stage, function):
            for resource in statement["Resource"]:
                # Neither by its name nor by a star that would take it in.
                _, _, service, _, _, name = resource.split(":", 5)
                assert service != "sqs" or name == f"tasks-{stage}"


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("function", ["worker", "dead_letters"])
def test_what_the_queues_feed_creates_no_schedules_and_reads_no_secrets(
    stage: str, function: str
) -> None:
    services = {action.split(":")[0] for action in actions(stage, function)}
    assert services == {"dynamodb", "sqs"}


@pytest.mark.parametrize("stage", STAGES)
def test_only_the_api_reads_the_signing_keys(stage: str) -> None:
    readers = {one for one in FUNCTIONS if "secretsmanager:GetSecretValue" in actions(stage, one)}
    assert readers == {"api_handler"}


@pytest.mark.parametrize("stage", STAGES)
def test_only_the_schedulers_role_is_passed_and_only_to_the_scheduler(stage: str) -> None:
    passing = [
        statement
        for function in FUNCTIONS
        for statement in statements(stage, function)
        if "iam:PassRole" in statement["Action"]
    ]
    assert passing
    for statement in passing:
        assert statement["Action"] == ["iam:PassRole"]
        assert statement["Resource"] == [f"arn:aws:iam::*:role/tasks-{stage}-schedules"]
        assert statement["Condition"] == {
            "StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}
        }


@pytest.mark.parametrize("stage", STAGES)
def test_iam_is_only_used_to_pass_the_schedulers_role(stage: str) -> None:
    used = {action for function in FUNCTIONS for action in actions(stage, function)}
    assert {action for action in used if action.startswith("iam:")} == {"iam:PassRole"}


# -- the check that the integration tests make, tests/policy.py


def test_a_forbidden_call_raises_and_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = aws_calls.install(monkeypatch)
    sqs = boto3.client("sqs", region_name=cloud.REGION)
    queue_url = f"{cloud.ENVIRONMENT['QUEUE_URL']}-dead-letters"
    with running("api_handler"), pytest.raises(AssertionError, match="api_handler may not"):
        sqs.send_message(QueueUrl=queue_url, MessageBody="")
    resource = f"arn:aws:sqs:{cloud.REGION}:{cloud.ACCOUNT}:tasks-test-dead-letters"
    assert [fault.split(": see")[0] for fault in calls.forbidden] == [
        f"api_handler may not sqs:SendMessage on {resource}"
    ]


def test_a_call_without_a_known_right_is_forbidden() -> None:
    fault = policy.check("api_handler", "dynamodb", "Scan", {"TableName": "tasks-test"})
    assert fault is not None
    assert "dynamodb:Scan" in fault


def test_an_index_takes_a_right_of_its_own() -> None:
    parameters = {"TableName": "tasks-test", "IndexName": "watched"}
    fault = policy.check("api_handler", "dynamodb", "Query", parameters)
    assert fault is not None
    assert "table/tasks-test/index/watched" in fault


def test_a_transaction_takes_the_rights_of_all_that_is_in_it() -> None:
    items = [{"Update": {"TableName": "tasks-test"}}, {"Put": {"TableName": "tasks-test"}}]
    fault = policy.check("worker", "dynamodb", "TransactWriteItems", {"TransactItems": items})
    assert fault is not None
    assert "dynamodb:PutItem" in fault


def test_a_schedule_takes_the_right_to_pass_its_role() -> None:
    parameters = {
        "Name": "task-1",
        "GroupName": "tasks-test",
        "Target": {"RoleArn": f"arn:aws:iam::{cloud.ACCOUNT}:role/another"},
    }
    fault = policy.check("sweeper", "scheduler", "CreateSchedule", parameters)
    assert fault is not None
    assert "iam:PassRole" in fault
