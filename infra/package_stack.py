"""Deploy the package of a stage: one CloudFormation stack with everything in it."""

import argparse
import hashlib
import json
from collections.abc import Collection
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra import (
    DeployError,
    PackageError,
    StackError,
    api_stage,
    functions,
    lambda_python,
    package,
    probe,
    stack,
    stage_settings,
)
from infra.change_set import Template
from infra.deploy import smoke_test
from infra.template import Json


def deploy(
    stage: str,
    folder: Path,
    bucket: str,
    alarm_email: str | None = None,
    allowed: Collection[str] = (),
) -> str:
    """Deploy a package from its folder and return the API's URL.

    Raises StackError, ClientError, BotoCoreError.
    """
    stack.refuse_if_deployed(stack.stack_name(stage), "make deploy")
    built: Json = json.loads((folder / "sam.json").read_text())
    template = Template(
        url=_upload(stage, built, (folder / "deployment.zip").read_bytes(), bucket),
        parameters=frozenset(built["Parameters"]),
        capabilities=("CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"),
    )
    name = stack.package_stack_name(stage)
    settings = stage_settings.of(stage)
    parameters = settings.parameters | {
        "ApiConcurrency": str(functions.concurrency(stage, settings.api_concurrency)),
        "SetLogRole": str(not api_stage.has_foreign_log_role(stage)).lower(),
    }
    if alarm_email is not None:
        parameters["AlarmEmail"] = alarm_email
    stack.bring_up_to_date(name, stage, template, parameters, allowed=allowed)
    return stack.outputs(name)["EndpointURL"]


def _upload(stage: str, template: Json, code: bytes, bucket: str) -> str:
    """Upload a package and return the URL of its template, which names the uploaded zip."""
    s3 = boto3.client("s3")
    # A new name for new code: CloudFormation compares names, not contents.
    key = f"tasks-{stage}/{hashlib.sha256(code).hexdigest()}.zip"
    s3.put_object(Bucket=bucket, Key=key, Body=code)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = f"s3://{bucket}/{key}"
    body = json.dumps(template).encode()
    key = f"tasks-{stage}/{hashlib.sha256(body).hexdigest()}.json"
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    return f"{s3.meta.endpoint_url}/{bucket}/{key}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="make deploy-package", description=__doc__)
    parser.add_argument("--stage", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--bucket", required=True, help="an S3 bucket for the code")
    parser.add_argument("--url", help="the service's URL, if it is not API Gateway's")
    parser.add_argument("--alarm-email", help="who receives alarms; unchanged if not given")
    parser.add_argument("--allow", default="", help="what may be deleted, separated by commas")
    given = parser.parse_args()
    try:
        lambda_python.check()
        package.build(given.stage, given.out)
        allowed = given.allow.split(",")
        url = deploy(given.stage, given.out, given.bucket, given.alarm_email, allowed)
        url = (given.url or url).rstrip("/")
        smoke_test(url)
        probe.report(url)
    except (DeployError, PackageError, StackError, ClientError, BotoCoreError) as error:
        raise SystemExit(f"{error}\nFix the cause and run this again.") from error
    print(f"{url}/api/")


if __name__ == "__main__":
    main()
