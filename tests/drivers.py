"""The service as its users and AWS use it: HTTP requests, Lambda events and a clock."""

import json
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from chalice.local import LambdaEventConverter
from chalice.test import Client, HTTPResponse

from infra.local import loops
from tests import cloud
from tests.aws_calls import Call, Calls, running

#: The address of a client that has no other.
ADDRESS = "127.0.0.1"
_address: ContextVar[str] = ContextVar("address", default=ADDRESS)
# Chalice's local gateway puts this into every request.
LambdaEventConverter.LOCAL_SOURCE_IP = property(lambda _converter: _address.get())  # type: ignore[assignment]

#: When every test begins: Monday 2 February 2026, 12:00 in Moscow.
NOON = datetime(2026, 2, 2, 9, 0, tzinfo=UTC)

#: The input of a task whose result is 16.
SUM = {"values": [1, 2, 3, 10]}


class Clock:
    """The time for everything; it stands still until a test moves it."""

    def __init__(self, traveller: time_machine.Traveller) -> None:
        self._traveller = traveller

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def move_to(self, moment: datetime) -> None:
        # `Traveller.move_to` would set TZ, which is lost inside a request of Chalice's client.
        self._traveller.shift(moment - self.now)

    def advance(self, **parts: float) -> None:
        """Move on, by hours=, minutes=, seconds= ..."""
        self._traveller.shift(timedelta(**parts))


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

    def __init__(
        self, client: Client, token: str | None = None, user_id: str = "", address: str = ADDRESS
    ) -> None:
        self._client = client
        self.token = token
        self.user_id = user_id
        self.address = address

    def at(self, address: str) -> "Api":
        """Return the same client at another address."""
        return Api(self._client, self.token, self.user_id, address)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Answer:
        """Send `body` as JSON, or `raw` unchanged."""
        sent = {"Host": "api.test", **(headers or {})}
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        content = raw if raw is not None else b""
        if body is not None:
            content = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        token = _address.set(self.address)
        try:
            with running("api_handler"):
                return Answer(self._client.http.request(method, path, sent, content))
        finally:
            _address.reset(token)

    def get(self, path: str, **kwargs: Any) -> Answer:
        return self.request("GET", path, **kwargs)

    def post(self, path: str, body: Any = None, **kwargs: Any) -> Answer:
        return self.request("POST", path, body, **kwargs)

    def create(
        self,
        task_type: str = "sum",
        *,
        key: str | None = None,
        prefer: str | None = None,
        **fields: Any,
    ) -> Answer:
        """Create a task; without `input_data` it gets a valid one of its type."""
        fields.setdefault("input_data", {"seconds": 60} if task_type == "countdown" else SUM)
        sent = {"Idempotency-Key": key, "Prefer": prefer}
        headers = {name: value for name, value in sent.items() if value is not None}
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


@dataclass
class Context:
    """The context of a Lambda invocation. Its time runs out by the test's clock."""

    function_name: str
    #: The time until the timeout at the start, in ms.
    time_left: int
    aws_request_id: str = "request"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn"
    _started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def get_remaining_time_in_millis(self) -> int:
        passed = datetime.now(UTC) - self._started
        return self.time_left - passed // timedelta(milliseconds=1)


def function(name: str, time_left: int) -> Callable[[Any, Any], Any]:
    """Return a Lambda function as AWS has it, with a context of ours."""
    from app import app

    def invoke(event: Any, _context: Any) -> Any:
        with running(name):
            return app.handler_map[name](event, Context(name, time_left))

    return invoke


def records(bodies: Sequence[str], receives: int = 1) -> list[dict[str, Any]]:
    """Return the records of an SQS event; the id of a message is its place, from "0"."""
    return [
        {
            "messageId": str(number),
            "receiptHandle": f"receipt-{number}",
            "body": body,
            "attributes": {"ApproximateReceiveCount": str(receives)},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
        }
        for number, body in enumerate(bodies)
    ]


def sweep(time_left: int = loops.TIMEOUT_MS) -> None:
    """Let the sweeper tick once."""
    loops.tick(function("sweeper", time_left))


class Lambdas:
    """The worker, the dead-letter handler and the sweeper, invoked as AWS does."""

    def __init__(self, calls: Calls) -> None:
        #: The time that each invocation has, in ms.
        self.time_left = loops.TIMEOUT_MS
        self._sqs = cloud.default_client("sqs")
        self._messages: list[dict[str, Any]] = []
        calls.observers.append(self._observe)

    def work(self, *bodies: str, receives: int = 1) -> list[str]:
        """Deliver messages to the worker in one batch; return the ids of those that failed.

        The id of a message is its place in the batch, from "0".
        """
        return self._deliver("worker", bodies, receives)

    def handle_dead_letters(self, *bodies: str) -> list[str]:
        """Deliver messages to the dead-letter handler, likewise."""
        return self._deliver("dead_letters", bodies, receives=1)

    def sweep(self) -> None:
        sweep(self.time_left)

    def feed(self) -> int:
        """Deliver what both queues show now, until they are empty; return how much that was.

        A message that succeeds is deleted. The others come again as the queue has it.
        """
        if cloud.IN_LOCALSTACK:
            pytest.skip("LocalStack's queues have a clock of their own")
        urls = {
            "worker": cloud.ENVIRONMENT["QUEUE_URL"],
            "dead_letters": f"{cloud.ENVIRONMENT['QUEUE_URL']}-dead-letters",
        }
        delivered = 0
        while batch := sum(self._feed(name, url) for name, url in urls.items()):
            delivered += batch
        return delivered

    def sent(self) -> list[dict[str, Any]]:
        """Return the messages sent to the queue since the last call."""
        news, self._messages = self._messages, []
        return news

    def work_off(self) -> list[str]:
        """Deliver what was sent without a delay since the last call; return what failed."""
        bodies = [sent["MessageBody"] for sent in self.sent() if not sent.get("DelaySeconds")]
        return self.work(*bodies) if bodies else []

    def _deliver(self, name: str, bodies: tuple[str, ...], receives: int) -> list[str]:
        event = {"Records": records(bodies, receives)}
        try:
            answer = function(name, self.time_left)(event, None)
        except Exception as error:
            return _failed(error)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def _feed(self, name: str, queue_url: str) -> int:
        records: list[Any] = []

        def counted(event: Any, context: Any) -> Any:
            records.extend(event["Records"])
            return function(name, self.time_left)(event, context)

        try:
            loops.feed(self._sqs, queue_url, counted)
        except Exception as error:
            _failed(error)
        return len(records)

    def _observe(self, call: Call) -> None:
        if call.function and call.operation == "SendMessage":
            self._messages.append(dict(call.parameters))
        if call.function and call.operation == "SendMessageBatch":
            self._messages += call.parameters["Entries"]


def _failed(error: Exception) -> list[str]:
    """Return the failed messages of a batch in which all failed; raise any other error."""
    failed = getattr(error, "failed", None)
    if failed is None:
        raise error
    return list(failed)
