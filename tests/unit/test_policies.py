"""Each Lambda has the rights that its calls take and no more, and the policy files are current."""

import json
from typing import Any

import boto3
import pytest
from chalice.config import Config

from app import app
from infra.policies import CHALICE, STAGES, policies, policy_file, to_json
from tests import aws_calls, cloud, policy
from tests.aws_calls import running

FUNCTIONS = ["api_handler", "dead_letters", "sweeper", "worker"]
CONFIG = json.loads((CHALICE / "config.json").read_text())
EACH = [(stage, function) for stage in STAGES for function in FUNCTIONS]


def statements(stage: str, function: str) -> list[dict[str, Any]]:
    """Return the statements of a function's policy, less logs and X-Ray."""
    found = policies(stage)[function]["Statement"]
    return [one for one in found if not one["Action"][0].startswith(("logs:", "xray:"))]


def actions(stage: str, function: str) -> set[str]:
    return {action for one in statements(stage, function) for action in one["Action"]}


def test_the_files_are_what_the_module_generates() -> None:
    generated = {
        policy_file(function, stage).name: to_json(document)
        for stage in STAGES
        for function, document in policies(stage).items()
    }
    found = {file.name: file.read_text() for file in CHALICE.glob("policy-*.json")}
    assert found == generated, "run `make policies`"


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
def test_nothing_is_allowed_on_everything(stage: str, function: str) -> None:
    for statement in policies(stage)[function]["Statement"]:
        assert "*" not in statement["Resource"]


@pytest.mark.parametrize(("stage", "function"), EACH)
def test_tracing_adds_the_rights_for_x_ray_and_no_others(stage: str, function: str) -> None:
    statements = policies(stage)[function]["Statement"]
    *same, added = policies(stage, tracing=True)[function]["Statement"]
    assert same == statements
    assert {action.split(":")[0] for action in added["Action"]} == {"xray"}


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
                # Neither by name nor by a star that covers it.
                _, _, service, _, _, name = resource.split(":", 5)
                assert service != "sqs" or name == f"tasks-{stage}"


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
    assert calls.forbidden == [
        "api_handler may not sqs:SendMessage on the dead-letter queue: run `make policies`"
    ]


TABLE = {"TableName": "tasks-test"}
QUEUE = {"QueueUrl": cloud.ENVIRONMENT["QUEUE_URL"]}
SCHEDULE = {"Name": "task-1", "GroupName": "tasks-test"}
ROLE = {"RoleArn": cloud.ENVIRONMENT["SCHEDULE_ROLE_ARN"]}


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "rights"),
    [
        ("dynamodb", "Scan", TABLE, {"table": ["dynamodb:Scan"]}),
        (
            "dynamodb",
            "Query",
            TABLE | {"IndexName": "sweep"},
            {"sweep index": ["dynamodb:Query"]},
        ),
        (
            "dynamodb",
            "BatchGetItem",
            {"RequestItems": {"tasks-test": {}}},
            {"table": ["dynamodb:BatchGetItem"]},
        ),
        (
            "dynamodb",
            "TransactWriteItems",
            {"TransactItems": [{"Update": TABLE}, {"Put": TABLE}, {"ConditionCheck": TABLE}]},
            {"table": ["dynamodb:ConditionCheckItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]},
        ),
        ("sqs", "SendMessageBatch", QUEUE, {"queue": ["sqs:SendMessage"]}),
        (
            "sqs",
            "ChangeMessageVisibilityBatch",
            QUEUE,
            {"queue": ["sqs:ChangeMessageVisibility"]},
        ),
        (
            "scheduler",
            "CreateSchedule",
            SCHEDULE | {"Target": ROLE},
            {"schedule role": ["iam:PassRole"], "schedules": ["scheduler:CreateSchedule"]},
        ),
        ("scheduler", "DeleteSchedule", SCHEDULE, {"schedules": ["scheduler:DeleteSchedule"]}),
    ],
)
def test_a_recording_allows_every_call_and_keeps_the_rights_it_takes(
    service: str,
    operation: str,
    parameters: dict[str, Any],
    rights: dict[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(policy, "RECORDING", True)
    monkeypatch.setattr(policy, "needed", set())
    assert policy.check("worker", service, operation, parameters) is None
    assert policy.recorded() == {"worker": rights}


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("dynamodb", "ListTables", {}),
        ("dynamodb", "GetItem", {"TableName": "tasks-prod"}),
        ("sqs", "SendMessage", {"QueueUrl": f"{QUEUE['QueueUrl']}-2"}),
        ("scheduler", "DeleteSchedule", {"Name": "task-1"}),
        (
            "scheduler",
            "CreateSchedule",
            SCHEDULE | {"Target": {"RoleArn": "arn:aws:iam::1:role/x"}},
        ),
        ("s3", "GetObject", {"Bucket": "tasks-test"}),
    ],
)
def test_even_a_recording_refuses_a_call_on_a_resource_that_is_not_ours(
    service: str, operation: str, parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "RECORDING", True)
    fault = policy.check("worker", service, operation, parameters)
    assert fault is not None
    assert "has no such resource" in fault
