"""The CloudFormation stack of a stage: made, updated and read."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

TEMPLATE = Path(__file__).with_name("resources.yaml")


def deploy(stage: str) -> None:
    """Create the stack of a stage, or bring it up to date; returns when it is."""
    client: CloudFormationClient = boto3.client("cloudformation")
    name = stack_name(stage)
    body = TEMPLATE.read_text()
    parameters = [{"ParameterKey": "Stage", "ParameterValue": stage}]
    if not _exists(client, name):
        client.create_stack(
            StackName=name,
            TemplateBody=body,
            Parameters=parameters,  # type: ignore[arg-type]
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        waiter = client.get_waiter("stack_create_complete")
    else:
        try:
            client.update_stack(
                StackName=name,
                TemplateBody=body,
                Parameters=parameters,  # type: ignore[arg-type]
                Capabilities=["CAPABILITY_NAMED_IAM"],
            )
        except ClientError as error:
            if "No updates" in error.response["Error"]["Message"]:
                return
            raise
        waiter = client.get_waiter("stack_update_complete")  # type: ignore[assignment]
    waiter.wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 600})


def environment(stage: str) -> dict[str, str]:
    """Return the environment variables that the Lambdas of a stage need."""
    client: CloudFormationClient = boto3.client("cloudformation")
    stack = client.describe_stacks(StackName=stack_name(stage))["Stacks"][0]
    return {
        re.sub(r"(?<!^)(?=[A-Z])", "_", output["OutputKey"]).upper(): output["OutputValue"]
        for output in stack["Outputs"]
    }


def stack_name(stage: str) -> str:
    return f"tasks-{stage}"


def _exists(client: "CloudFormationClient", name: str) -> bool:
    try:
        status = client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return False
        raise
    return status != "DELETE_COMPLETE"
