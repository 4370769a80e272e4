"""infra/resources.yaml agrees with the code, Chalice's configuration and the docs."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib import lifecycle
from chalicelib.config import Settings
from chalicelib.models.table import Item, Row
from infra import stack
from infra.policies import policies
from tests import cloud

ROOT = Path(__file__).parents[2]
CONFIG = json.loads((ROOT / ".chalice" / "config.json").read_text())
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
RESOURCES: dict[str, Any] = cloud.template()["Resources"]
OUTPUTS: dict[str, Any] = cloud.template()["Outputs"]
ALARMS = {
    name: resource["Properties"]
    for name, resource in RESOURCES.items()
    if resource["Type"] == "AWS::CloudWatch::Alarm"
}
STAGES = list(CONFIG["stages"])
#: Logical names of Chalice's functions, and the suffix after `tasks-<stage>` in AWS's names.
FUNCTIONS = {
    "api_handler": "",
    "worker": "-worker",
    "dead_letters": "-dead_letters",
    "sweeper": "-sweeper",
}

# AWS accepts longer templates only from S3.
LONGEST_TEMPLATE = 51_200


def properties(name: str) -> dict[str, Any]:
    found: dict[str, Any] = RESOURCES[name]["Properties"]
    return found


def text(value: Any, stage: str) -> str:
    """Resolve a string, a Fn::Sub of the stage or a Ref to it."""
    if value == {"Ref": "Stage"}:
        return stage
    if isinstance(value, dict) and set(value) == {"Fn::Sub"}:
        value = value["Fn::Sub"].replace("${Stage}", stage)
    assert isinstance(value, str)
    return value


def name_of(value: Any, stage: str) -> str:
    """Return the name of the resource that a Ref or Fn::GetAtt refers to, or resolve a text."""
    target = ""
    if isinstance(value, dict) and value != {"Ref": "Stage"}:
        target = value.get("Ref") or (value.get("Fn::GetAtt") or [""])[0]
    if not target:
        return text(value, stage)
    [name] = [
        value
        for key, value in properties(target).items()
        if key in {"TableName", "QueueName", "Name", "RoleName"}
    ]
    return text(name, stage)


def of_type(kind: str) -> dict[str, Any]:
    return {name: one for name, one in RESOURCES.items() if one["Type"] == kind}


def timeout(function: str) -> int:
    seconds: int = CONFIG["lambda_functions"][function]["lambda_timeout"]
    return seconds


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
    kept = {name for name, one in RESOURCES.items() if one.get("DeletionPolicy") == "Retain"}
    assert kept == set(stack.DATA) == {"Table", "SigningKeys"}


def test_a_resource_that_outlives_the_stack_outlives_its_replacement() -> None:
    for name, one in RESOURCES.items():
        assert one.get("DeletionPolicy") == one.get("UpdateReplacePolicy"), name


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
def test_a_deployment_writes_values_of_its_own_stage(stage: str) -> None:
    variables = CONFIG["stages"][stage]["environment_variables"]
    assert set(variables) <= {name.upper() for name in Settings.model_fields}
    names = {
        "QUEUE_URL": "Queue",
        "QUEUE_ARN": "Queue",
        "SCHEDULE_ROLE_ARN": "ScheduleRole",
        "SCHEDULE_DEAD_LETTER_ARN": "ScheduleDeadLetterQueue",
    }
    for variable, resource in names.items():
        value = variables.get(variable)
        assert value is None or re.split("[:/]", value)[-1] == name_of({"Ref": resource}, stage)


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
    needed = [name for name, field in Settings.model_fields.items() if field.is_required()]
    assert [stack.variable_name(name).lower() for name in OUTPUTS] == needed


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


def test_every_function_and_the_api_have_a_log_group_of_30_days() -> None:
    groups = {
        text(one["Properties"]["LogGroupName"], "prod"): one["Properties"]["RetentionInDays"]
        for one in of_type("AWS::Logs::LogGroup").values()
    }
    functions = [f"/aws/lambda/tasks-prod{suffix}" for suffix in FUNCTIONS.values()]
    assert groups == dict.fromkeys([*functions, "/aws/apigateway/tasks-prod"], 30)


# -- alarms


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_says_what_to_do_first_and_where_to_read_more(name: str) -> None:
    description = ALARMS[name]["AlarmDescription"]
    assert " First " in description
    sections = re.findall(r'See "(.+)" in docs/operations\.md\.$', description)
    assert len(sections) == 1
    assert f"\n### {sections[0]}\n" in OPERATIONS


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_notifies_the_topic(name: str) -> None:
    assert ALARMS[name]["AlarmActions"] == [{"Ref": "AlarmTopic"}]


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_watches_something_that_exists(name: str) -> None:
    functions = {f"tasks-prod{suffix}" for suffix in FUNCTIONS.values()}
    queues = {name_of({"Ref": queue}, "prod") for queue in of_type("AWS::SQS::Queue")}
    indexes = {one["IndexName"] for one in properties("Table")["GlobalSecondaryIndexes"]}
    table = name_of({"Ref": "Table"}, "prod")
    known = {
        "FunctionName": functions,
        "QueueName": queues,
        "ApiName": {CONFIG["app_name"]},
        "Stage": {CONFIG["stages"]["prod"]["api_gateway_stage"]},
        "TableName": {table},
        "GlobalSecondaryIndexName": indexes,
        "Operation": {
            *("BatchGetItem", "GetItem", "PutItem", "Query", "TransactWriteItems", "UpdateItem")
        },
        # Powertools' name for the service, which the metrics' code takes from the table.
        "service": {table},
    }
    for dimension in ALARMS[name]["Dimensions"]:
        assert name_of(dimension["Value"], "prod") in known[dimension["Name"]]


def test_the_names_of_alarms_are_unique_and_of_the_stage() -> None:
    names = [text(alarm["AlarmName"], "prod") for alarm in ALARMS.values()]
    assert len(set(names)) == len(names)
    assert all(name.startswith("tasks-prod-") for name in names)


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_every_function_has_an_alarm_on(metric: str) -> None:
    watched = {
        name_of(alarm["Dimensions"][0]["Value"], "prod")
        for alarm in ALARMS.values()
        if (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", metric)
    }
    assert watched == {f"tasks-prod{suffix}" for suffix in FUNCTIONS.values()}


def test_every_dead_letter_queue_has_an_alarm_at_the_first_message() -> None:
    watched = {
        name_of(alarm["Dimensions"][0]["Value"], "prod")
        for alarm in ALARMS.values()
        if alarm["Namespace"] == "AWS/SQS" and alarm["Threshold"] == 1
    }
    assert watched == {"tasks-prod-dead-letters", "tasks-prod-schedule-dead-letters"}


def test_no_delay_of_a_message_makes_it_look_old() -> None:
    longest = lifecycle.MAX_DELAY.total_seconds()
    assert ALARMS["OldestMessageAlarm"]["Threshold"] > longest


def test_a_sweeper_that_stops_notifies_and_one_that_never_ran_does_not() -> None:
    alarm = ALARMS["SweeperStoppedAlarm"]
    assert alarm["TreatMissingData"] == "missing"
    assert alarm["InsufficientDataActions"] == [{"Ref": "AlarmTopic"}]


def test_only_the_sweepers_silence_is_an_alarm() -> None:
    silent = {name for name, one in ALARMS.items() if one["TreatMissingData"] == "notBreaching"}
    assert set(ALARMS) - silent == {"SweeperStoppedAlarm"}


def test_alarms_are_mailed_only_to_a_given_address() -> None:
    assert cloud.template()["Parameters"]["AlarmEmail"]["Default"] == ""
    assert RESOURCES["AlarmSubscription"]["Condition"] == "HasAlarmEmail"


# -- the dashboard and the template as a whole


def test_the_dashboard_is_json_and_refers_to_resources_of_the_stack() -> None:
    body = properties("Dashboard")["DashboardBody"]["Fn::Sub"]
    references = set(re.findall(r"\$\{([A-Za-z]+)(?:\.\w+)?\}", body))
    assert references <= {*RESOURCES, "Stage"}
    titles = [widget["properties"]["title"] for widget in json.loads(body)["widgets"]]
    assert len(set(titles)) == len(titles) == 8


def test_the_template_is_short_enough_to_be_sent_without_s3() -> None:
    assert len(stack.TEMPLATE.read_bytes()) <= LONGEST_TEMPLATE
