"""The seam below botocore's retries: sees every attempt that goes to AWS and decides its fate.

    attempts.watch()              # the attempts of the service count from here on
    attempts.strike({2: LOST})    # the third one takes effect, but its answer is lost
    attempts.outage = hang        # every attempt of the service, until it is None again

`tests/aws_calls.py` is above the retries: there, a call that botocore tries again is one call.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from types import SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

import botocore.endpoint
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse

from tests.aws_calls import running, running_function
from tests.drivers import Clock
from tests.integration.tools import LambdaDied

#: DynamoDB remembers the token of a transaction for this long (TransactWriteItems,
#: ClientRequestToken); moto does not.
TOKEN_PERIOD = timedelta(minutes=10)


class Attempt:
    """One HTTP request to AWS."""

    def __init__(
        self, event_name: str, request: AWSPreparedRequest, answer: Callable[[], AWSResponse]
    ) -> None:
        _, self.service, self.operation = event_name.split(".")
        self.request = request
        #: Lets it take effect and returns AWS's answer.
        self.answer = answer

    @property
    def call(self) -> str:
        """What all attempts of one call have in common."""
        return str(self.request.headers["amz-sdk-invocation-id"])

    @cached_property
    def parameters(self) -> Any:
        body: Any = self.request.body or b"{}"
        return json.loads(body)

    def respond(
        self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> AWSResponse:
        """Answer in AWS's place."""
        content: Any = MockRawResponse(json.dumps(body))
        sent: Any = headers or {}
        return AWSResponse(self.request.url, status, sent, content)


#: Answers an attempt in AWS's place, raises as botocore's HTTP session does, or kills the Lambda.
Fate = Callable[[Attempt, "Attempts"], AWSResponse]


class Attempts(list[str]):
    """The service's attempts since `watch`, by service and operation."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        #: The fate of every attempt of the service; None while AWS works.
        self.outage: Fate | None = None
        #: Before which attempt somebody else acts, and what they do.
        self.meanwhile: dict[int, Callable[[], None]] = {}
        self._faults: Mapping[int, Fate] = {}
        self._struck: dict[str, Fate] = {}
        self._dies_at: datetime | None = None
        self._is_watching = False
        self._transactions: dict[str, datetime] = {}

    def watch(self, faults: Mapping[int, Fate] | None = None) -> None:
        """Count from here on; faults strike attempts by their number, from 0."""
        self.clear()
        self._faults, self._struck, self._is_watching = faults or {}, {}, True

    def stop(self) -> None:
        """No longer count; whatever was struck works again."""
        self._is_watching, self.meanwhile = False, {}

    @contextmanager
    def lambda_with(self, timeout: timedelta) -> Iterator[None]:
        """Kill what runs within when its time is over."""
        before, self._dies_at = self._dies_at, self.clock.now + timeout
        try:
            yield
        finally:
            self._dies_at = before

    def wait(self, pause: timedelta) -> None:
        """Let time pass in the running Lambda."""
        end = self.clock.now + pause
        if self._dies_at and end > self._dies_at:
            self.clock.move_to(self._dies_at)
            raise LambdaDied
        self.clock.move_to(end)

    def receive(self, attempt: Attempt) -> AWSResponse:
        if running_function() is None:
            return self.answer(attempt)
        if self.outage:
            return self.outage(attempt, self)
        if not self._is_watching:
            return self.answer(attempt)
        number = len(self)
        self.append(f"{attempt.service}.{attempt.operation}")
        if number in self.meanwhile:
            self._let_others_act(self.meanwhile[number])
        if number in self._faults:
            self._struck[attempt.call] = self._faults[number]
        fate = self._struck.get(attempt.call)
        return fate(attempt, self) if fate else self.answer(attempt)

    def answer(self, attempt: Attempt) -> AWSResponse:
        """Let an attempt take effect; a transaction that comes again does nothing."""
        if attempt.operation != "TransactWriteItems":
            return attempt.answer()
        token = attempt.parameters["ClientRequestToken"]
        done_at = self._transactions.get(token)
        if done_at and self.clock.now - done_at < TOKEN_PERIOD:
            return attempt.respond(200, {})
        response = attempt.answer()
        if response.status_code == 200:
            self._transactions[token] = self.clock.now
        return response

    def _let_others_act(self, action: Callable[[], None]) -> None:
        self._is_watching = False
        dies_at, self._dies_at = self._dies_at, None
        with running(None):
            action()
        self._is_watching, self._dies_at = True, dies_at


def install(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Attempts:
    """Send what all clients send to AWS through the seam. Pauses advance the clock."""
    attempts = Attempts(clock)
    real: Any = BotocoreStubber.__call__

    def receive(
        stubber: BotocoreStubber, event_name: str, request: AWSPreparedRequest, **_: Any
    ) -> AWSResponse:
        return attempts.receive(
            Attempt(event_name, request, lambda: real(stubber, event_name, request))
        )

    def sleep(seconds: float) -> None:
        attempts.wait(timedelta(seconds=seconds))

    monkeypatch.setattr(BotocoreStubber, "__call__", receive)
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=sleep))
    _run_threads_in_order(monkeypatch, clock)
    return attempts


def _run_threads_in_order(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """Run what a pool is given at once, so that attempts have the same order in every run.

    On the clock they run side by side, as in threads.
    """
    begins: WeakKeyDictionary[ThreadPoolExecutor, datetime] = WeakKeyDictionary()
    ends: WeakKeyDictionary[ThreadPoolExecutor, datetime] = WeakKeyDictionary()

    def submit(pool: ThreadPoolExecutor, function: Callable[..., Any], *args: Any) -> "Future[Any]":
        future = Future[Any]()
        clock.move_to(begins.setdefault(pool, clock.now))
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)
        finally:
            ends[pool] = max(clock.now, ends.get(pool, clock.now))
            clock.move_to(ends[pool])
        return future

    monkeypatch.setattr(ThreadPoolExecutor, "submit", submit)
