"""The package's API: the settings of its stage, which Chalice's template lacks."""

from typing import Any

from infra import gateway, stage_settings
from infra.stage_settings import StageSettings

Json = dict[str, Any]


def resources(stage: str, settings: StageSettings) -> Json:
    """Return what the template has of the API, by logical id."""
    return {
        "RestAPI": {"Properties": _api(stage, settings)},
        # Without a role for logs API Gateway refuses a stage with an access log. All APIs of an
        # account in a region share the role.
        "ApiGatewayAccount": {
            "Type": "AWS::ApiGateway::Account",
            "Condition": "SetsLogRole",
            "Properties": {"CloudWatchRoleArn": {"Fn::GetAtt": ["ApiLogRole", "Arn"]}},
        },
        "WebAclAssociation": {
            "Type": "AWS::WAFv2::WebACLAssociation",
            "Condition": "HasWaf",
            "Properties": {
                "WebACLArn": {"Fn::GetAtt": ["WebAcl", "Arn"]},
                "ResourceArn": {
                    "Fn::Sub": "arn:${AWS::Partition}:apigateway:${AWS::Region}::"
                    "/restapis/${RestAPI}/stages/${RestAPI.Stage}"
                },
            },
        },
    }


def _api(stage: str, settings: StageSettings) -> Json:
    responses: Json = {}
    for response_type, response in gateway.RESPONSES.items():
        headers = {
            name.removeprefix("gatewayresponse.header."): value
            for name, value in response.parameters.items()
        }
        responses[response_type] = {
            "ResponseParameters": {"Headers": headers},
            "ResponseTemplates": response.templates,
        }
        if response.status:
            responses[response_type]["StatusCode"] = response.status
    return {
        "Name": "tasks",
        # Makes the API wait for the role. DependsOn cannot name what a condition may leave out.
        "Description": {
            "Fn::If": ["SetsLogRole", {"Fn::Sub": "Tasks, logs by ${ApiGatewayAccount}"}, "Tasks"]
        },
        "Tags": stage_settings.tags(stage),
        "TracingEnabled": settings.tracing,
        "AccessLogSetting": {
            "DestinationArn": {"Fn::GetAtt": ["AccessLogGroup", "Arn"]},
            "Format": stage_settings.ACCESS_LOG,
        },
        "GatewayResponses": responses,
        "MethodSettings": stage_settings.method_settings(settings),
    }
