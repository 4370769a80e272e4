"""Deploy a stage to AWS: the stack, the Lambdas, and what Chalice cannot set.

Every step can be repeated: after a failure, run it again.
"""

import argparse
import json
import time

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from infra import PATIENCE, DeployError, api_stage, event_sources, stack
from infra.chalice_cli import read_deployed, run_chalice, write_environment

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


def deploy(stage: str, url: str | None = None, alarm_email: str | None = None) -> str:
    """Bring a stage up to date and return its URL.

    `url` is the address of a custom domain; the default is API Gateway's URL.

    Raises DeployError, StackError, ClientError, BotoCoreError.
    """
    _step("stack")
    stack.deploy(stage, alarm_email)
    _step("configuration")
    environment = stack.environment(stage)
    write_environment(stage, environment)
    _step("chalice deploy")
    known_ids = {one["event_uuid"] for one in read_deployed(stage) if "event_uuid" in one}
    event_sources.remove_leftovers(environment["QUEUE_ARN"], known_ids)
    run_chalice("deploy", stage)
    _step("partial batch failures")
    deployed = read_deployed(stage)
    for resource in deployed:
        if resource["resource_type"] == "sqs_event":
            event_sources.report_partial_failures(resource["event_uuid"])
    _step("API Gateway")
    api = next(one for one in deployed if one["resource_type"] == "rest_api")
    api_stage.configure(stage, api["rest_api_id"])
    _step("smoke test")
    url = (url or api["rest_api_url"]).rstrip("/")
    smoke_test(url)
    return url


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
    arguments = parser.parse_args()
    try:
        url = deploy(arguments.stage, arguments.url, arguments.alarm_email)
    except (DeployError, stack.StackError, ClientError, BotoCoreError) as error:
        message = f"{error}\nThe finished steps stay in place; fix the cause and run this again."
        raise SystemExit(message) from error
    print(f"{url}/api/")


if __name__ == "__main__":
    main()
