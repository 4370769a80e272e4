"""The API's stage: API Gateway's own responses, limits and access log, which Chalice cannot set."""

import time
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

from infra import PATIENCE, gateway, stage_settings, web_acl
from infra.stage_settings import StageSettings

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_apigateway.type_defs import PatchOperationTypeDef

#: CloudFormation's words for a method's settings, and those of `update_stage`.
_PATCHES = {
    "MetricsEnabled": "metrics/enabled",
    "ThrottlingRateLimit": "throttling/rateLimit",
    "ThrottlingBurstLimit": "throttling/burstLimit",
}


def configure(stage: str, api_id: str, settings: StageSettings) -> None:
    """Set what Chalice cannot: API Gateway's own responses and the settings of the stage.

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
    log_group = f"log-group:{stage_settings.access_log_group(stage)}"
    patches: dict[str, str | bool | int] = {
        "/tracingEnabled": settings.tracing,
        "/accessLogSettings/destinationArn": f"arn:{partition}:logs:{region}:{account}:{log_group}",
        "/accessLogSettings/format": stage_settings.ACCESS_LOG,
    }
    methods = {
        f"{method['ResourcePath']}/{method['HttpMethod']}": method
        for method in stage_settings.method_settings(settings)
    }
    for path, method in methods.items():
        for name, patch in _PATCHES.items():
            patches[f"{path}/{patch}"] = method[name]
    operations: list[PatchOperationTypeDef] = [
        {"op": "replace", "path": path, "value": _text(value)} for path, value in patches.items()
    ]
    # A method that is no longer in the table gets the settings of all others again.
    for path in sorted(_configured_methods(client, stage, api_id) - methods.keys()):
        operations.append({"op": "remove", "path": path})
    client.update_stage(restApiId=api_id, stageName=stage, patchOperations=operations)
    api = f"arn:{partition}:apigateway:{region}::/restapis/{api_id}"
    for arn in (api, f"{api}/stages/{stage}"):
        client.tag_resource(resourceArn=arn, tags=stage_settings.tags(stage))
    if settings.waf_limit:
        web_acl.associate(stage, f"{api}/stages/{stage}")


def _configured_methods(client: "APIGatewayClient", stage: str, api_id: str) -> set[str]:
    """Return the patch paths of the methods that have settings of their own on the stage."""
    configured = client.get_stage(restApiId=api_id, stageName=stage).get("methodSettings", {})
    split = [key.rpartition("/") for key in configured]
    # In a patch path a slash of the method's path is "~1"; emulators do not keep it in the key.
    return {"/" + path.replace("/", "~1") + "/" + method for path, _, method in split}


def return_log_role(stage: str) -> None:
    """Take the stage's role from API Gateway, if API Gateway uses it: the role will be deleted.

    There is one role per account. The next `make deploy` of any stage sets its own.
    """
    client: APIGatewayClient = boto3.client("apigateway")
    if client.get_account().get("cloudwatchRoleArn") == log_role(stage):
        _set_log_role(client, "")


def has_foreign_log_role(stage: str) -> bool:
    """Return whether API Gateway has a role for logs that is not this stage's."""
    client: APIGatewayClient = boto3.client("apigateway")
    return client.get_account().get("cloudwatchRoleArn", "") not in ("", log_role(stage))


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


def _text(value: str | bool | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _location() -> tuple[str, str, str]:
    """Return the account, the region and the partition of the deployment."""
    identity = boto3.client("sts").get_caller_identity()
    region = boto3.DEFAULT_SESSION.region_name if boto3.DEFAULT_SESSION else ""
    return identity["Account"], region or "", identity["Arn"].split(":")[1]
