"""Deploy a stage to AWS: the stack, the Lambdas, and what Chalice cannot set.

Every step can be repeated: after a failure, run it again.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Collection
from pathlib import Path

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from infra import (
    PATIENCE,
    DeployError,
    PackageError,
    StackError,
    api_stage,
    deployed,
    deployment_zip,
    event_sources,
    functions,
    lambda_python,
    probe,
    sam_template,
    stack,
    stage_settings,
    web_acl,
)
from infra.chalice_project import PROJECTS, read_config, read_record, run_chalice, write_project

#: What the smoke test requests, and the responses that it expects.
_EXPECTED = [
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


def deploy(
    stage: str,
    url: str | None = None,
    alarm_email: str | None = None,
    allowed: Collection[str] = (),
    *,
    quick: bool = False,
) -> str:
    """Bring a stage up to date and return its URL.

    `url` is the address of a custom domain; the default is API Gateway's URL. `allowed` are the
    names of what may be deleted although it serves. A quick deployment does not wait for the
    probe's scheduled task.

    Raises DeployError, PackageError, StackError, ClientError, BotoCoreError.
    """
    read_config(stage)
    settings = stage_settings.of(stage)
    if not settings.waf_limit:
        web_acl.release(stage)
    _step("stack")
    stack.deploy(stage, alarm_email, allowed=allowed)
    _step("configuration")
    write_project(stage, stack.environment(stage))
    deployed.complete_record(stage)
    deployed.refuse_to_delete_functions(stage, allowed)
    _step("package")
    _build_zip(stage)
    _step("chalice deploy")
    run_chalice("deploy", stage)
    _step("partial batch failures")
    record = read_record(stage)
    for resource in record:
        if resource["resource_type"] == "sqs_event":
            event_sources.report_partial_failures(resource["event_uuid"])
    _step("API Gateway")
    api = next(one for one in record if one["resource_type"] == "rest_api")
    api_stage.configure(stage, api["rest_api_id"], settings)
    _step("Lambdas")
    functions.configure(stage, settings)
    functions.publish(stage)
    _step("smoke test")
    url = (url or api["rest_api_url"]).rstrip("/")
    smoke_test(url)
    _step("probe")
    probe.report(url, scheduled=not quick)
    return url


def _build_zip(stage: str) -> None:
    """Build the zip that `chalice deploy` then finds and uploads.

    Chalice cannot compile what it packs. But it keeps each zip that it has built under a name
    made from the sources, and takes it again for the same sources.

    Raises DeployError, PackageError.
    """
    with tempfile.TemporaryDirectory() as out:
        run_chalice("package", stage, out)
        template = json.loads(Path(out, "sam.json").read_text())
    (path,) = (PROJECTS / stage / ".chalice" / "deployments").iterdir()
    deployment_zip.finish(path, sam_template.architecture(template))


def smoke_test(url: str) -> None:
    """Check that the service at a URL responds as expected. Raises DeployError."""
    deadline = time.monotonic() + PATIENCE
    while fault := _fault_of(url):
        if time.monotonic() > deadline:
            raise DeployError(f"{url} does not respond as expected: {fault}")
        time.sleep(2)


def _fault_of(url: str) -> str | None:
    for method, path, status, body in _EXPECTED:
        try:
            answer = httpx.request(method, url + path, timeout=30)
        except httpx.TransportError as error:
            return f"{method} {path}: {error}"
        if answer.status_code != status or answer.text != json.dumps(body, separators=(",", ":")):
            return f"{method} {path}: {answer.status_code} {answer.text[:200]}"
    return None


def _step(name: str) -> None:
    print(f"== {name}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make deploy", description=__doc__)
    parser.add_argument("--stage", required=True)
    parser.add_argument("--url", help="the service's URL, if it is not API Gateway's")
    parser.add_argument("--alarm-email", help="who receives alarms; unchanged if not given")
    parser.add_argument("--allow", default="", help="what may be deleted, separated by commas")
    parser.add_argument("--quick", action="store_true", help="do not wait for the probe's task")
    arguments = parser.parse_args()
    allowed = arguments.allow.split(",")
    try:
        lambda_python.check()
        url = deploy(
            arguments.stage,
            arguments.url,
            arguments.alarm_email,
            allowed,
            quick=arguments.quick,
        )
    except (DeployError, PackageError, StackError, ClientError, BotoCoreError) as error:
        message = f"{error}\nThe finished steps stay in place; fix the cause and run this again."
        raise SystemExit(message) from error
    print(f"{url}/api/")


if __name__ == "__main__":
    main()
