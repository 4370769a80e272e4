"""infra/resources.yaml agrees with the code, Chalice's configuration and the docs."""

import json
import re
from dataclasses import MISSING, fields
from datetime import timedelta
from typing import Any

import pytest

from chalicelib import lifecycle
from chalicelib.config import Settings
from chalicelib.models.table import Item, Row
from infra import stage_settings
from infra.policies import policies
from infra.template import DATA, TEMPLATE, variable_name
from tests import cloud
from tests.unit.resources import (
    CONFIG,
    FUNCTIONS,
    LONGEST_TEMPLATE,
    OUTPUTS,
    RESOURCES,
    STAGES,
    name_of,
    of_type,
    properties,
    text,
    timeout,
)

# -- queues


@pytest.mark.parametrize(
    ("queue", "function"), [("Queue", "worker"), ("DeadLetterQueue", "dead_letters")]
)
def test_a_message_is_invisible_for_six_times_the_timeout_of_its_function(
    queue: str, function: str
) -> None:
    assert properties(queue)["VisibilityTimeout"] == 6 * timeout(function)


def test_a_message_is_a_dead_letter_only_long_after_its_task_has_no_tries_left() -> None:
    redrive = properties("Queue")["RedrivePolicy"]
    assert redrive["maxReceiveCount"] == 50
    assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}


def test_a_lease_outlives_its_worker_and_ends_before_its_message_comes_back() -> None:
    invisible = timedelta(seconds=properties("Queue")["VisibilityTimeout"])
    assert timedelta(seconds=timeout("worker")) < lifecycle.LEASE < invisible


def test_dead_letters_are_kept_for_sqs_longest_retention() -> None:
    for queue in ("DeadLetterQueue", "ScheduleDeadLetterQueue"):
        assert properties(queue)["MessageRetentionPeriod"] == 14 * 24 * 3600


def test_every_queue_is_encrypted() -> None:
    assert all(
        one["Properties"]["SqsManagedSseEnabled"] for one in of_type("AWS::SQS::Queue").values()
    )


# -- the table


def test_the_table_has_the_keys_that_the_models_have() -> None:
    schema = Item._get_schema()
    table = properties("Table")

    def by_name(definitions: Any) -> list[Any]:
        return sorted(sorted(one.items()) for one in definitions)

    assert by_name(table["AttributeDefinitions"]) == by_name(schema["attribute_definitions"])
    assert by_name(table["KeySchema"]) == by_name(schema["key_schema"])


def test_the_indexes_are_those_of_the_models() -> None:
    of_models = Item._get_schema()["global_secondary_indexes"]

    def by_type(keys: Any) -> Any:
        return sorted(keys, key=lambda key: str(key["KeyType"]))

    assert [
        (one["IndexName"], by_type(one["KeySchema"]), one["Projection"])
        for one in properties("Table")["GlobalSecondaryIndexes"]
    ] == [(one["index_name"], by_type(one["key_schema"]), one["projection"]) for one in of_models]


def test_no_local_index_limits_the_size_of_a_users_history() -> None:
    assert "LocalSecondaryIndexes" not in properties("Table")


def test_rows_expire_by_the_attribute_that_the_models_set() -> None:
    expiry = properties("Table")["TimeToLiveSpecification"]
    assert expiry == {"AttributeName": Row.expires_at.attr_name, "Enabled": True}


def test_the_table_can_be_restored_and_is_encrypted() -> None:
    table = properties("Table")
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}


# -- deletion with the stack


def test_only_the_table_and_the_keys_outlive_the_stack() -> None:
    policies = {name: one.get("DeletionPolicy", "Delete") for name, one in RESOURCES.items()}
    kept = {name for name, policy in policies.items() if policy != "Delete"}
    assert kept == set(DATA) == {"Table", "SigningKeys"}


def test_a_first_deployment_that_fails_leaves_no_data_in_the_way_of_the_next() -> None:
    assert {RESOURCES[name]["DeletionPolicy"] for name in DATA} == {"RetainExceptOnCreate"}


def test_a_resource_that_outlives_the_stack_outlives_its_replacement() -> None:
    for name, one in RESOURCES.items():
        retained = one.get("DeletionPolicy", "Delete") != "Delete"
        assert (one.get("UpdateReplacePolicy") == "Retain") == retained, name


def test_a_table_can_be_protected_from_deletion_but_not_while_it_is_created() -> None:
    assert properties("Table")["DeletionProtectionEnabled"] == {"Ref": "DeletionProtection"}
    assert cloud.template()["Parameters"]["DeletionProtection"]["Default"] == "false"


def test_every_resource_with_data_says_whether_it_is_deleted() -> None:
    kinds = {
        "AWS::DynamoDB::Table",
        "AWS::SQS::Queue",
        "AWS::SecretsManager::Secret",
        "AWS::Logs::LogGroup",
    }
    silent = {
        name
        for name, one in RESOURCES.items()
        if one["Type"] in kinds and "DeletionPolicy" not in one
    }
    assert not silent


# -- names


@pytest.mark.parametrize("stage", STAGES)
def test_chalices_configuration_has_the_names_of_the_stacks_resources(stage: str) -> None:
    variables = CONFIG["stages"][stage]["environment_variables"]
    expected = {
        "TABLE_NAME": name_of({"Ref": "Table"}, stage),
        "DEAD_LETTER_QUEUE_NAME": name_of({"Ref": "DeadLetterQueue"}, stage),
        "SCHEDULE_GROUP": name_of({"Ref": "ScheduleGroup"}, stage),
    }
    assert expected.items() <= variables.items()


@pytest.mark.parametrize("stage", STAGES)
def test_chalices_configuration_in_the_repository_has_only_settings(stage: str) -> None:
    variables = CONFIG["stages"][stage]["environment_variables"]
    assert set(variables) <= {one.name.upper() for one in fields(Settings)}


def test_chalices_configuration_in_the_repository_has_no_account() -> None:
    assert not re.search(r"\d{12}|arn:|https:", json.dumps(CONFIG))


@pytest.mark.parametrize("stage", STAGES)
def test_the_policies_name_resources_of_the_stack(stage: str) -> None:
    made = {
        text(value, stage)
        for one in RESOURCES.values()
        for key, value in one.get("Properties", {}).items()
        if key in {"TableName", "QueueName", "Name", "RoleName"} and value
    }
    arns = {
        arn
        for policy in policies(stage).values()
        for statement in policy["Statement"]
        for arn in statement["Resource"]
        if re.match("arn:aws:(dynamodb|sqs|scheduler|iam|secretsmanager):", arn)
    }
    named = {re.sub("^(table|schedule|role|secret)[/:]", "", arn.split(":", 5)[5]) for arn in arns}
    named = {re.sub("(/index/.*|/[*]|-[*])$", "", name) for name in named}
    assert named
    assert named <= made


def test_the_outputs_are_the_settings_that_have_no_default() -> None:
    needed = [one.name for one in fields(Settings) if one.default is MISSING]
    assert [variable_name(name).lower() for name in OUTPUTS] == needed


# -- roles


def test_only_schedules_of_the_stages_group_may_use_the_schedule_role() -> None:
    [trust] = properties("ScheduleRole")["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    condition = trust["Condition"]["StringEquals"]
    assert condition["aws:SourceAccount"] == {"Ref": "AWS::AccountId"}
    # EventBridge Scheduler sends the ARN of the group, not of a schedule.
    group = name_of({"Ref": "ScheduleGroup"}, "prod")
    assert text(condition["aws:SourceArn"], "prod") == (
        "arn:${AWS::Partition}:scheduler:${AWS::Region}:${AWS::AccountId}:schedule-group/" + group
    )


def test_the_schedule_role_can_send_to_its_two_queues_and_nothing_else() -> None:
    [policy] = properties("ScheduleRole")["Policies"]
    [statement] = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Resource"] == [
        {"Fn::GetAtt": ["Queue", "Arn"]},
        {"Fn::GetAtt": ["ScheduleDeadLetterQueue", "Arn"]},
    ]


def test_api_gateway_finds_the_role_that_it_logs_with() -> None:
    assert name_of({"Ref": "ApiLogRole"}, "prod") == "tasks-prod-api-logs"
    [trust] = properties("ApiLogRole")["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "apigateway.amazonaws.com"}


# -- logs


def test_every_function_and_the_api_have_a_log_group_with_the_stages_retention() -> None:
    groups = {
        text(one["Properties"]["LogGroupName"], "prod"): one["Properties"]["RetentionInDays"]
        for one in of_type("AWS::Logs::LogGroup").values()
    }
    functions = [f"/aws/lambda/tasks-prod{suffix}" for suffix in FUNCTIONS.values()]
    names = [*functions, stage_settings.access_log_group("prod")]
    assert groups == {name: {"Ref": "LogRetentionDays"} for name in names}


# -- the template as a whole


@pytest.mark.parametrize("stage", STAGES)
def test_the_stage_settings_are_parameters_of_the_template(stage: str) -> None:
    parameters = cloud.template()["Parameters"]
    given = set(stage_settings.of(stage).parameters)
    assert given == set(parameters) - {"Stage", "AlarmEmail", "DeletionProtection"}


@pytest.mark.parametrize(("resource", "condition"), [("WebAcl", "HasWaf"), ("Budget", "HasBudget")])
def test_what_costs_money_of_its_own_is_off_by_default(resource: str, condition: str) -> None:
    assert RESOURCES[resource]["Condition"] == condition
    [switch] = re.findall(r"'Ref': '(\w+)'", str(cloud.template()["Conditions"][condition]))
    assert cloud.template()["Parameters"][switch]["Default"] == 0


def test_a_web_acl_counts_the_requests_of_each_address() -> None:
    [rule] = properties("WebAcl")["Rules"]
    assert rule["Action"] == {"Block": {}}
    assert rule["Statement"]["RateBasedStatement"]["AggregateKeyType"] == "IP"


def test_a_budget_without_an_address_is_refused() -> None:
    [rule] = cloud.template()["Rules"].values()
    assert "MonthlyBudget" in str(rule["RuleCondition"])
    assert "AlarmEmail" in str(rule["Assertions"])


def test_the_template_is_short_enough_to_be_sent_without_s3() -> None:
    assert len(TEMPLATE.read_bytes()) <= LONGEST_TEMPLATE
