"""What CloudFormation makes of the package: SAM's own translator, run here."""

import json
from typing import Any

import pytest

from infra import sam_template
from tests.deploy.conftest import STAGE, Transform


def of_type(resources: Any, kind: str) -> dict[str, Any]:
    return {name: one for name, one in resources.items() if one["Type"] == kind}


@pytest.mark.parametrize("function", sam_template.FUNCTIONS)
def test_every_function_has_a_version_and_the_alias(transformed: Transform, function: str) -> None:
    resources = transformed()
    alias = resources[f"{function}Aliaslive"]["Properties"]
    assert alias["Name"] == "live"
    (version, _) = alias["FunctionVersion"]["Fn::GetAtt"]
    assert resources[version]["Properties"]["FunctionName"] == {"Ref": function}
    assert resources[version]["DeletionPolicy"] == "Retain"


def test_the_queues_call_the_alias(transformed: Transform) -> None:
    mappings = of_type(transformed(), "AWS::Lambda::EventSourceMapping")
    called = [one["Properties"]["FunctionName"] for one in mappings.values()]
    assert sorted(one["Ref"] for one in called) == ["DeadLettersAliaslive", "WorkerAliaslive"]


def test_the_rule_calls_the_alias(transformed: Transform) -> None:
    (rule,) = of_type(transformed(), "AWS::Events::Rule").values()
    (target,) = rule["Properties"]["Targets"]
    assert target["Arn"] == {"Ref": "SweeperAliaslive"}


def test_every_method_of_the_api_calls_the_alias(transformed: Transform) -> None:
    resources = transformed()
    paths = resources["RestAPI"]["Properties"]["Body"]["paths"]
    integrations = [
        method["x-amazon-apigateway-integration"]
        for methods in paths.values()
        for name, method in methods.items()
        if name != "options"
    ]
    assert len(integrations) > 20
    for integration in integrations:
        assert "APIHandlerAliaslive" in json.dumps(integration["uri"])
        assert "${APIHandler.Arn}" not in json.dumps(integration["uri"])


def test_callers_may_call_the_alias_and_nothing_else(transformed: Transform) -> None:
    permissions = of_type(transformed(), "AWS::Lambda::Permission").values()
    called = {one["Properties"]["FunctionName"]["Ref"] for one in permissions}
    assert called == {"APIHandlerAliaslive", "SweeperAliaslive"}


@pytest.mark.parametrize(("function", "alarms"), sam_template.CANARIES.items())
def test_an_alarm_rolls_a_canary_back(
    transformed: Transform, function: str, alarms: list[str]
) -> None:
    resources = transformed()
    group = resources[f"{function}DeploymentGroup"]["Properties"]
    watched = group["AlarmConfiguration"]["Alarms"]
    assert [one["Name"]["Ref"] for one in watched] == alarms
    assert set(alarms) <= set(resources)
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    assert "CodeDeployLambdaAliasUpdate" in resources[f"{function}Aliaslive"]["UpdatePolicy"]


def test_a_repair_can_go_out_at_once_while_an_alarm_is_on(transformed: Transform) -> None:
    resources = transformed(Canary="false")
    assert not [one for one in resources.values() if "CodeDeploy" in one["Type"]]
    assert "UpdatePolicy" not in resources["APIHandlerAliaslive"]


def test_a_changed_setting_makes_a_new_version(transformed: Transform) -> None:
    def version(memory: int) -> str:
        resources = transformed(memory)
        return str(resources["WorkerAliaslive"]["Properties"]["FunctionVersion"])

    assert version(512) == version(512)
    assert version(512) != version(1024)


def test_the_web_acl_guards_the_stage_of_the_api(transformed: Transform) -> None:
    association = transformed()["WebAclAssociation"]
    assert association["Condition"] == "HasWaf"
    arn = association["Properties"]["ResourceArn"]["Fn::Sub"]
    assert arn.endswith(f"::/restapis/${{RestAPI}}/stages/${{RestAPI{STAGE}Stage}}")


def test_the_stage_waits_for_the_role_that_its_access_log_needs(transformed: Transform) -> None:
    resources = transformed()
    assert "ApiGatewayAccount" in json.dumps(resources["RestAPI"]["Properties"]["Description"])
    assert resources["ApiGatewayAccount"]["Condition"] == "SetsLogRole"
    log = resources[f"RestAPI{STAGE}Stage"]["Properties"]["AccessLogSetting"]
    assert log["DestinationArn"] == {"Fn::GetAtt": ["AccessLogGroup", "Arn"]}


def test_the_api_reserves_no_concurrency_where_there_is_not_enough(transformed: Transform) -> None:
    reserved = transformed()["APIHandler"]["Properties"]["ReservedConcurrentExecutions"]
    assert reserved["Fn::If"][0] == "HasApiConcurrency"
    assert reserved["Fn::If"][2] == {"Ref": "AWS::NoValue"}
