"""Deploy a stage to AWS: the stack, the Lambdas, and what Chalice cannot set.

Every step may be repeated, so a run that fails half-way is simply run again.
"""

import argparse
import json
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
from botocore.exceptions import BotoCoreError, ClientError

from infra import gateway, stack

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_apigateway.type_defs import PatchOperationTypeDef
    from mypy_boto3_lambda import LambdaClient

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / ".chalice" / "config.json"

#: Requests a second that a stage lets through, and how many at once beyond that.
RATE_LIMIT, BURST_LIMIT = 5000, 5000
#: How long a change of AWS's may take to show, in seconds.
PATIENCE = 120

PARTIAL_FAILURES = ["ReportBatchItemFailures"]

#: One line of JSON a request; no tokens, no bodies.
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


class DeployError(Exception):
    """A step did not do what it should; the message says what and what to do."""


def deploy(stage: str, url: str | None = None, alarm_email: str | None = None) -> str:
    """Bring a stage up to date and return the URL where it answers.

    `url` is where to look for it, for a domain of one's own; API Gateway's by default.

    Raises DeployError, StackError, ClientError, BotoCoreError.
    """
    _step("stack")
    stack.deploy(stage, alarm_email)
    _step("configuration")
    environment = stack.environment(stage)
    write_environment(stage, environment)
    _step("chalice deploy")
    remove_leftovers(stage, environment["QUEUE_ARN"])
    run_chalice("deploy", stage)
    _step("partial batch failures")
    deployed = read_deployed(stage)
    for resource in deployed:
        if resource["resource_type"] == "sqs_event":
            report_partial_failures(resource["event_uuid"])
    _step("API Gateway")
    api = next(one for one in deployed if one["resource_type"] == "rest_api")
    finish_api(stage, api["rest_api_id"])
    _step("smoke test")
    url = (url or api["rest_api_url"]).rstrip("/")
    smoke_test(url)
    return url


def write_environment(stage: str, environment: dict[str, str]) -> None:
    """Write a stage's variables to where Chalice reads them."""
    config = json.loads(CONFIG.read_text())
    try:
        settings = config["stages"][stage]
    except KeyError:
        raise DeployError(f"{CONFIG.name} has no stage {stage}: add it there.") from None
    settings["environment_variables"] = settings.get("environment_variables", {}) | environment
    CONFIG.write_text(json.dumps(config, indent=2) + "\n")


def run_chalice(command: str, stage: str) -> None:
    """Run one of Chalice's commands for a stage. Raises DeployError if it fails."""
    run = subprocess.run(
        [Path(sys.executable).with_name("chalice"), command, "--stage", stage],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(run.stdout, end="", flush=True)
    if run.returncode or "Could not install dependencies" in run.stdout:
        raise DeployError(f"chalice {command} failed, see above.")


def read_deployed(stage: str) -> list[dict[str, Any]]:
    """Return what Chalice knows that it has deployed of a stage."""
    path = ROOT / ".chalice" / "deployed" / f"{stage}.json"
    if not path.exists():
        return []
    resources: list[dict[str, Any]] = json.loads(path.read_text())["resources"]
    return resources


def remove_leftovers(stage: str, queue_arn: str) -> None:
    """Delete event source mappings that a run of Chalice made and, failing, forgot.

    It would make them again, which Lambda refuses. The messages wait in their queues.
    """
    client: LambdaClient = boto3.client("lambda")
    known = {one.get("event_uuid") for one in read_deployed(stage)}
    deadline = time.monotonic() + PATIENCE
    while leftovers := [
        mapping
        for source in (queue_arn, f"{queue_arn}-dead-letters")
        for mapping in client.list_event_source_mappings(EventSourceArn=source)[
            "EventSourceMappings"
        ]
        if mapping["UUID"] not in known
    ]:
        if time.monotonic() > deadline:
            raise DeployError("Event source mappings of an earlier run cannot be deleted.")
        for mapping in leftovers:
            if mapping["State"] != "Deleting":
                client.delete_event_source_mapping(UUID=mapping["UUID"])
        time.sleep(1)


def report_partial_failures(mapping_id: str) -> None:
    """Let a queue's function name the messages that failed, and see that it is so.

    Without it Lambda would delete those as well. Chalice cannot set it.
    """
    client: LambdaClient = boto3.client("lambda")
    deadline = time.monotonic() + PATIENCE
    asked = False
    while time.monotonic() < deadline:
        mapping = client.get_event_source_mapping(UUID=mapping_id)
        is_set = mapping.get("FunctionResponseTypes") == PARTIAL_FAILURES
        if mapping["State"] == "Enabled" and is_set:
            return
        if mapping["State"] == "Enabled" and not asked:
            client.update_event_source_mapping(
                UUID=mapping_id,
                FunctionResponseTypes=PARTIAL_FAILURES,  # type: ignore[arg-type]
            )
            asked = True
        else:
            time.sleep(2)
    raise DeployError(f"Event source mapping {mapping_id} does not report partial failures.")


def finish_api(stage: str, api_id: str) -> None:
    """Set what API Gateway itself answers, its limits and its access log, and deploy it.

    Chalice overwrites the API each time it deploys, so this follows each time.
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
    account, region, partition = whereabouts()
    _let_api_gateway_log(client, log_role(stage))
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


def log_role(stage: str) -> str:
    """Return the ARN of the role of a stage with which API Gateway can write logs."""
    account, _, partition = whereabouts()
    return f"arn:{partition}:iam::{account}:role/tasks-{stage}-api-logs"


def smoke_test(url: str) -> None:
    """Make sure that the service answers there as it should. Raises DeployError."""
    deadline = time.monotonic() + PATIENCE
    while fault := _fault_of(url):
        if time.monotonic() > deadline:
            raise DeployError(f"{url} does not answer as it should: {fault}")
        time.sleep(2)


def _fault_of(url: str) -> str | None:
    expected = [
        ("GET", "/api/health", 200, {"status": "ok"}),
        ("GET", "/api/health/", 200, {"status": "ok"}),
        ("GET", "/api/no/such/path", 404, {"detail": "Not found.", "code": "not_found"}),
        (
            "DELETE",
            "/api/health/",
            405,
            {"detail": 'Method "DELETE" not allowed.', "code": "method_not_allowed"},
        ),
    ]
    for method, path, status, body in expected:
        try:
            answer = httpx.request(method, url + path, timeout=30)
        except httpx.TransportError as error:
            return f"{method} {path}: {error}"
        if answer.status_code != status or answer.text != json.dumps(body, separators=(",", ":")):
            return f"{method} {path}: {answer.status_code} {answer.text[:200]}"
    return None


def _let_api_gateway_log(client: "APIGatewayClient", role: str) -> None:
    """Give API Gateway a role to log with, unless the account has one: it is for all APIs."""
    if client.get_account().get("cloudwatchRoleArn"):
        return
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            client.update_account(
                patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": role}]
            )
        except ClientError:
            # A role that was just made is not known everywhere yet.
            if time.monotonic() > deadline:
                raise
            time.sleep(2)
        else:
            return


@cache
def whereabouts() -> tuple[str, str, str]:
    """Return the account, the region and the partition that all this happens in."""
    identity = boto3.client("sts").get_caller_identity()
    region = boto3.DEFAULT_SESSION.region_name if boto3.DEFAULT_SESSION else ""
    return identity["Account"], region or "", identity["Arn"].split(":")[1]


def _step(name: str) -> None:
    print(f"== {name}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make deploy", description=__doc__)
    parser.add_argument("--stage", required=True)
    parser.add_argument("--url", help="where the service is to answer, if not at API Gateway's URL")
    parser.add_argument("--alarm-email", help="where alarms go; as before if not given")
    arguments = parser.parse_args()
    try:
        url = deploy(arguments.stage, arguments.url, arguments.alarm_email)
    except (DeployError, stack.StackError, ClientError, BotoCoreError) as error:
        raise SystemExit(f"{error}\nWhat was done stays; mend that and run this again.") from error
    print(f"{url}/api/")


if __name__ == "__main__":
    main()
