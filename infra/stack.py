"""Creates, updates, reads and deletes the CloudFormation stack of a stage."""

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

from infra import StackError, change_set, leftovers, stage_settings
from infra.change_set import Template
from infra.template import TEMPLATE, read_template, variable_name

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef, StackTypeDef

#: Stages whose stack nobody can delete by mistake.
PROTECTED_STAGES = ("prod",)

#: States of a stack that has no resources and can only be deleted: its first deployment failed,
#: or its first change set was never executed.
_NEVER_CREATED = ("CREATE_FAILED", "REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
#: What to do about states that the deployment cannot go on from.
_STUCK = {
    "DELETE_FAILED": "Finish `make destroy` first.",
    "UPDATE_ROLLBACK_FAILED": (
        "Fix the cause, then run `aws cloudformation continue-update-rollback --stack-name {name}`."
    ),
    "IMPORT_ROLLBACK_FAILED": (
        "Fix the cause, then run `aws cloudformation continue-update-rollback --stack-name {name}`."
    ),
}


def stack_name(stage: str) -> str:
    """Return the name of the stack of `make deploy`, which contains resources.yaml."""
    return f"tasks-{stage}"


def package_stack_name(stage: str) -> str:
    """Return the name of the stack of `make deploy-package`, which contains everything."""
    return f"tasks-{stage}-package"


def deploy(
    stage: str,
    alarm_email: str | None = None,
    *,
    allowed: Collection[str] = (),
    template: Template | None = None,
) -> None:
    """Create or update the stack of a stage, and wait until that is done.

    `template` replaces resources.yaml.

    Raises StackError.
    """
    refuse_if_deployed(package_stack_name(stage), "make deploy-package")
    parameters = stage_settings.of(stage).parameters
    if alarm_email is not None:
        parameters["AlarmEmail"] = alarm_email
    names = frozenset(read_template()["Parameters"])
    template = template or Template(TEMPLATE.read_text(), parameters=names)
    bring_up_to_date(stack_name(stage), stage, template, parameters, allowed=allowed)


def bring_up_to_date(
    name: str,
    stage: str,
    template: Template,
    parameters: Mapping[str, str],
    *,
    allowed: Collection[str] = (),
) -> None:
    """Create or update a stack with the resources of a stage, and wait until that is done.

    A new stack takes over a table and keys that an earlier one left behind. An existing stack
    keeps the parameters that are not given.

    Raises StackError.
    """
    client: CloudFormationClient = boto3.client("cloudformation")
    tags = stage_settings.tags(stage)
    stack = _usable(client, name)
    given = {"Stage": stage, **parameters}
    if stack is None and (found := leftovers.find(stage)):
        only = leftovers.import_template(
            read_template(), [one["LogicalResourceId"] for one in found]
        )
        known = {key: value for key, value in given.items() if key in only["Parameters"]}
        text = Template(json.dumps(only))
        change_set.apply(client, name, "IMPORT", text, _parameters(known), to_import=found)
        stack = _describe(client, name)
    if stack is None:
        change_set.apply(client, name, "CREATE", template, _parameters(given), tags=tags)
        stack = _describe(client, name)
        if stage not in PROTECTED_STAGES:
            return
    if stage in PROTECTED_STAGES:
        given["DeletionProtection"] = "true"
    previous = _previous(stack, template.parameters - set(given))
    change_set.apply(
        client,
        name,
        "UPDATE",
        template,
        [*_parameters(given), *previous],
        allowed=allowed,
        tags=tags,
    )
    if stage in PROTECTED_STAGES:
        # A change set cannot set it: only CreateStack and this call can.
        client.update_termination_protection(StackName=name, EnableTerminationProtection=True)


def _parameters(given: Mapping[str, str]) -> "list[ParameterTypeDef]":
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]


def _previous(stack: "StackTypeDef | None", names: Collection[str]) -> "list[ParameterTypeDef]":
    """Return the parameters, of those named, that a stack has already and keeps."""
    parameters = stack["Parameters"] if stack and "Parameters" in stack else []
    keys = [one["ParameterKey"] for one in parameters if one["ParameterKey"] in names]
    return [{"ParameterKey": key, "UsePreviousValue": True} for key in keys]


def refuse_if_deployed(name: str, way: str) -> None:
    """Raise StackError if a stack exists, because both ways of deploying use the same names."""
    stack = _describe(boto3.client("cloudformation"), name)
    if stack and stack["StackStatus"] not in ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE"):
        raise StackError(
            f"`{way}` deployed this stage (stack {name}). Use it again, or destroy the stage first."
        )


def refuse_if_protected(name: str) -> None:
    """Raise StackError if a stack is protected from deletion; the message says how to lift that."""
    stack = _describe(boto3.client("cloudformation"), name)
    if stack and stack.get("EnableTerminationProtection"):
        raise StackError(
            f"Stack {name} is protected from deletion. To lift that, run\n"
            "  aws cloudformation update-termination-protection "
            f"--no-enable-termination-protection --stack-name {name}"
        )


def exists(name: str) -> bool:
    return _describe(boto3.client("cloudformation"), name) is not None


def outputs(name: str) -> dict[str, str]:
    """Return the outputs of a stack. Raises StackError if it does not exist."""
    stack = _describe(boto3.client("cloudformation"), name)
    if stack is None:
        raise StackError(f"There is no stack {name}.")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def environment(stage: str) -> dict[str, str]:
    """Return the environment variables of the stage's Lambdas."""
    return {variable_name(key): value for key, value in outputs(stack_name(stage)).items()}


def delete(name: str) -> None:
    """Delete a stack, but not the table and the keys. Raises StackError."""
    client: CloudFormationClient = boto3.client("cloudformation")
    client.delete_stack(StackName=name)
    change_set.wait(client, name, "DELETE")


def delete_data(stage: str) -> None:
    """Delete the table and the keys of a stage whose stack is deleted."""
    dynamodb, secrets = boto3.client("dynamodb"), boto3.client("secretsmanager")
    table = f"tasks-{stage}"
    with suppress(dynamodb.exceptions.ResourceNotFoundException):
        if dynamodb.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"):
            dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
        dynamodb.delete_table(TableName=table)
        dynamodb.get_waiter("table_not_exists").wait(TableName=table, WaiterConfig={"Delay": 2})
    with suppress(secrets.exceptions.ResourceNotFoundException):
        secrets.delete_secret(
            SecretId=f"tasks-{stage}-signing-keys", ForceDeleteWithoutRecovery=True
        )


def _usable(client: "CloudFormationClient", name: str) -> "StackTypeDef | None":
    """Return a stack that can be updated, None if it has to be created. Raises StackError."""
    stack = _describe(client, name)
    if stack is None:
        return None
    status = stack["StackStatus"]
    if status in _NEVER_CREATED:
        client.delete_stack(StackName=name)
        change_set.wait(client, name, "DELETE")
        return None
    if status in _STUCK:
        raise StackError(f"Stack {name} is in {status}. {_STUCK[status].format(name=name)}")
    if status.endswith("_IN_PROGRESS"):
        raise StackError(f"Stack {name} is in {status}: somebody else changes it. Wait for it.")
    return stack


def _describe(client: "CloudFormationClient", name: str) -> "StackTypeDef | None":
    try:
        stack = client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    return None if stack["StackStatus"] == "DELETE_COMPLETE" else stack
