"""Brings a table and keys that an earlier stack left behind into a new stack of the stage.

An IMPORT change set may contain nothing but what it imports, and changes no outputs
(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-manually.html).
`ImportExistingResources` does not fit: it takes neither names with `!Sub` nor types whose
identifier is read-only, which a secret's is
(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html).
"""

from typing import TYPE_CHECKING

import boto3

from infra import StackError
from infra.template import Json

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import ResourceToImportTypeDef


def find(stage: str) -> "list[ResourceToImportTypeDef]":
    """Return the stage's table and keys, if they exist, as CloudFormation identifies them.

    The identifiers are the `primaryIdentifier` of the types' schemas.

    Raises StackError.
    """
    found: list[ResourceToImportTypeDef] = []
    if table := _table(f"tasks-{stage}"):
        found.append(
            {
                "ResourceType": "AWS::DynamoDB::Table",
                "LogicalResourceId": "Table",
                "ResourceIdentifier": {"TableName": table},
            }
        )
    if arn := _secret(f"tasks-{stage}-signing-keys"):
        found.append(
            {
                "ResourceType": "AWS::SecretsManager::Secret",
                "LogicalResourceId": "SigningKeys",
                "ResourceIdentifier": {"Id": arn},
            }
        )
    return found


def import_template(template: Json, logical_ids: list[str]) -> Json:
    """Return a template with only the resources to import, with the same properties.

    CloudFormation cannot read GenerateSecretString back. If it were missing here, the update that
    follows would add it, and that makes a new secret value: all users would be signed out.

    Here the resources are retained without exception: no rollback may delete them.
    """
    resources = {
        name: {**template["Resources"][name], "DeletionPolicy": "Retain"} for name in logical_ids
    }
    kept = ("AWSTemplateFormatVersion", "Parameters", "Conditions")
    return {name: template[name] for name in kept if name in template} | {"Resources": resources}


def _table(name: str) -> str | None:
    client = boto3.client("dynamodb")
    try:
        status = client.describe_table(TableName=name)["Table"]["TableStatus"]
    except client.exceptions.ResourceNotFoundException:
        return None
    if status == "DELETING":
        raise StackError(f"Table {name} is still being deleted; run this again in a minute.")
    return name


def _secret(name: str) -> str | None:
    client = boto3.client("secretsmanager")
    try:
        secret = client.describe_secret(SecretId=name)
    except client.exceptions.ResourceNotFoundException:
        return None
    if "DeletedDate" in secret:
        raise StackError(
            f"Secret {name} is scheduled for deletion, so its name is taken. Restore it with "
            f"`aws secretsmanager restore-secret --secret-id {name}`, and run this again."
        )
    return secret["ARN"]
