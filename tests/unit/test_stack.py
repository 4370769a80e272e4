"""The calls that change a stack, exactly; botocore checks them against CloudFormation's model."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from infra import StackError, package_stack, stack, stage_settings
from infra.template import TEMPLATE

NAME = "tasks-dev"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:tasks-dev-signing-keys-AbCdEf"
STAGE = {"ParameterKey": "Stage", "ParameterValue": "dev"}
SETTINGS = [
    {"ParameterKey": name, "ParameterValue": value}
    for name, value in stage_settings.of("dev").parameters.items()
]
TAGS = [{"Key": "service", "Value": "tasks"}, {"Key": "stage", "Value": "dev"}]
EMAIL = {"ParameterKey": "AlarmEmail", "UsePreviousValue": True}


class Aws:
    """Scripts AWS's answers: every call must come with these parameters, in this order."""

    def __init__(self, stubbers: dict[str, Stubber]) -> None:
        self._stubbers = stubbers
        self._cloudformation = stubbers["cloudformation"]

    def answer(self, operation: str, answer: Any, expected: Any) -> None:
        self._cloudformation.add_response(operation, answer, expected)

    def stack(self, status: str | None, name: str = NAME, **more: Any) -> None:
        """Somebody asks for a stack, which is in a state, or does not exist."""
        if status is None:
            self._cloudformation.add_client_error(
                "describe_stacks",
                "ValidationError",
                f"Stack with id {name} does not exist",
                expected_params={"StackName": name},
            )
            return
        described = {
            "StackName": name,
            "StackStatus": status,
            "CreationTime": datetime.now(UTC),
            "Parameters": [
                {"ParameterKey": "Stage", "ParameterValue": "dev"},
                {"ParameterKey": "AlarmEmail", "ParameterValue": "ops@example.com"},
            ],
            **more,
        }
        self.answer("describe_stacks", {"Stacks": [described]}, {"StackName": name})

    def deleted(self, name: str = NAME) -> None:
        self.answer("delete_stack", {}, {"StackName": name})
        self.stack(None, name)

    def change_set(self, kind: str, *changes: dict[str, Any], **expected: Any) -> None:
        """Somebody creates a change set and reads it, on two pages."""
        named = {"StackName": NAME, "ChangeSetName": ANY}
        request = {
            **named,
            "ChangeSetType": kind,
            "Parameters": [STAGE, *SETTINGS],
            "Capabilities": ("CAPABILITY_NAMED_IAM",),
            "TemplateBody": TEMPLATE.read_text(),
        }
        if kind != "IMPORT":  # An import adds what exists, and changes nothing.
            request["Tags"] = TAGS
        self.answer("create_change_set", {"Id": "i", "StackId": "s"}, request | expected)
        self.answer("describe_change_set", {"Status": "CREATE_COMPLETE"}, named)
        self.answer("describe_change_set", {"Changes": [], "NextToken": "2"}, named)
        page = [{"Type": "Resource", "ResourceChange": change} for change in changes]
        self.answer("describe_change_set", {"Changes": page}, {**named, "NextToken": "2"})

    def executed(self, then: str) -> None:
        self.answer("execute_change_set", {}, {"StackName": NAME, "ChangeSetName": ANY})
        self.stack(then)

    def leftovers(self, *, table: bool, secret: bool, **of_secret: Any) -> None:
        """Somebody looks for a table and keys outside of the stack."""
        dynamodb, secrets = self._stubbers["dynamodb"], self._stubbers["secretsmanager"]
        if table:
            dynamodb.add_response(
                "describe_table", {"Table": {"TableStatus": "ACTIVE"}}, {"TableName": NAME}
            )
        else:
            dynamodb.add_client_error("describe_table", "ResourceNotFoundException")
        if secret:
            secrets.add_response(
                "describe_secret", {"ARN": SECRET} | of_secret, {"SecretId": f"{NAME}-signing-keys"}
            )
        else:
            secrets.add_client_error("describe_secret", "ResourceNotFoundException")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    session = boto3.Session("test", "test", region_name="us-east-1")
    names = ("cloudformation", "dynamodb", "secretsmanager")
    clients = {name: session.client(name) for name in names}  # type: ignore[call-overload]
    monkeypatch.setattr(boto3, "client", clients.__getitem__)
    stubbers = {name: Stubber(client) for name, client in clients.items()}
    for stubber in stubbers.values():
        stubber.activate()
    yield Aws(stubbers)
    for stubber in stubbers.values():
        stubber.assert_no_pending_responses()


@pytest.fixture
def no_package(aws: Aws) -> None:
    aws.stack(None, f"{NAME}-package")


def change(action: str, kind: str, name: str = "Thing", **more: str) -> dict[str, Any]:
    return {"Action": action, "ResourceType": kind, "LogicalResourceId": name, **more}


TABLE = {
    "ResourceType": "AWS::DynamoDB::Table",
    "LogicalResourceId": "Table",
    "ResourceIdentifier": {"TableName": NAME},
}
KEYS = {
    "ResourceType": "AWS::SecretsManager::Secret",
    "LogicalResourceId": "SigningKeys",
    "ResourceIdentifier": {"Id": SECRET},
}


class ImportOf:
    """Equal to the text of a template that contains only these resources, all retained."""

    def __init__(self, *names: str) -> None:
        self._names = set(names)

    def __eq__(self, text: object) -> bool:
        assert isinstance(text, str)
        template = json.loads(text)
        resources = template["Resources"]
        return (
            set(resources) == self._names
            and {one["DeletionPolicy"] for one in resources.values()} == {"Retain"}
            and "Outputs" not in template
        )

    __hash__ = None  # type: ignore[assignment]


# -- the first deployment, and the next


@pytest.mark.usefixtures("no_package")
def test_a_new_stack_is_created(aws: Aws) -> None:
    aws.stack(None)
    aws.leftovers(table=False, secret=False)
    aws.change_set("CREATE", change("Add", "AWS::DynamoDB::Table"))
    aws.executed("CREATE_COMPLETE")
    aws.stack("CREATE_COMPLETE")
    stack.deploy("dev")


@pytest.mark.usefixtures("no_package")
def test_an_existing_stack_keeps_the_parameters_that_are_not_given(aws: Aws) -> None:
    aws.stack("UPDATE_COMPLETE")
    aws.change_set("UPDATE", Parameters=[STAGE, *SETTINGS, EMAIL])
    aws.executed("UPDATE_COMPLETE")
    stack.deploy("dev")


@pytest.mark.usefixtures("no_package")
def test_a_parameter_that_the_template_no_longer_has_is_dropped(aws: Aws) -> None:
    old = [{"ParameterKey": key, "ParameterValue": "x"} for key in ("Stage", "Gone", "AlarmEmail")]
    aws.stack("UPDATE_COMPLETE", Parameters=old)
    aws.change_set("UPDATE", Parameters=[STAGE, *SETTINGS, EMAIL])
    aws.executed("UPDATE_COMPLETE")
    stack.deploy("dev")


@pytest.mark.usefixtures("no_package")
def test_nothing_to_change_is_not_a_failure(aws: Aws) -> None:
    aws.stack("UPDATE_COMPLETE")
    aws.answer("create_change_set", {}, None)
    reason = "The submitted information didn't contain changes."
    aws.answer("describe_change_set", {"Status": "FAILED", "StatusReason": reason}, None)
    aws.answer("delete_change_set", {}, {"StackName": NAME, "ChangeSetName": ANY})
    stack.deploy("dev")


@pytest.mark.parametrize(
    "status", ["REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"]
)
@pytest.mark.usefixtures("no_package")
def test_a_stack_whose_first_deployment_failed_is_deleted_and_created_again(
    aws: Aws, status: str
) -> None:
    aws.stack(status)
    aws.deleted()
    aws.leftovers(table=False, secret=False)
    aws.change_set("CREATE")
    aws.executed("CREATE_COMPLETE")
    aws.stack("CREATE_COMPLETE")
    stack.deploy("dev")


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        ("DELETE_FAILED", "make destroy"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name tasks-dev"),
        ("UPDATE_IN_PROGRESS", "Wait for it"),
    ],
)
@pytest.mark.usefixtures("no_package")
def test_a_stack_in_another_state_says_what_to_do(aws: Aws, status: str, advice: str) -> None:
    aws.stack(status)
    with pytest.raises(StackError, match=advice):
        stack.deploy("dev")


@pytest.mark.usefixtures("no_package")
def test_a_failure_names_the_resource_that_failed_first(aws: Aws) -> None:
    def event(name: str, status: str, reason: str) -> dict[str, Any]:
        ids = {"StackId": "s", "EventId": name, "StackName": NAME, "Timestamp": datetime.now(UTC)}
        event = {"LogicalResourceId": name, "ResourceStatus": status}
        return ids | event | {"ResourceStatusReason": reason}

    aws.stack("UPDATE_COMPLETE")
    aws.change_set("UPDATE", Parameters=[STAGE, *SETTINGS, EMAIL])
    aws.executed("UPDATE_ROLLBACK_COMPLETE")
    events = [
        event("Queue", "CREATE_FAILED", "Resource creation cancelled"),
        event("ScheduleRole", "CREATE_FAILED", "not authorized to perform: iam:CreateRole"),
        event(NAME, "UPDATE_IN_PROGRESS", "User Initiated"),
        event("Old", "CREATE_FAILED", "of an earlier operation"),
    ]
    aws.answer("describe_stack_events", {"StackEvents": events}, {"StackName": NAME})
    with pytest.raises(StackError, match="ScheduleRole: not authorized to perform: iam:CreateRole"):
        stack.deploy("dev")


# -- what an earlier stack left behind


@pytest.mark.usefixtures("no_package")
def test_a_table_and_keys_left_behind_are_imported_alone_before_the_rest_is_created(
    aws: Aws,
) -> None:
    aws.stack(None)
    aws.leftovers(table=True, secret=True)
    aws.change_set(
        "IMPORT",
        change("Import", "AWS::DynamoDB::Table"),
        TemplateBody=ImportOf("Table", "SigningKeys"),
        ResourcesToImport=[TABLE, KEYS],
    )
    aws.executed("IMPORT_COMPLETE")
    aws.stack("IMPORT_COMPLETE")
    aws.change_set("UPDATE", Parameters=[STAGE, *SETTINGS, EMAIL])
    aws.executed("UPDATE_COMPLETE")
    stack.deploy("dev")


@pytest.mark.parametrize(("table", "secret"), [(True, False), (False, True)])
@pytest.mark.usefixtures("no_package")
def test_only_what_was_left_behind_is_imported(aws: Aws, table: bool, secret: bool) -> None:
    aws.stack(None)
    aws.leftovers(table=table, secret=secret)
    name = "Table" if table else "SigningKeys"
    aws.change_set(
        "IMPORT", TemplateBody=ImportOf(name), ResourcesToImport=[TABLE if table else KEYS]
    )
    aws.executed("IMPORT_COMPLETE")
    aws.stack("IMPORT_COMPLETE")
    aws.change_set("UPDATE", Parameters=[STAGE, *SETTINGS, EMAIL])
    aws.executed("UPDATE_COMPLETE")
    stack.deploy("dev")


@pytest.mark.usefixtures("no_package")
def test_keys_that_are_scheduled_for_deletion_stop_the_deployment(aws: Aws) -> None:
    aws.stack(None)
    aws.leftovers(table=True, secret=True, DeletedDate=datetime.now(UTC))
    with pytest.raises(StackError, match="restore-secret"):
        stack.deploy("dev")


# -- what serves is not deleted


@pytest.mark.parametrize(
    "deletion",
    [
        change("Remove", "AWS::Lambda::Function"),
        change("Modify", "AWS::DynamoDB::Table", Replacement="True"),
        change("Modify", "AWS::SecretsManager::Secret", Replacement="Conditional"),
        change("Dynamic", "AWS::ApiGateway::RestApi"),
    ],
)
@pytest.mark.usefixtures("no_package")
def test_a_change_that_deletes_what_serves_is_refused_with_a_way_to_insist(
    aws: Aws, deletion: dict[str, Any]
) -> None:
    aws.stack("UPDATE_COMPLETE")
    aws.change_set("UPDATE", deletion, Parameters=[STAGE, *SETTINGS, EMAIL])
    aws.answer("delete_change_set", {}, {"StackName": NAME, "ChangeSetName": ANY})
    with pytest.raises(StackError, match=rf"Thing: {deletion['ResourceType']}[^$]*ALLOW=Thing"):
        stack.deploy("dev")


@pytest.mark.usefixtures("no_package")
def test_an_allowed_deletion_is_done(aws: Aws) -> None:
    aws.stack("UPDATE_COMPLETE")
    aws.change_set(
        "UPDATE", change("Remove", "AWS::SQS::Queue"), Parameters=[STAGE, *SETTINGS, EMAIL]
    )
    aws.executed("UPDATE_COMPLETE")
    stack.deploy("dev", allowed=["Thing"])


@pytest.mark.parametrize(
    "harmless",
    [
        change("Modify", "AWS::Lambda::Function", Replacement="False"),
        change("Add", "AWS::DynamoDB::Table"),
        # Each deployment of the package makes new ones.
        change("Remove", "AWS::Lambda::Version"),
        change("Remove", "AWS::ApiGateway::Deployment"),
        change("Remove", "AWS::CloudWatch::Alarm"),
    ],
)
@pytest.mark.usefixtures("no_package")
def test_other_changes_are_made(aws: Aws, harmless: dict[str, Any]) -> None:
    aws.stack("UPDATE_COMPLETE")
    aws.change_set("UPDATE", harmless, Parameters=[STAGE, *SETTINGS, EMAIL])
    aws.executed("UPDATE_COMPLETE")
    stack.deploy("dev")


def test_a_stage_that_the_package_deployed_is_refused(aws: Aws) -> None:
    aws.stack("CREATE_COMPLETE", f"{NAME}-package")
    with pytest.raises(StackError, match="make deploy-package"):
        stack.deploy("dev")


def test_the_package_of_a_stage_that_make_deploy_deployed_is_refused(
    aws: Aws, tmp_path: Path
) -> None:
    aws.stack("CREATE_COMPLETE")
    with pytest.raises(StackError, match=r"`make deploy` deployed this stage"):
        package_stack.deploy("dev", tmp_path, "bucket")


# -- protection of prod


PROTECTED = {"ParameterKey": "DeletionProtection", "ParameterValue": "true"}
PROTECTION = {"StackName": NAME, "EnableTerminationProtection": True}


@pytest.fixture
def protected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "PROTECTED_STAGES", ("dev",))


def test_prod_is_protected() -> None:
    assert stack.PROTECTED_STAGES == ("prod",)


@pytest.mark.usefixtures("no_package", "protected")
def test_the_stack_and_the_table_of_prod_are_protected_from_deletion(aws: Aws) -> None:
    aws.stack("UPDATE_COMPLETE")
    aws.change_set("UPDATE", Parameters=[STAGE, *SETTINGS, PROTECTED, EMAIL])
    aws.executed("UPDATE_COMPLETE")
    aws.answer("update_termination_protection", {}, PROTECTION)
    stack.deploy("dev")


@pytest.mark.usefixtures("no_package", "protected")
def test_the_table_of_prod_is_protected_only_when_its_stack_was_created(aws: Aws) -> None:
    aws.stack(None)
    aws.leftovers(table=False, secret=False)
    aws.change_set("CREATE")
    aws.executed("CREATE_COMPLETE")
    aws.stack("CREATE_COMPLETE")
    aws.change_set("UPDATE", Parameters=[STAGE, *SETTINGS, PROTECTED, EMAIL])
    aws.executed("UPDATE_COMPLETE")
    aws.answer("update_termination_protection", {}, PROTECTION)
    stack.deploy("dev")


def test_a_protected_stack_says_how_to_lift_the_protection(aws: Aws) -> None:
    aws.stack("UPDATE_COMPLETE", EnableTerminationProtection=True)
    with pytest.raises(StackError, match="--no-enable-termination-protection --stack-name"):
        stack.refuse_if_protected(NAME)
