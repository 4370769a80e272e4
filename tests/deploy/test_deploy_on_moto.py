"""`make deploy` and `make destroy` as a whole, against servers that stand in for AWS.

MiniStack makes the stack, whose types moto does not know; moto is all the rest.
"""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from infra import gateway
from infra.local import emulated
from infra.local.cloud import cloud, free_port
from tests.deploy.deployer import DIRECT, allows, needs
from tests.e2e.conftest import LocalService, wait_for

ROOT = Path(__file__).parents[2]
STAGE = "dev"
# MiniStack takes an access key of 12 digits for the account; this is moto's.
ACCOUNT = "123456789012"

#: Runs a module as `python -m` does. The tests may run on a Python that Lambdas must not get.
RUN = """
import runpy, sys
from infra import lambda_python
lambda_python.OLDEST = (3, 11)
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, because a deployment writes to its `.chalice`."""
    copy = tmp_path_factory.mktemp("project")
    for name in ("chalicelib", "infra", ".chalice"):
        ignored = shutil.ignore_patterns("__pycache__", "deployed", "deployments")
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    for name in ("app.py", "requirements.txt"):
        shutil.copy(ROOT / name, copy)
    (copy / "infra" / "resources.yaml").write_text(emulated.template().text)
    return copy


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a deployment whose AWS is moto and, for the stack, MiniStack."""
    port = free_port()
    moto = subprocess.Popen(
        [Path(sys.executable).with_name("moto_server"), "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with cloud("embedded", tmp_path_factory.mktemp("ministack")) as ministack:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: _answers(url))
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        yield (
            kept
            | pip
            | {
                "AWS_ENDPOINT_URL": url,
                "AWS_ENDPOINT_URL_CLOUDFORMATION": ministack,
                "AWS_ENDPOINT_URL_DYNAMODB": ministack,
                "AWS_ENDPOINT_URL_SECRETS_MANAGER": ministack,
                "AWS_ACCESS_KEY_ID": ACCOUNT,
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_DEFAULT_REGION": "us-east-1",
                "PYTHONPATH": str(Path(__file__).with_name("moto_site")),
                "RECORD_CALLS": str(tmp_path_factory.mktemp("calls") / "calls.jsonl"),
            }
        )
    moto.terminate()
    moto.wait()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    """A service that answers, for the smoke test: moto's API Gateway has nothing behind it."""
    with LocalService(tmp_path_factory.mktemp("live")).run() as service:
        yield service


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/moto-api/").status_code == 200
    except httpx.TransportError:
        return False


def client(service: str, environment: dict[str, str]) -> Any:
    return boto3.client(  # type: ignore[call-overload]  # a service by a variable
        service,
        endpoint_url=environment.get(
            f"AWS_ENDPOINT_URL_{service.upper()}", environment["AWS_ENDPOINT_URL"]
        ),
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="test",
        region_name="us-east-1",
    )


def run(
    project: Path, environment: dict[str, str], *arguments: str, answer: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        cwd=project,
        env=environment,
        input=answer,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def by_name(record: Path) -> dict[str, Any]:
    """Return Chalice's record of what is deployed."""
    return {one["name"]: one for one in json.loads(record.read_text())["resources"]}


def state(environment: dict[str, str], stage: str = STAGE) -> dict[str, Any]:
    """Return everything that a deployment makes, except what changes with each one."""
    functions, apis = client("lambda", environment), client("apigateway", environment)
    iam, events = client("iam", environment), client("events", environment)
    roles = [role["RoleName"] for role in iam.list_roles()["Roles"]]
    api_ids = [api["id"] for api in apis.get_rest_apis()["items"]]
    return {
        "functions": {
            one["FunctionName"]: {
                name: one.get(name)
                for name in ("Handler", "Role", "MemorySize", "Timeout", "Environment", "Runtime")
            }
            | {"Architectures": one["Architectures"], "TracingConfig": one["TracingConfig"]}
            for one in functions.list_functions()["Functions"]
        },
        "code": {one["CodeSha256"] for one in functions.list_functions()["Functions"]},
        "mappings": {
            one["UUID"]: (
                one["EventSourceArn"],
                one["FunctionArn"],
                one["FunctionResponseTypes"],
                one["BatchSize"],
            )
            for one in functions.list_event_source_mappings()["EventSourceMappings"]
        },
        "policies": {
            role: {
                name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
                for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
            }
            for role in roles
        },
        "rules": [(one["Name"], one["ScheduleExpression"]) for one in events.list_rules()["Rules"]],
        "apis": {
            api_id: {
                "paths": sorted(
                    one["path"] for one in apis.get_resources(restApiId=api_id, limit=500)["items"]
                ),
                "answers": {
                    one["responseType"]: (one.get("statusCode"), one.get("responseTemplates"))
                    for one in apis.get_gateway_responses(restApiId=api_id)["items"]
                },
                "stage": {
                    name: value
                    for name, value in apis.get_stage(restApiId=api_id, stageName=stage).items()
                    if name in ("methodSettings", "accessLogSettings", "tracingEnabled")
                },
            }
            for api_id in api_ids
        },
    }


def test_deploying_a_stage_again_changes_nothing_and_destroying_it_leaves_nothing(
    project: Path, environment: dict[str, str], live: LocalService
) -> None:
    nothing = state(environment)
    sqs = client("sqs", environment)
    for name in (f"tasks-{STAGE}", f"tasks-{STAGE}-dead-letters"):
        sqs.create_queue(QueueName=name)
    deploy = ("infra.deploy", "--stage", STAGE, "--url", live.url, "--quick")

    first = run(project, environment, *deploy)
    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout.endswith(f"{live.url}/api/\n")
    deployed = state(environment)

    names = {f"tasks-{STAGE}{part}" for part in ("", "-worker", "-dead_letters", "-sweeper")}
    assert set(deployed["functions"]) == names
    assert {types[0] for _, _, types, _ in deployed["mappings"].values()} == {
        "ReportBatchItemFailures"
    }
    assert len(deployed["mappings"]) == 2
    assert [rule for _, rule in deployed["rules"]] == ["rate(1 minute)"]
    (api,) = deployed["apis"].values()
    assert set(gateway.RESPONSES) <= set(api["answers"])
    assert api["answers"]["MISSING_AUTHENTICATION_TOKEN"][0] == "404"
    assert "/api/tasks/{task_id}/cancel" in api["paths"]
    assert f":/aws/apigateway/tasks-{STAGE}" in api["stage"]["accessLogSettings"]["destinationArn"]

    # Chalice has taken the zip that was completed, for all of them.
    (code,) = (project / ".deploy" / STAGE / ".chalice" / "deployments").iterdir()
    with zipfile.ZipFile(code) as archive:
        assert cache_from_source("app.py") in archive.namelist()
    assert deployed["code"] == {
        base64.b64encode(hashlib.sha256(code.read_bytes()).digest()).decode()
    }

    second = run(project, environment, *deploy)
    assert second.returncode == 0, second.stdout + second.stderr
    assert state(environment) == deployed

    # As in a fresh clone: git ignores what a deployment writes.
    record = project / ".chalice" / "deployed" / f"{STAGE}.json"
    before = by_name(record)
    shutil.rmtree(record.parent)
    shutil.rmtree(project / ".deploy")
    from_clone = run(project, environment, *deploy)
    assert from_clone.returncode == 0, from_clone.stdout + from_clone.stderr
    assert state(environment) == deployed
    assert by_name(record) == before
    assert ACCOUNT not in (project / ".chalice" / "config.json").read_text()

    shutil.rmtree(record.parent)

    refused = run(project, environment, "infra.destroy", "--stage", STAGE, answer="prod\n")
    assert refused.returncode != 0
    assert state(environment) == deployed

    destroy = ("infra.destroy", "--stage", STAGE, "--data", "delete")
    destroyed = run(project, environment, *destroy, answer=f"{STAGE}\n")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    assert state(environment) == nothing


def test_a_deployment_that_failed_half_way_can_be_repeated(
    project: Path, environment: dict[str, str], live: LocalService
) -> None:
    nothing = state(environment)
    for name in ("tasks-prod", "tasks-prod-dead-letters"):
        client("sqs", environment).create_queue(QueueName=name)
    deploy = ("infra.deploy", "--stage", "prod", "--url", live.url, "--quick")
    # Without moto_site, moto refuses the API, which comes last.
    halved = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    failed = run(project, halved, *deploy)
    assert failed.returncode != 0
    assert "run this again" in failed.stderr

    repeated = run(project, environment, *deploy)
    assert repeated.returncode == 0, repeated.stdout + repeated.stderr
    assert len(state(environment, "prod")["mappings"]) == 2

    destroy = ("infra.destroy", "--stage", "prod", "--data", "delete")
    refused = run(project, environment, *destroy, answer="prod\n")
    assert "is protected from deletion" in refused.stderr
    assert len(state(environment, "prod")["mappings"]) == 2

    client("cloudformation", environment).update_termination_protection(
        StackName="tasks-prod", EnableTerminationProtection=False
    )
    destroyed = run(project, environment, *destroy, answer="prod\n")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    assert state(environment) == nothing


def test_a_deployment_that_cannot_go_on_says_what_to_do(
    project: Path, environment: dict[str, str]
) -> None:
    failed = run(project, environment, "infra.deploy", "--stage", "no-such-stage")
    assert failed.returncode != 0
    assert re.search(r"has no stage no-such-stage.*\n.*run this again", failed.stderr)


def test_a_deployer_with_only_its_policy_can_do_all_that(environment: dict[str, str]) -> None:
    lines = Path(environment["RECORD_CALLS"]).read_text().splitlines()
    needed = {need for line in lines for need in needs(json.loads(line))}
    assert {need for need in needed if not allows(DIRECT, *need)} == set()
    actions = {action for action, _ in needed}
    assert actions >= {"cloudformation:DeleteStack", "lambda:DeleteFunction", "iam:PassRole"}
