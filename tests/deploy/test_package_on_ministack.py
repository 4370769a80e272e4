"""The package, deployed by CloudFormation: real Lambdas behind an API Gateway, over HTTP."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

import boto3
import pytest

from infra import package_stack, sam_template, stack
from infra.local import emulated
from infra.local.cloud import cloud
from infra.local.loops import FIRE_EVERY, OneTimeSchedules
from tests.deploy.conftest import STAGE
from tests.e2e.conftest import Service, clean_environment, wait_for
from tests.e2e.test_readme import test_the_same_over_http_works_as_printed
from tests.e2e.test_walk_through import (
    SUM,
    create,
    finished,
    test_200_parallel_creates_give_exactly_five_tasks,
    test_a_user_hands_over_tasks_and_watches_them_finish,
    test_pages_of_45_tasks_hold_each_task_once,
    test_tasks_that_finish_meanwhile_never_make_more_than_five_active,
    test_the_sixth_active_task_is_refused_and_other_users_are_not_affected,
    test_unknown_paths_answer_in_the_shape_of_every_error,
)

# The same end-to-end tests as for `make run`.
__all__ = [
    "test_200_parallel_creates_give_exactly_five_tasks",
    "test_a_user_hands_over_tasks_and_watches_them_finish",
    "test_pages_of_45_tasks_hold_each_task_once",
    "test_tasks_that_finish_meanwhile_never_make_more_than_five_active",
    "test_the_same_over_http_works_as_printed",
    "test_the_sixth_active_task_is_refused_and_other_users_are_not_affected",
    "test_unknown_paths_answer_in_the_shape_of_every_error",
]

STACK = stack.package_stack_name(STAGE)
BUCKET = "packages"
_ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}


class Aws:
    """An AWS with the package's stack in it."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._session = boto3.Session("test", "test", region_name="us-east-1")

    def client(self, name: str) -> Any:
        return self._session.client(name, endpoint_url=self.endpoint)  # type: ignore[call-overload]

    @property
    def outputs(self) -> dict[str, str]:
        stack = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def deploy(self, package: Path) -> None:
        """Do what `make deploy-package` does."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(boto3, "client", self.client)
            package_stack.deploy(STAGE, _reduced(package), BUCKET)
        self._import_gateway_responses()

    def _import_gateway_responses(self) -> None:
        """Set the gateway responses that are in the API's definition.

        API Gateway does that itself when it imports one; MiniStack does not read them.
        """
        processed = self.client("cloudformation").get_template(
            StackName=STACK, TemplateStage="Processed"
        )["TemplateBody"]
        definition = processed["Resources"]["RestAPI"]["Properties"]["Body"]
        api_id, gateway = self.outputs["RestAPIId"], self.client("apigateway")
        for name, response in definition["x-amazon-apigateway-gateway-responses"].items():
            gateway.put_gateway_response(restApiId=api_id, responseType=name, **response)
        gateway.create_deployment(restApiId=api_id, stageName=STAGE)


def _reduced(package: Path) -> Path:
    """Return a copy of a package without the alarms that MiniStack refuses."""
    copy = package.with_name("reduced")
    shutil.copytree(package, copy, dirs_exist_ok=True)
    template = emulated.reduced(json.loads((copy / "sam.json").read_text()))
    for function in sam_template.CANARIES:
        del template["Resources"][function]["Properties"]["DeploymentPreference"]
    (copy / "sam.json").write_text(json.dumps(template))
    return copy


@contextmanager
def one_time_schedules(aws: Aws) -> Iterator[None]:
    """Fire the schedules when they are due: MiniStack mistakes Moscow times for UTC."""
    stop = Event()
    schedules = OneTimeSchedules(
        aws.client("scheduler"), aws.client("sqs"), aws.outputs["ScheduleGroup"]
    )

    def fire() -> None:
        while not stop.wait(FIRE_EVERY):
            schedules.fire_due(datetime.now(UTC))

    thread = Thread(target=fire)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture(scope="module")
def aws(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    with pytest.MonkeyPatch.context() as patch:
        # The Lambdas inherit MiniStack's environment: what they need must be in the template.
        patch.setattr(os, "environ", clean_environment() | _ACCOUNT)
        running = cloud("embedded", tmp_path_factory.mktemp("ministack"))
        endpoint = running.__enter__()
    try:
        aws = Aws(endpoint)
        aws.client("s3").create_bucket(Bucket=BUCKET)
        aws.deploy(built)
        with one_time_schedules(aws):
            yield aws
    finally:
        running.__exit__(None, None, None)


@pytest.fixture(scope="module")
def service(aws: Aws) -> Iterator[Service]:
    port = aws.endpoint.rsplit(":", 1)[1]
    url = f"http://{aws.outputs['RestAPIId']}.execute-api.localhost:{port}/{STAGE}"
    # Each concurrent request starts a Lambda, which takes 2 seconds of a core.
    service = Service(url, connections=16)
    # The walk-through waits for a second, which the first start of a Lambda alone takes.
    warm = service.sign_up("warm")
    finished(warm, create(warm, SUM))
    yield service
    service.close()


class Queue:
    """A queue of the stack and what Lambda's event source mapping does with it."""

    def __init__(self, aws: Aws, arn: str) -> None:
        self._sqs, self._lambda = aws.client("sqs"), aws.client("lambda")
        self.url = self._sqs.get_queue_url(QueueName=arn.rsplit(":", 1)[1])["QueueUrl"]
        mappings = self._lambda.list_event_source_mappings(EventSourceArn=arn)
        (mapping,) = mappings["EventSourceMappings"]
        self._mapping = mapping["UUID"]

    def feed_lambda(self, enabled: bool) -> None:
        self._lambda.update_event_source_mapping(UUID=self._mapping, Enabled=enabled)

    def hide_for(self, seconds: int) -> None:
        """Set for how long a received message is invisible."""
        self._sqs.set_queue_attributes(
            QueueUrl=self.url, Attributes={"VisibilityTimeout": str(seconds)}
        )

    def send(self, body: str) -> None:
        self._sqs.send_message(QueueUrl=self.url, MessageBody=body)

    def take(self) -> list[dict[str, Any]]:
        """Wait for messages, remove them and return them."""
        messages: list[dict[str, Any]] = self._sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=20,
            MessageSystemAttributeNames=["All"],
        )["Messages"]
        for message in messages:
            self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return messages

    def counts(self) -> tuple[int, int]:
        """Return how many messages wait and how many are being handled."""
        return self._count(""), self._count("NotVisible")

    def delayed(self) -> int:
        """Return how many messages wait for the end of their delay."""
        return self._count("Delayed")

    def _count(self, which: str) -> int:
        attributes = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])
        return int(attributes["Attributes"][f"ApproximateNumberOfMessages{which}"])


@pytest.fixture
def queue(aws: Aws) -> Iterator[Queue]:
    """The task queue, idle, and without its Lambda until that is enabled."""
    queue = Queue(aws, aws.outputs["QueueArn"])
    wait_for(lambda: queue.counts() == (0, 0))
    queue.feed_lambda(False)
    yield queue
    queue.hide_for(360)
    queue.feed_lambda(True)


def corrupt_row(aws: Aws) -> str:
    """Store a task without its times; return a message that no worker can handle."""
    key = {"pk": {"S": "user#nobody"}, "sk": {"S": "task#nothing"}}
    row = key | {"kind": {"S": "task"}, "status": {"S": "pending"}}
    aws.client("dynamodb").put_item(TableName=aws.outputs["TableName"], Item=row)
    return json.dumps({"user": "nobody", "task": "nothing", "type": "sum"})


def test_one_bad_message_of_a_batch_comes_back_alone(
    aws: Aws, queue: Queue, service: Service
) -> None:
    pam = service.sign_up("pam")
    bad = corrupt_row(aws)
    good = [create(pam, SUM) for _ in range(2)]
    queue.send(bad)
    good += [create(pam, SUM) for _ in range(2)]
    assert queue.counts() == (5, 0)

    queue.feed_lambda(True)
    assert [finished(pam, task)["result"] for task in good] == [16] * 4
    wait_for(lambda: queue.counts() == (0, 1))
    queue.feed_lambda(False)
    (back,) = queue.take()
    assert back["Body"] == bad
    assert int(back["Attributes"]["ApproximateReceiveCount"]) >= 2


def test_a_dead_letter_of_a_task_that_nobody_tried_goes_back_to_the_queue(
    aws: Aws, queue: Queue, service: Service
) -> None:
    ned = service.sign_up("ned")
    task = create(ned, SUM)
    (message,) = queue.take()
    dead_letters = Queue(aws, aws.outputs["QueueArn"] + "-dead-letters")
    dead_letters.send(message["Body"])
    wait_for(lambda: queue.delayed() == 1)
    wait_for(lambda: dead_letters.counts() == (0, 0))
    assert ned.get(f"/api/tasks/{task['id']}/").json()["status"] == "pending"


def test_deploying_the_package_again_keeps_its_api(aws: Aws, built: Path) -> None:
    before = aws.outputs
    aws.deploy(built)
    assert aws.outputs == before


def test_a_rule_runs_the_sweeper_every_minute(aws: Aws) -> None:
    events, lambda_ = aws.client("events"), aws.client("lambda")
    (rule,) = events.list_rules()["Rules"]
    assert rule["ScheduleExpression"] == "rate(1 minute)"
    (target,) = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert target["Arn"].endswith(f":tasks-{STAGE}-sweeper:{sam_template.ALIAS}")
    event = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
    event |= dict.fromkeys(("version", "account", "region", "time", "id"), "") | {"resources": []}
    answer = lambda_.invoke(FunctionName=target["Arn"], Payload=json.dumps(event))
    assert "FunctionError" not in answer, answer["Payload"].read()
