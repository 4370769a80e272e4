"""The API's stage: API Gateway's own responses, limits and access log, which Chalice cannot set."""

import json
import time
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

from infra import PATIENCE, gateway

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_apigateway.type_defs import PatchOperationTypeDef

#: Requests per second that a stage accepts, and the burst beyond that.
RATE_LIMIT, BURST_LIMIT = 5000, 5000

#: One line of JSON per request; no tokens, no bodies.
ACCESS_LOG = json.dumps(
    {
        "time": "$context.requestTime",
        "request_id": "$context.requestId",
        "ip": "$context.identity.sourceIp",
        "method": "$context.httpMethod",
        "path": "$context.path",
        "status": "$context.status",
        "error": "$context.error.responseType",
        "ms": "$context.responseLatency",
        "bytes": "$context.responseLength",
    },
    separators=(",", ":"),
)


def configure(stage: str, api_id: str) -> None:
    """Set API Gateway's own responses, the limits and the access log, and deploy the API.

    Chalice overwrites the API with each deployment, so this follows each one.
    """
    client: APIGatewayClient = boto3.client("apigateway")
    for response_type, response in gateway.RESPONSES.items():
        status = {"statusCode": str(response.status)} if response.status else {}
        client.put_gateway_response(
            restApiId=api_id,
            responseType=response_type,  # type: ignore[arg-type]
            responseParameters=response.parameters,
            responseTemplates=response.templates,
            **status,
        )
    client.create_deployment(restApiId=api_id, stageName=stage)
    _provide_log_role(client, log_role(stage))
    account, region, partition = _location()
    log_group = f"arn:{partition}:logs:{region}:{account}:log-group:/aws/apigateway/tasks-{stage}"
    settings = {
        "/*/*/throttling/rateLimit": str(RATE_LIMIT),
        "/*/*/throttling/burstLimit": str(BURST_LIMIT),
        "/*/*/metrics/enabled": "true",
        "/tracingEnabled": "true",
        "/accessLogSettings/destinationArn": log_group,
        "/accessLogSettings/format": ACCESS_LOG,
    }
    operations: list[PatchOperationTypeDef] = [
        {"op": "replace", "path": path, "value": value} for path, value in settings.items()
    ]
    client.update_stage(restApiId=api_id, stageName=stage, patchOperations=operations)


def return_log_role(stage: str) -> None:
    """Take the stage's role from API Gateway, if API Gateway uses it: the role will be deleted.

    There is one role per account. The next `make deploy` of any stage sets its own.
    """
    client: APIGatewayClient = boto3.client("apigateway")
    if client.get_account().get("cloudwatchRoleArn") == log_role(stage):
        _set_log_role(client, "")


def log_role(stage: str) -> str:
    """Return the ARN of the stage's role that lets API Gateway write logs."""
    account, _, partition = _location()
    return f"arn:{partition}:iam::{account}:role/tasks-{stage}-api-logs"


def _provide_log_role(client: "APIGatewayClient", role: str) -> None:
    """Give API Gateway a role for logs unless the account has one: all APIs share it."""
    if client.get_account().get("cloudwatchRoleArn"):
        return
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            _set_log_role(client, role)
        except ClientError:
            # It takes a while until a new role is known everywhere.
            if time.monotonic() > deadline:
                raise
            time.sleep(2)
        else:
            return


def _set_log_role(client: "APIGatewayClient", role: str) -> None:
    client.update_account(
        patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": role}]
    )


def _location() -> tuple[str, str, str]:
    """Return the account, the region and the partition of the deployment."""
    identity = boto3.client("sts").get_caller_identity()
    region = boto3.DEFAULT_SESSION.region_name if boto3.DEFAULT_SESSION else ""
    return identity["Account"], region or "", identity["Arn"].split(":")[1]
