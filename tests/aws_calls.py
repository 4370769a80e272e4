"""The one seam for AWS calls: tests see every call of the service and script its fate.

    calls.operations                                # what the service called, in order
    calls.fail("SendMessage", OUTAGE, times=1)      # the first one fails before its effect
    calls.repeat("UpdateItem")                      # made twice, as after a lost answer
    calls.meanwhile("Query", action)                # somebody acts right after the first one

A call belongs to the service while one of its Lambda functions is `running`. Calls of the test
itself, in its own body or in an action, are neither recorded nor scripted nor checked.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from threading import Lock, RLock, Thread
from typing import Any, NamedTuple

import pytest
from botocore.client import BaseClient

from tests import policy

Parameters = Mapping[str, Any]
#: Makes the call, or asks the next script; returns the answer.
Make = Callable[[], Any]
#: The calls that a script is for: an operation, or a predicate of operation and parameters.
Which = str | Callable[[str, Parameters], bool]
Action = Callable[[], Any]


class Call(NamedTuple):
    #: The Lambda function that made the call; None for the test itself.
    function: str | None
    service: str
    operation: str
    parameters: Parameters
    #: None if AWS refused the call.
    answer: Any = None


@dataclass
class _Script:
    which: Which
    step: Callable[[Make], Any]
    times: int | None

    def matches(self, call: Call) -> bool:
        if self.times == 0:
            return False
        if isinstance(self.which, str):
            return self.which == call.operation
        return self.which(call.operation, call.parameters)


class Calls(list[Call]):
    """The calls of the service that reached AWS, in order, and the scripts for the next ones."""

    def __init__(self) -> None:
        super().__init__()
        #: Told of every call that reached AWS, the test's own included.
        self.observers: list[Callable[[Call], None]] = []
        #: The calls that a function had no right to make.
        self.forbidden: list[str] = []
        self._scripts: list[_Script] = []
        self._choosing = Lock()
        # moto is not made for threads; an observer may make calls itself.
        self._answering = RLock()

    @property
    def operations(self) -> list[str]:
        return [call.operation for call in self]

    def of(self, operation: str) -> list[Parameters]:
        """Return the parameters of every call of an operation."""
        return [call.parameters for call in self if call.operation == operation]

    def fail(
        self, which: Which, error: Exception, *, after: bool = False, times: int | None = None
    ) -> Callable[[], None]:
        """Let calls raise: before their effect, or after it. Calling the answer ends it."""

        def step(make: Make) -> Any:
            if after:
                make()
            # Otherwise the traceback would grow with each call that raises the same error.
            raise error.with_traceback(None)

        return self.script(which, step, times)

    def repeat(self, which: Which, *, times: int | None = None) -> None:
        """Make calls twice, as botocore does when it loses an answer."""

        def step(make: Make) -> Any:
            make()
            return make()

        self.script(which, step, times)

    def before(self, which: Which, *actions: Action) -> None:
        """Act right before the next calls, one action per call."""
        if not actions:
            return
        action, *others = actions

        def step(make: Make) -> Any:
            action()
            self.before(which, *others)
            return make()

        self.script(which, step, times=1)

    def meanwhile(self, operation: str, action: Action, *, index: str | None = None) -> None:
        """Act once, right after a call (on this index); an answer without items does not count."""
        left = iter([action])

        def step(make: Make) -> Any:
            answer = make()
            if answer.get("Items", True):
                for act in left:
                    act()
            return answer

        def is_meant(name: str, parameters: Parameters) -> bool:
            return name == operation and parameters.get("IndexName") == index

        self.script(is_meant, step)

    def script(
        self, which: Which, step: Callable[[Make], Any], times: int | None = None
    ) -> Callable[[], None]:
        """Replace calls by `step(make)`. Of several scripts the newest comes first.

        Returns a function that takes the script away again.
        """
        script = _Script(which, step, times)
        self._scripts.append(script)
        return lambda: self._scripts.remove(script)

    def receive(self, call: Call, make: Make) -> Any:
        """Answer a call that some client makes."""
        if call.function is None:
            return self._answer(call, make)
        fault = policy.check(call.function, call.service, call.operation, call.parameters)
        if fault:
            self.forbidden.append(fault)
            raise AssertionError(fault)
        return self._play([one for one in self._scripts if one.matches(call)], call, make)

    def _play(self, scripts: Sequence[_Script], call: Call, make: Make) -> Any:
        if not scripts:
            return self._answer(call, make)
        *older, newest = scripts

        def go_on() -> Any:
            with running(call.function):
                return self._play(older, call, make)

        if not self._takes_turn(newest):
            return go_on()
        with running(None):
            return newest.step(go_on)

    def _takes_turn(self, script: _Script) -> bool:
        with self._choosing:
            if script.times is None:
                return True
            turn = script.times > 0
            script.times -= turn
            return turn

    def _answer(self, call: Call, make: Make) -> Any:
        with self._answering, running(None):
            answer = _answer_to_made_up_receipts(call)
            try:
                answer = make() if answer is None else answer
            finally:
                call = call._replace(answer=answer)
                if call.function:
                    self.append(call)
                for observe in self.observers:
                    observe(call)
        return answer


def install(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Send the calls of all AWS clients through the seam, PynamoDB's included."""
    calls = Calls()
    real: Any = BaseClient._make_api_call  # type: ignore[attr-defined]  # private

    def make_api_call(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        service = client.meta.service_model.service_name
        call = Call(_running.get(), service, operation, parameters)
        return calls.receive(call, lambda: real(client, operation, parameters))

    monkeypatch.setattr(BaseClient, "_make_api_call", make_api_call)
    monkeypatch.setattr(Thread, "start", _start_in_context)
    return calls


_running: ContextVar[str | None] = ContextVar("running", default=None)


@contextmanager
def running(function: str | None) -> Iterator[None]:
    """Count the calls made within, and in threads started within, as this function's."""
    token = _running.set(function)
    try:
        yield
    finally:
        _running.reset(token)


def running_function() -> str | None:
    """Return the function that runs; None for the test itself."""
    return _running.get()


_start = Thread.start


def _start_in_context(thread: Thread) -> None:
    # A thread inherits no context variables before Python 3.14.
    context, run = copy_context(), thread.run
    thread.run = lambda: context.run(run)  # type: ignore[method-assign]
    _start(thread)


def _answer_to_made_up_receipts(call: Call) -> Any:
    """Answer for the queue, which does not know the receipts of `Lambdas.work`."""
    parameters = call.parameters
    if call.operation == "ChangeMessageVisibility" and _is_made_up(parameters):
        return {}
    if call.operation == "ChangeMessageVisibilityBatch" and all(
        map(_is_made_up, parameters["Entries"])
    ):
        return {"Successful": [{"Id": entry["Id"]} for entry in parameters["Entries"]]}
    return None


def _is_made_up(parameters: Parameters) -> bool:
    return bool(parameters["ReceiptHandle"].startswith("receipt-"))
