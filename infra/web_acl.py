"""The web ACL of a stage, where it has one, and the API's stage that it guards."""

from typing import Any

import boto3


def associate(stage: str, api_stage_arn: str) -> None:
    """Let the stage's web ACL guard the API. The stack has made it."""
    _client().associate_web_acl(WebACLArn=_find(stage), ResourceArn=api_stage_arn)


def release(stage: str) -> None:
    """Dissociate the stage's web ACL, if there is one: WAF deletes none that is in use."""
    client = _client()
    if not (acl := _find(stage)):
        return
    guarded = client.list_resources_for_web_acl(WebACLArn=acl, ResourceType="API_GATEWAY")
    for arn in guarded["ResourceArns"]:
        client.disassociate_web_acl(ResourceArn=arn)


def _find(stage: str) -> str | None:
    """Return the ARN of the stage's web ACL."""
    client, page = _client(), {"Scope": "REGIONAL", "Limit": 100}
    while True:
        answer = client.list_web_acls(**page)
        for acl in answer["WebACLs"]:
            if acl["Name"] == f"tasks-{stage}":
                arn: str = acl["ARN"]
                return arn
        if not (marker := answer.get("NextMarker")):
            return None
        page["NextMarker"] = marker


def _client() -> Any:
    return boto3.client("wafv2")
