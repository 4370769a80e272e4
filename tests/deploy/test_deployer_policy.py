"""infra/deployer-policy.json allows what a deployment does, and little else.

test_deploy_on_moto.py holds the calls of `make deploy` and `make destroy` against it. What
CloudFormation calls for the deployer is in the schemas of the resource types: those of
resources.yaml, and those that SAM adds in the package.
"""

import json
from fnmatch import fnmatchcase

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER as SCHEMAS  # type: ignore[import-untyped]

from tests import cloud
from tests.deploy.conftest import Transform
from tests.deploy.deployer import DIRECT, FOR_CLOUDFORMATION, POLICY, allows
from tests.deploy.test_package import STAGES

#: AWS's limit for a managed policy in characters, without white space: "IAM and AWS STS quotas",
#: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
LONGEST_POLICY = 6144

#: The types of resources that only the package has.
IN_THE_PACKAGE = [
    "AWS::ApiGateway::Account",
    "AWS::ApiGateway::Deployment",
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGateway::Stage",
    "AWS::CodeDeploy::Application",
    "AWS::CodeDeploy::DeploymentGroup",
    "AWS::Events::Rule",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Version",
    "AWS::WAFv2::WebACLAssociation",
]

#: Services that no template of ours uses.
UNUSED_SERVICES = {
    *("amplify", "apprunner", "appsync", "bedrock-agentcore", "cognito-idp", "ec2"),
    *("elasticfilesystem", "elasticloadbalancing", "kinesis", "kms", "s3files"),
}

#: What a schema lists for properties that no template of ours has.
UNUSED = {
    "AWS::DynamoDB::Table": {
        # Imports from S3, Kinesis streams, replicas and resource policies.
        *("DescribeImport", "ImportTable", "CreateTableReplica", "AssociateTableReplica"),
        *("EnableKinesisStreamingDestination", "DisableKinesisStreamingDestination"),
        *("UpdateKinesisStreamingDestination", "PutResourcePolicy", "DeleteResourcePolicy"),
        *("Scan", "Query", "UpdateItem", "PutItem", "GetItem", "DeleteItem", "BatchWriteItem"),
        *("CreateServiceLinkedRole", "CreateLogGroup", "CreateLogStream", "DescribeLogGroups"),
        *("DescribeLogStreams", "PutLogEvents"),
        *("PutRetentionPolicy", "GetObject", "GetObjectMetadata", "ListBucket"),
        # The table is retained: only `make destroy DATA=delete` deletes it.
        "UpdateContributorInsights",
    },
    "AWS::SecretsManager::Secret": {"ReplicateSecretToRegions", "RemoveRegionsFromReplication"},
    "AWS::IAM::Role": {"PutRolePermissionsBoundary", "DeleteRolePermissionsBoundary"},
    "AWS::Logs::LogGroup": {
        *("TagDeliveryStream", "AssociateKmsKey", "DisassociateKmsKey", "CreateLogDelivery"),
        *("DeleteDataProtectionPolicy", "DeleteIndexPolicy", "DeleteResourcePolicy"),
        *("DescribeResourcePolicies", "PutBearerTokenAuthentication", "PutDataProtectionPolicy"),
        *("PutIndexPolicy", "PutLogGroupDeletionProtection", "PutResourcePolicy"),
        "REST.PUT.OBJECT",
    },
    "AWS::WAFv2::WebACL": {"GetConnectedAccount"},
    "AWS::Budgets::Budget": {"GetBillingViewData"},
    "AWS::SNS::Topic": {"PassRole", "GetRole", "PutDataProtectionPolicy"},
    "AWS::SNS::Subscription": {"PassRole", "GetRole"},
    "AWS::ApiGateway::RestApi": {"UpdateRestApiPolicy"},
    "AWS::CodeDeploy::DeploymentGroup": {"RegisterOnPremisesInstance"},
    "AWS::Lambda::Alias": {"PutProvisionedConcurrencyConfig", "DeleteProvisionedConcurrencyConfig"},
    "AWS::Lambda::Function": {
        *("AssociateRuntimeAlias", "DeleteFunctionCodeSigningConfig", "GetLayerVersion"),
        *("GetObjectVersion", "PassCapacityProvider", "PutFunctionCodeSigningConfig"),
        *("PutFunctionRecursionConfig", "PutFunctionScalingConfig", "PutRuntimeManagementConfig"),
    },
    "AWS::Lambda::Version": {
        *("PutProvisionedConcurrencyConfig", "PutFunctionScalingConfig"),
        "PutRuntimeManagementConfig",
    },
    # Policies of rule groups.
    "AWS::WAFv2::WebACLAssociation": {"GetPermissionPolicy", "PutPermissionPolicy"},
}


def of_schema(kind: str) -> set[str]:
    """Return the actions that CloudFormation takes for a type of resource."""
    handlers = SCHEMAS.get_resource_schema("us-east-1", kind).schema["handlers"]
    return {
        action
        for name, handler in handlers.items()
        if name != "list"
        for action in handler["permissions"]
        if action.split(":")[0] not in UNUSED_SERVICES
        and action.split(":")[1] not in UNUSED.get(kind, set())
    }


KINDS = sorted({one["Type"] for one in cloud.template()["Resources"].values()} | {*IN_THE_PACKAGE})
#: ARNs of the stacks' resources, without `arn:aws:` and the service.
ARNS = {
    "apigateway": ["us-east-1::/restapis/1/stages/dev"],
    "budgets": [":1:budget/tasks-dev"],
    "wafv2": ["us-east-1:1:regional/webacl/tasks-dev/1"],
    "cloudwatch": ["us-east-1:1:alarm:tasks-dev-backlog", ":1:dashboard/tasks-dev"],
    "codedeploy": [
        "us-east-1:1:application:tasks-dev-package-App-1",
        "us-east-1:1:deploymentgroup:tasks-dev-package-App-1/tasks-dev-package-Group-1",
    ],
    "dynamodb": ["us-east-1:1:table/tasks-dev"],
    "events": ["us-east-1:1:rule/tasks-dev-package-Rule-1"],
    "iam": [":1:role/tasks-dev-schedules"],
    "lambda": ["us-east-1:1:function:tasks-dev:live", "us-east-1:1:event-source-mapping:1"],
    "logs": ["us-east-1:1:log-group:/aws/lambda/tasks-dev"],
    "s3": ["::bucket/tasks-dev/code.zip"],
    "scheduler": ["us-east-1:1:schedule-group/tasks-dev", "us-east-1:1:schedule/tasks-dev/task"],
    "secretsmanager": ["us-east-1:1:secret:tasks-dev-signing-keys-AbCdEf"],
    "sns": ["us-east-1:1:tasks-dev-alarms"],
    "sqs": ["us-east-1:1:tasks-dev"],
}


#: What these actions act on instead ("Actions, resources, and condition keys for AWS CodeDeploy",
#: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodedeploy.html).
ELSEWHERE = {
    "codedeploy:GetDeploymentConfig": "arn:aws:codedeploy:us-east-1:1:deploymentconfig:"
    "CodeDeployDefault.LambdaCanary10Percent10Minutes",
    "codedeploy:StopDeployment": "*",
}


@pytest.mark.parametrize("kind", KINDS)
def test_cloudformation_may_do_what_a_resource_type_needs(kind: str) -> None:
    for action in of_schema(kind):
        service = action.split(":")[0]
        arns = [f"arn:aws:{service}:{end}" for end in ARNS[service]]
        arns = [ELSEWHERE[action]] if action in ELSEWHERE else arns
        assert any(allows(POLICY["Statement"], action, arn) for arn in arns), action


def test_no_resource_type_of_the_package_is_left_out(transformed: Transform) -> None:
    assert {one["Type"] for one in transformed().values()} == set(KINDS)


def test_cloudformation_may_do_nothing_that_no_resource_type_needs() -> None:
    needed = {action for kind in KINDS for action in of_schema(kind)}
    for statement in FOR_CLOUDFORMATION:
        for pattern in statement["Action"]:
            assert any(fnmatchcase(action, pattern) for action in needed), pattern


def test_only_cloudformation_may_create_what_is_in_the_stack() -> None:
    for statement in FOR_CLOUDFORMATION:
        condition = {"ForAnyValue:StringEquals": {"aws:CalledVia": "cloudformation.amazonaws.com"}}
        assert statement["Condition"] == condition


@pytest.mark.parametrize(
    ("action", "arn"),
    [
        ("dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:1:table/tasks-prod"),
        ("dynamodb:DeleteTable", "arn:aws:dynamodb:us-east-1:1:table/orders"),
        ("sqs:ReceiveMessage", "arn:aws:sqs:us-east-1:1:tasks-prod"),
        ("iam:PutRolePolicy", "arn:aws:iam::1:role/Admin"),
        ("iam:AttachUserPolicy", "arn:aws:iam::1:user/me"),
        ("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:1:function:tasks-prod"),
        ("cloudformation:DeleteStack", "arn:aws:cloudformation:us-east-1:1:stack/orders/x"),
    ],
)
def test_a_deployer_may_not(action: str, arn: str) -> None:
    assert not allows(POLICY["Statement"], action, arn)


def test_a_deployer_cannot_read_the_signing_keys() -> None:
    keys = "arn:aws:secretsmanager:us-east-1:1:secret:tasks-prod-signing-keys-AbCdEf"
    assert not allows(DIRECT, "secretsmanager:GetSecretValue", keys)


def test_a_role_is_passed_only_to_the_services_that_use_one() -> None:
    (statement,) = [one for one in POLICY["Statement"] if "iam:PassRole" in one["Action"]]
    assert statement["Resource"] == ["arn:aws:iam::*:role/tasks-*"]
    services = statement["Condition"]["StringEquals"]["iam:PassedToService"]
    assert services == [
        "apigateway.amazonaws.com",
        "codedeploy.amazonaws.com",
        "lambda.amazonaws.com",
    ]


def test_the_policy_is_short_enough_for_a_managed_policy() -> None:
    assert len(json.dumps(POLICY, separators=(",", ":"))) <= LONGEST_POLICY


def test_every_name_of_the_policy_is_of_the_service() -> None:
    assert STAGES == ["dev", "prod"]
    for statement in POLICY["Statement"]:
        for arn in statement["Resource"]:
            named_by_aws = (":apigateway:", ":event-source-mapping:", "transform")
            assert "tasks-" in arn or arn == "*" or any(word in arn for word in named_by_aws)
