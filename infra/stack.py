"""Creates, updates, reads and deletes the CloudFormation stack of a stage."""

import re
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError, WaiterError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef

TEMPLATE = Path(__file__).with_name("resources.yaml")

#: What has DeletionPolicy: Retain in the template.
DATA = ("Table", "SigningKeys")

_WAIT = {"Delay": 1, "MaxAttempts": 1200}
_NOTHING_TO_DO = ("didn't contain changes", "No updates are to be performed")


class StackError(Exception):
    """CloudFormation refused or failed; the message says what to do."""


def deploy(stage: str, alarm_email: str | None = None) -> None:
    """Create or update the stack of a stage, and wait until that is done.

    The stack adopts a table and keys that an earlier stack of the stage left behind. Without an
    address for alarms it keeps the one it has.

    Raises StackError.
    """
    client: CloudFormationClient = boto3.client("cloudformation")
    name = stack_name(stage)
    status = _status(client, name)
    if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"):
        raise StackError(f"Stack {name} is in {status}: delete it, and run this again.")
    is_new = status in (None, "REVIEW_IN_PROGRESS")
    parameters: list[ParameterTypeDef] = [{"ParameterKey": "Stage", "ParameterValue": stage}]
    if alarm_email is not None:
        parameters.append({"ParameterKey": "AlarmEmail", "ParameterValue": alarm_email})
    elif not is_new:
        parameters.append({"ParameterKey": "AlarmEmail", "UsePreviousValue": True})
    change_set = _propose(client, name, parameters, is_new)
    if change_set is None:
        return
    client.execute_change_set(StackName=name, ChangeSetName=change_set)
    try:
        if is_new:
            client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=_WAIT)  # type: ignore[arg-type]
        else:
            client.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=_WAIT)  # type: ignore[arg-type]
    except WaiterError:
        raise StackError(f"Stack {name} failed; its events say why.") from None


def environment(stage: str) -> dict[str, str]:
    """Return the environment variables of the stage's Lambdas."""
    client: CloudFormationClient = boto3.client("cloudformation")
    stack = client.describe_stacks(StackName=stack_name(stage))["Stacks"][0]
    return {
        variable_name(output["OutputKey"]): output["OutputValue"] for output in stack["Outputs"]
    }


def variable_name(output: str) -> str:
    """Return the environment variable for an output of the stack."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", output).upper()


def delete(stage: str, *, with_data: bool) -> None:
    """Delete the stack of a stage; the table and the keys only `with_data`.

    Raises StackError.
    """
    client: CloudFormationClient = boto3.client("cloudformation")
    name = stack_name(stage)
    client.delete_stack(StackName=name)
    try:
        client.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=_WAIT)  # type: ignore[arg-type]
    except WaiterError:
        raise StackError(f"Stack {name} could not be deleted; its events say why.") from None
    if with_data:
        _delete_data(stage)


def stack_name(stage: str) -> str:
    return f"tasks-{stage}"


def _propose(
    client: "CloudFormationClient", name: str, parameters: "list[ParameterTypeDef]", is_new: bool
) -> str | None:
    """Create a change set and return its name, None if there is nothing to change."""
    change_set = f"deploy-{time.time_ns()}"
    try:
        client.create_change_set(
            StackName=name,
            ChangeSetName=change_set,
            ChangeSetType="CREATE" if is_new else "UPDATE",
            TemplateBody=TEMPLATE.read_text(),
            Parameters=parameters,
            Capabilities=["CAPABILITY_NAMED_IAM"],
            ImportExistingResources=True,
        )
        client.get_waiter("change_set_create_complete").wait(
            StackName=name, ChangeSetName=change_set, WaiterConfig={"Delay": 1, "MaxAttempts": 300}
        )
    except ClientError as error:
        reason = error.response["Error"]["Message"]
    except WaiterError as error:
        reason = str(error.last_response.get("StatusReason"))
    else:
        return change_set
    if any(words in reason for words in _NOTHING_TO_DO):
        return None
    raise StackError(f"Stack {name} cannot be changed: {reason}")


def _status(client: "CloudFormationClient", name: str) -> str | None:
    try:
        status = client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    return None if status == "DELETE_COMPLETE" else status


def _delete_data(stage: str) -> None:
    dynamodb, secrets = boto3.client("dynamodb"), boto3.client("secretsmanager")
    with suppress(dynamodb.exceptions.ResourceNotFoundException):
        dynamodb.delete_table(TableName=f"tasks-{stage}")
    with suppress(secrets.exceptions.ResourceNotFoundException):
        secrets.delete_secret(
            SecretId=f"tasks-{stage}-signing-keys", ForceDeleteWithoutRecovery=True
        )
