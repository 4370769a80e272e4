"""Changes a CloudFormation stack by a change set, unless that would delete what serves."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import ClientError, WaiterError

from infra import StackError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.literals import CapabilityType
    from mypy_boto3_cloudformation.type_defs import (
        CreateChangeSetInputTypeDef,
        ParameterTypeDef,
        ResourceChangeTypeDef,
        ResourceToImportTypeDef,
    )

Kind = Literal["CREATE", "UPDATE", "IMPORT"]

#: Resources that hold data or serve requests. Functions' versions and APIs' deployments are not
#: here: each deployment of the package replaces them.
PROTECTED = frozenset(
    {
        "AWS::ApiGateway::RestApi",
        "AWS::ApiGateway::Stage",
        "AWS::DynamoDB::Table",
        "AWS::Lambda::Alias",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Function",
        "AWS::Scheduler::ScheduleGroup",
        "AWS::SecretsManager::Secret",
        "AWS::SQS::Queue",
    }
)

_WAIT = {"Delay": 1, "MaxAttempts": 1200}
_NOTHING_TO_DO = ("didn't contain changes", "No updates are to be performed")


@dataclass(frozen=True)
class Template:
    """A template: its text, or its URL in S3 if it has more than 51,200 bytes."""

    text: str = ""
    url: str = ""
    #: The names of its parameters.
    parameters: frozenset[str] = frozenset()
    capabilities: "tuple[CapabilityType, ...]" = ("CAPABILITY_NAMED_IAM",)


def apply(
    client: "CloudFormationClient",
    stack: str,
    kind: Kind,
    template: Template,
    parameters: "Sequence[ParameterTypeDef]",
    *,
    to_import: "Sequence[ResourceToImportTypeDef]" = (),
    allowed: Collection[str] = (),
    tags: Mapping[str, str] | None = None,
) -> None:
    """Change a stack and wait until that is done; do nothing if there is nothing to change.

    `allowed` are the logical ids that may be removed or replaced although they are protected.
    `tags` replace those of the stack, and so of its resources.

    Raises StackError.
    """
    change_set = _propose(client, stack, kind, template, parameters, to_import, tags or {})
    if change_set is None:
        return
    if refused := [
        change
        for change in _changes(client, stack, change_set)
        if _deletes(change) and change["LogicalResourceId"] not in allowed
    ]:
        client.delete_change_set(StackName=stack, ChangeSetName=change_set)
        raise StackError(_refusal(stack, refused))
    client.execute_change_set(StackName=stack, ChangeSetName=change_set)
    wait(client, stack, kind)


def wait(client: "CloudFormationClient", stack: str, kind: "Kind | Literal['DELETE']") -> None:
    """Wait until a change of a stack is complete. Raises StackError."""
    waiter = f"stack_{kind.lower()}_complete"
    try:
        client.get_waiter(waiter).wait(StackName=stack, WaiterConfig=_WAIT)  # type: ignore[call-overload]
    except WaiterError:
        raise StackError(
            f"Stack {stack} failed: {_first_fault(client, stack)}\n"
            f"`aws cloudformation describe-stack-events --stack-name {stack}` has more."
        ) from None


def _propose(
    client: "CloudFormationClient",
    stack: str,
    kind: Kind,
    template: Template,
    parameters: "Sequence[ParameterTypeDef]",
    to_import: "Sequence[ResourceToImportTypeDef]",
    tags: Mapping[str, str],
) -> str | None:
    """Create a change set and return its name, None if there is nothing to change."""
    change_set = f"deploy-{time.time_ns()}"
    request: CreateChangeSetInputTypeDef = {
        "StackName": stack,
        "ChangeSetName": change_set,
        "ChangeSetType": kind,
        "Parameters": parameters,
        "Capabilities": template.capabilities,
    }
    if template.url:
        request["TemplateURL"] = template.url
    else:
        request["TemplateBody"] = template.text
    if to_import:
        request["ResourcesToImport"] = to_import
    if tags:
        request["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
    try:
        client.create_change_set(**request)
        client.get_waiter("change_set_create_complete").wait(
            StackName=stack, ChangeSetName=change_set, WaiterConfig={"Delay": 1, "MaxAttempts": 300}
        )
    except ClientError as error:
        reason = error.response["Error"]["Message"]
    except WaiterError as error:
        reason = str(error.last_response.get("StatusReason"))
        client.delete_change_set(StackName=stack, ChangeSetName=change_set)
    else:
        return change_set
    if any(words in reason for words in _NOTHING_TO_DO):
        return None
    raise StackError(f"Stack {stack} cannot be changed: {reason}")


def _changes(
    client: "CloudFormationClient", stack: str, change_set: str
) -> "list[ResourceChangeTypeDef]":
    pages = client.get_paginator("describe_change_set").paginate(
        StackName=stack, ChangeSetName=change_set
    )
    return [
        change["ResourceChange"]
        for page in pages
        for change in page["Changes"]
        if "ResourceChange" in change
    ]


def _deletes(change: "ResourceChangeTypeDef") -> bool:
    """Return whether a change deletes a protected resource, or may: CloudFormation cannot tell.

    `Conditional` is a replacement that depends on a value known only on execution, `Dynamic` an
    action that does (API reference, ResourceChange).
    """
    return change["ResourceType"] in PROTECTED and (
        change["Action"] in ("Remove", "Dynamic")
        or (change["Action"] == "Modify" and change.get("Replacement") in ("True", "Conditional"))
    )


def _refusal(stack: str, refused: "list[ResourceChangeTypeDef]") -> str:
    lines = []
    for change in refused:
        what = "Remove" if change["Action"] == "Remove" else "Replace"
        may = "" if what == "Remove" or change.get("Replacement") == "True" else " (perhaps)"
        name = change.get("PhysicalResourceId", "")
        lines.append(
            f"  {what}{may} {change['LogicalResourceId']}: {change['ResourceType']} {name}"
        )
    names = ",".join(change["LogicalResourceId"] for change in refused)
    listed = "\n".join(lines)
    return (
        f"This would delete what stack {stack} serves with:\n{listed}\n"
        f"Nothing was changed. If that is what you want, insist: ALLOW={names}"
    )


def _first_fault(client: "CloudFormationClient", stack: str) -> str:
    """Return the first failure of the stack's last operation: the others follow from it."""
    fault = "its events say why."
    try:
        events = client.describe_stack_events(StackName=stack)["StackEvents"]
    except ClientError:
        return fault
    for event in events:
        if event.get("ResourceStatusReason") == "User Initiated":
            break
        if event.get("ResourceStatus", "").endswith("_FAILED"):
            fault = f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
    return fault
