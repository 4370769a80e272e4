"""infra/deployer-policy.json, and the IAM actions that a deployer's AWS calls take."""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from infra import ROOT

POLICY = json.loads((ROOT / "infra" / "deployer-policy.json").read_text())
#: The statements for what CloudFormation calls on behalf of the deployer, and the others.
FOR_CLOUDFORMATION = [one for one in POLICY["Statement"] if "aws:CalledVia" in str(one)]
DIRECT = [one for one in POLICY["Statement"] if one not in FOR_CLOUDFORMATION]

#: The parameter of a service's calls that names the resource, and where the name is in its ARN.
_NAMED = {
    "cloudformation": ("StackName", "us-east-1:1:stack/{}/id"),
    "dynamodb": ("TableName", "us-east-1:1:table/{}"),
    "events": ("Rule", "us-east-1:1:rule/{}"),
    "iam": ("RoleName", ":1:role/{}"),
    "lambda": ("FunctionName", "us-east-1:1:function:{}"),
    "secretsmanager": ("SecretId", "us-east-1:1:secret:{}-AbCdEf"),
}

#: Operations that act on no resource.
_WITHOUT_A_NAME = {"GetAccountSettings", "ListWebACLs"}


def allows(statements: list[dict[str, Any]], action: str, arn: str) -> bool:
    """Return whether statements allow an action on a resource, their conditions aside."""
    return any(
        any(fnmatchcase(action, pattern) for pattern in one["Action"])
        and any(fnmatchcase(arn, pattern) for pattern in one["Resource"])
        for one in statements
    )


def needs(call: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the IAM actions that a recorded call takes, each with the ARN that it acts on."""
    service, parameters = call["service"], call["parameters"]
    for role in (parameters.get("Role"), *_api_log_roles(parameters)):
        if role:
            yield "iam:PassRole", role
    if service == "apigateway":
        # IAM knows methods and paths here, not operations.
        path = re.sub(r"\{(\w+)\}", "x", call["uri"].split("?")[0])
        yield f"apigateway:{call['method']}", f"arn:aws:apigateway:us-east-1::{path}"
    else:
        yield f"{service}:{call['operation']}", _arn(service, call["operation"], parameters)


def _arn(service: str, operation: str, parameters: dict[str, Any]) -> str:
    if service == "sts" or "EventSourceMapping" in operation or operation in _WITHOUT_A_NAME:
        return "*"
    parameter, pattern = _NAMED[service]
    if service == "events" and "Name" in parameters:
        parameter = "Name"
    if "Resource" in parameters:
        parameter = "Resource"
    name: str = parameters[parameter]
    return name if name.startswith("arn:") else f"arn:aws:{service}:{pattern.format(name)}"


def _api_log_roles(parameters: dict[str, Any]) -> list[str]:
    operations = parameters.get("patchOperations", [])
    return [one["value"] for one in operations if one["path"] == "/cloudwatchRoleArn"]
