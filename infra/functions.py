"""The Lambdas of a stage: tracing, reserved concurrency and versions, which Chalice cannot set.

Chalice turns tracing on but never off, and fails where the account has too little concurrency.
"""

import json
import subprocess
from typing import TYPE_CHECKING

import boto3

from infra import ROOT, policies
from infra.sam_template import FUNCTIONS
from infra.stage_settings import StageSettings

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

#: Lambda keeps this much of an account's concurrency for functions that reserve none.
_UNRESERVED = 100

#: The inline policy with the rights for X-Ray, beside Chalice's.
_TRACING = "tracing"


def configure(stage: str, settings: StageSettings) -> None:
    """Set tracing and the concurrency of a stage's Lambdas. It can be repeated."""
    for name in names(stage):
        _trace(name, on=settings.tracing)
    _limit(names(stage)[0], concurrency(stage, settings.api_concurrency))


def publish(stage: str) -> None:
    """Publish a version of each Lambda, described by the revision: rolling back needs it.

    Lambda publishes none where neither the code nor the configuration has changed.
    """
    client: LambdaClient = boto3.client("lambda")
    for name in names(stage):
        client.get_waiter("function_updated_v2").wait(FunctionName=name)
        version = client.publish_version(FunctionName=name, Description=_revision())
        print(f"{name}: version {version['Version']}, {version['Description'] or 'no revision'}")


def names(stage: str) -> list[str]:
    """Return the names of a stage's Lambdas, the API's first."""
    return [f"tasks-{stage}{suffix}" for suffix in FUNCTIONS.values()]


def _trace(name: str, *, on: bool) -> None:
    client: LambdaClient = boto3.client("lambda")
    configuration = client.get_function_configuration(FunctionName=name)
    mode = configuration.get("TracingConfig", {}).get("Mode", "PassThrough")
    if (mode == "Active") == on:
        return
    iam, role = boto3.client("iam"), configuration["Role"].rsplit("/", 1)[1]
    if on:
        document = {"Version": "2012-10-17", "Statement": [policies.TRACING]}
        iam.put_role_policy(RoleName=role, PolicyName=_TRACING, PolicyDocument=json.dumps(document))
    client.update_function_configuration(
        FunctionName=name, TracingConfig={"Mode": "Active" if on else "PassThrough"}
    )
    client.get_waiter("function_updated_v2").wait(FunctionName=name)
    if not on and _TRACING in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        iam.delete_role_policy(RoleName=role, PolicyName=_TRACING)


def concurrency(stage: str, wanted: int) -> int:
    """Return how much concurrency can be reserved for the API; if it is none, say why."""
    client: LambdaClient = boto3.client("lambda")
    account, name = client.get_account_settings()["AccountLimit"], names(stage)[0]
    own = _reserved(name)
    if account["UnreservedConcurrentExecutions"] + own - wanted >= _UNRESERVED:
        return wanted
    print(
        f"{name} can take the concurrency of all functions: the account has "
        f"{account['ConcurrentExecutions']}, {account['UnreservedConcurrentExecutions'] + own} of "
        f"it unreserved, and Lambda keeps {_UNRESERVED} of that, so {wanted} cannot be reserved. "
        "Request a larger quota, then deploy again."
    )
    return 0


def _limit(name: str, wanted: int) -> None:
    client: LambdaClient = boto3.client("lambda")
    reserved = _reserved(name)
    if wanted and wanted != reserved:
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=wanted)
    elif reserved and not wanted:
        client.delete_function_concurrency(FunctionName=name)


def _reserved(name: str) -> int:
    """Return the concurrency that a function has reserved; none if it does not exist yet."""
    client: LambdaClient = boto3.client("lambda")
    try:
        answer = client.get_function_concurrency(FunctionName=name)
    except client.exceptions.ResourceNotFoundException:
        return 0
    return answer.get("ReservedConcurrentExecutions", 0)


def _revision() -> str:
    """Return the revision that is deployed, as Git describes it; empty without Git."""
    describe = ["git", "describe", "--always", "--dirty", "--tags"]
    try:
        run = subprocess.run(describe, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return run.stdout.strip()
