"""The service as its users and AWS see it: HTTP, Lambda events, a clock, the calls made."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import boto3
import pytest
import time_machine
from botocore.client import BaseClient
from chalice.test import Client, HTTPResponse

from chalicelib.config import settings
from infra.local.loops import tick
from tests import cloud, policy

#: When every test begins: Monday 2 February 2026, 12:00 in Moscow.
NOON = datetime(2026, 2, 2, 9, 0, tzinfo=UTC)


class Clock:
    """The time that everything goes by; it stands still until a test moves it."""

    def __init__(self, traveller: time_machine.Traveller) -> None:
        self._traveller = traveller

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def move_to(self, moment: datetime) -> None:
        self._traveller.move_to(moment)

    def advance(self, **parts: float) -> None:
        """Move on, by hours=, minutes=, seconds= ..."""
        self.move_to(self.now + timedelta(**parts))


class Calls(list[tuple[str, dict[str, Any]]]):
    """The AWS calls that were made, in order: operation and parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[dict[str, Any]] = []

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _ in self]

    def of(self, operation: str) -> list[dict[str, Any]]:
        """Return the parameters of every call of an operation."""
        return [parameters for name, parameters in self if name == operation]


class Answer:
    """An HTTP response; header names are in lower case."""

    def __init__(self, response: HTTPResponse) -> None:
        self.status = response.status_code
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        self.text = response.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Api:
    """An HTTP client of the service; with a token it speaks for a user."""

    def __init__(self, client: Client, token: str | None = None, user_id: str = "") -> None:
        self._client = client
        self.token = token
        self.user_id = user_id

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Answer:
        """Send `body` as JSON, or `raw` as it is."""
        sent = {"Host": "api.test", **(headers or {})}
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        content = raw if raw is not None else b""
        if body is not None:
            content = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        with policy.running("api_handler"):
            return Answer(self._client.http.request(method, path, sent, content))

    def get(self, path: str, **kwargs: Any) -> Answer:
        return self.request("GET", path, **kwargs)

    def post(self, path: str, body: Any = None, **kwargs: Any) -> Answer:
        return self.request("POST", path, body, **kwargs)

    def create(self, task_type: str = "sum", *, key: str | None = None, **fields: Any) -> Answer:
        """Create a task; without `input_data` a valid one of its type."""
        fields.setdefault("input_data", {"seconds": 60} if task_type == "countdown" else SUM)
        headers = {"Idempotency-Key": key} if key is not None else {}
        return self.post("/api/tasks/", {"task_type": task_type, **fields}, headers=headers)

    def created(self, task_type: str = "sum", **fields: Any) -> dict[str, Any]:
        """Create a task that must be accepted, and return it."""
        answer = self.create(task_type, **fields)
        assert answer.status == 201, answer.text
        task: dict[str, Any] = answer.json
        return task

    def task(self, task_id: str) -> dict[str, Any]:
        task: dict[str, Any] = self.get(f"/api/tasks/{task_id}/").json
        return task


SUM = {"values": [1, 2, 3, 10]}


def sweep() -> None:
    """Let the sweeper tick once."""
    from app import app

    # The test client's own context has 3 seconds, which is less than a sweep wants.
    with policy.running("sweeper"):
        tick(app.handler_map["sweeper"])


class Lambdas:
    """The worker, the dead-letter handler and the sweeper, invoked as AWS does."""

    def __init__(self, client: Client, calls: Calls) -> None:
        self._client = client
        self._calls = calls

    def work(self, *bodies: str, receives: int = 1) -> list[str]:
        """Deliver messages to the worker in one batch; return the ids of those that failed.

        The id of a message is its place in the batch, from "0".
        """
        return self._deliver("worker", bodies, receives)

    def bury(self, *bodies: str) -> list[str]:
        """Deliver messages to the dead-letter handler, likewise."""
        return self._deliver("dead_letters", bodies, receives=1)

    def sweep(self) -> None:
        sweep()

    def sent(self) -> list[dict[str, Any]]:
        """Return the messages sent to the queue since this was last asked."""
        news, self._calls.messages = self._calls.messages, []
        return news

    def work_off(self) -> list[str]:
        """Deliver what was sent without a delay since the last time; return what failed."""
        bodies = [sent["MessageBody"] for sent in self.sent() if sent["DelaySeconds"] == 0]
        return self.work(*bodies) if bodies else []

    def _deliver(self, function: str, bodies: tuple[str, ...], receives: int) -> list[str]:
        event = self._client.events.generate_sqs_event(list(bodies), queue_name="tasks-test")
        for number, record in enumerate(event["Records"]):
            record["messageId"] = str(number)
            record["receiptHandle"] = f"receipt-{number}"
            record["attributes"]["ApproximateReceiveCount"] = str(receives)
        with policy.running(function):
            answer = self._client.lambda_.invoke(function, event).payload
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(policy)


@pytest.fixture(autouse=True)
def own_settings() -> None:
    """The settings are the tests' own: Chalice's test client has the variables of the stage dev
    set while it makes a call, and a first look at that moment would keep them."""
    settings()


@pytest.fixture(autouse=True)
def least_privilege(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No function makes an AWS call that its policy does not allow."""
    forbidden = policy.watch(monkeypatch)
    yield
    assert not forbidden, "\n".join(forbidden)


@pytest.fixture
def clock() -> Iterator[Clock]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield Clock(traveller)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Every call that any AWS client makes, PynamoDB's included."""
    calls = Calls()
    original = BaseClient._make_api_call

    def record(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        calls.append((operation, parameters))
        if operation == "SendMessage":
            calls.messages.append(parameters)
        if operation == "ChangeMessageVisibility":
            # Tests deliver messages themselves, so the queue knows no receipt of theirs.
            return {}
        return original(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", record)
    return calls


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`fail("SendMessage", error)`: let every call of an operation raise, before its effect;
    `fail(..., after=True)` once it has had its effect; `times=1` only the first one."""

    def fail(
        operation: str, error: Exception, *, after: bool = False, times: int | None = None
    ) -> None:
        original = BaseClient._make_api_call
        left = [times]

        def call(client: BaseClient, name: str, parameters: dict[str, Any]) -> Any:
            if name != operation or left[0] == 0:
                return original(client, name, parameters)
            if left[0] is not None:
                left[0] -= 1
            if after:
                original(client, name, parameters)
            raise error

        monkeypatch.setattr(BaseClient, "_make_api_call", call)

    return fail


@pytest.fixture
def client(aws: None, clock: Clock) -> Iterator[Client]:
    from app import app

    with Client(app) as client:
        yield client


@pytest.fixture
def api(client: Client) -> Api:
    """An HTTP client without a token."""
    return Api(client)


@pytest.fixture
def sign_up(client: Client) -> Callable[[str], Api]:
    """`sign_up("ann")`: an HTTP client that speaks for a user of her own.

    The account is stored and the token signed by the service's own code, less the
    password hashing, which takes long and is tested with the accounts.
    """

    def sign_up(username: str) -> Api:
        from chalicelib import moscow, security
        from chalicelib.models import Account

        # New in each test: for 10 minutes DynamoDB takes a second use for a repetition.
        user_id = f"id-of-{username}-{uuid4().hex[:8]}"
        assert Account.create(username, user_id, "no hash", moscow.now())
        token = security.issue_token(security.ACCESS, user_id, moscow.now())
        return Api(client, token, user_id)

    return sign_up


@pytest.fixture
def ann(sign_up: Callable[[str], Api], calls: Calls) -> Api:
    """A signed-in user; the calls that made her are not counted."""
    api = sign_up("ann")
    calls.clear()
    return api


@pytest.fixture
def bob(sign_up: Callable[[str], Api], calls: Calls) -> Api:
    """Another one."""
    api = sign_up("bob")
    calls.clear()
    return api


@pytest.fixture
def lambdas(client: Client, calls: Calls) -> Lambdas:
    return Lambdas(client, calls)


@pytest.fixture
def rows(aws: None) -> Callable[[], list[dict[str, Any]]]:
    """`rows()`: everything that is in the table, sorted by key, in DynamoDB's JSON."""
    dynamodb = boto3.client("dynamodb", region_name=cloud.REGION)

    def rows() -> list[dict[str, Any]]:
        # A test may look while a function runs.
        with policy.running(None):
            items = dynamodb.scan(TableName=cloud.ENVIRONMENT["TABLE_NAME"])["Items"]
        return sorted(items, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))

    return rows


@pytest.fixture
def schedules(aws: None) -> Callable[[], list[str]]:
    """`schedules()`: the names of all one-shots there are."""
    scheduler = boto3.client("scheduler", region_name=cloud.REGION)

    def schedules() -> list[str]:
        group = cloud.ENVIRONMENT["SCHEDULE_GROUP"]
        with policy.running(None):
            return [one["Name"] for one in scheduler.list_schedules(GroupName=group)["Schedules"]]

    return schedules
