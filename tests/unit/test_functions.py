"""Tracing, reserved concurrency and versions of the Lambdas, by the calls that they make."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from infra import functions, web_acl
from infra.stage_settings import StageSettings

API = "tasks-dev"
ARN = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/tasks-dev/1"
STAGE_ARN = "arn:aws:apigateway:us-east-1::/restapis/api/stages/dev"


class Clients:
    """Real clients whose calls have to come in the order in which they are expected."""

    def __init__(self) -> None:
        self._clients: dict[str, Any] = {}
        self._stubs: dict[str, Stubber] = {}

    def __call__(self, service: str) -> Any:
        if service not in self._clients:
            session = boto3.Session("test", "test", region_name="us-east-1")
            self._clients[service] = session.client(service)  # type: ignore[call-overload]
            self._stubs[service] = Stubber(self._clients[service])
            self._stubs[service].activate()
        return self._clients[service]

    def expect(self, service: str, call: str, answer: dict[str, Any], **params: Any) -> None:
        self(service)
        self._stubs[service].add_response(call, answer, params)

    def check(self) -> None:
        for stub in self._stubs.values():
            stub.assert_no_pending_responses()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    clients = Clients()
    monkeypatch.setattr(boto3, "client", clients)
    yield clients
    clients.check()


def quota(aws: Clients, total: int, unreserved: int, own: int = 0) -> None:
    limit = {"ConcurrentExecutions": total, "UnreservedConcurrentExecutions": unreserved}
    aws.expect("lambda", "get_account_settings", {"AccountLimit": limit})
    reserved = {"ReservedConcurrentExecutions": own} if own else {}
    aws.expect("lambda", "get_function_concurrency", reserved, FunctionName=API)


def untraced(aws: Clients) -> None:
    for name in functions.names("dev"):
        mode = {"TracingConfig": {"Mode": "PassThrough"}}
        aws.expect("lambda", "get_function_configuration", mode, FunctionName=name)


def test_the_api_gets_the_concurrency_that_it_may_use(aws: Clients) -> None:
    untraced(aws)
    quota(aws, total=1000, unreserved=1000)
    aws.expect("lambda", "get_function_concurrency", {}, FunctionName=API)
    aws.expect(
        "lambda",
        "put_function_concurrency",
        {},
        FunctionName=API,
        ReservedConcurrentExecutions=200,
    )
    functions.configure("dev", StageSettings())


def test_concurrency_that_the_api_has_already_is_not_counted_twice(aws: Clients) -> None:
    quota(aws, total=300, unreserved=100, own=200)
    assert functions.concurrency("dev", 200) == 200


@pytest.mark.parametrize(("total", "unreserved"), [(10, 10), (1000, 299)])
def test_a_quota_that_is_too_small_is_said_and_nothing_is_reserved(
    aws: Clients, capsys: pytest.CaptureFixture[str], total: int, unreserved: int
) -> None:
    quota(aws, total, unreserved)
    assert functions.concurrency("dev", 200) == 0
    said = capsys.readouterr().out
    assert f"the account has {total}" in said
    assert "Request a larger quota" in said


def test_tracing_gives_the_right_before_it_turns_x_ray_on(aws: Clients) -> None:
    function = {
        "Role": "arn:aws:iam::123456789012:role/tasks-dev-worker",
        "TracingConfig": {"Mode": "PassThrough"},
    }
    name = "tasks-dev-worker"
    aws.expect("lambda", "get_function_configuration", function, FunctionName=name)
    aws.expect(
        "iam",
        "put_role_policy",
        {},
        RoleName="tasks-dev-worker",
        PolicyName="tracing",
        PolicyDocument=ANY,
    )
    active = {"Mode": "Active"}
    aws.expect(
        "lambda", "update_function_configuration", {}, FunctionName=name, TracingConfig=active
    )
    updated = {"Configuration": {"LastUpdateStatus": "Successful"}}
    aws.expect("lambda", "get_function", updated, FunctionName=name)
    functions._trace(name, on=True)


def test_tracing_that_chalice_left_on_is_turned_off_with_its_right(aws: Clients) -> None:
    function = {
        "Role": "arn:aws:iam::123456789012:role/tasks-dev-worker",
        "TracingConfig": {"Mode": "Active"},
    }
    name, role = "tasks-dev-worker", {"RoleName": "tasks-dev-worker"}
    aws.expect("lambda", "get_function_configuration", function, FunctionName=name)
    off = {"Mode": "PassThrough"}
    aws.expect("lambda", "update_function_configuration", {}, FunctionName=name, TracingConfig=off)
    updated = {"Configuration": {"LastUpdateStatus": "Successful"}}
    aws.expect("lambda", "get_function", updated, FunctionName=name)
    aws.expect("iam", "list_role_policies", {"PolicyNames": ["tracing"]}, **role)
    aws.expect("iam", "delete_role_policy", {}, PolicyName="tracing", **role)
    functions._trace(name, on=False)


def test_each_lambda_gets_a_version_that_names_the_revision(
    aws: Clients, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(functions, "_revision", lambda: "v1.2.3")
    for name in functions.names("dev"):
        updated = {"Configuration": {"LastUpdateStatus": "Successful"}}
        aws.expect("lambda", "get_function", updated, FunctionName=name)
        version = {"Version": "7", "Description": "v1.2.3"}
        aws.expect("lambda", "publish_version", version, FunctionName=name, Description="v1.2.3")
    functions.publish("dev")
    assert "tasks-dev-worker: version 7, v1.2.3" in capsys.readouterr().out


def acls(aws: Clients, *names: str) -> None:
    found = [{"Name": name, "ARN": ARN} for name in names]
    aws.expect("wafv2", "list_web_acls", {"WebACLs": found}, Scope="REGIONAL", Limit=100)


def test_a_web_acl_is_dissociated_before_the_stack_deletes_it(aws: Clients) -> None:
    acls(aws, "other", "tasks-dev")
    aws.expect(
        "wafv2",
        "list_resources_for_web_acl",
        {"ResourceArns": [STAGE_ARN]},
        WebACLArn=ARN,
        ResourceType="API_GATEWAY",
    )
    aws.expect("wafv2", "disassociate_web_acl", {}, ResourceArn=STAGE_ARN)
    web_acl.release("dev")


def test_a_stage_without_a_web_acl_has_nothing_to_dissociate(aws: Clients) -> None:
    acls(aws, "other")
    web_acl.release("dev")


def test_a_web_acl_guards_the_apis_stage(aws: Clients) -> None:
    acls(aws, "tasks-dev")
    aws.expect("wafv2", "associate_web_acl", {}, WebACLArn=ARN, ResourceArn=STAGE_ARN)
    web_acl.associate("dev", STAGE_ARN)


def test_no_concurrency_is_a_setting_too(aws: Clients) -> None:
    untraced(aws)
    quota(aws, total=1000, unreserved=800, own=200)
    own = {"ReservedConcurrentExecutions": 200}
    aws.expect("lambda", "get_function_concurrency", own, FunctionName=API)
    aws.expect("lambda", "delete_function_concurrency", {}, FunctionName=API)
    functions.configure("dev", replace(StageSettings(), api_concurrency=0))
