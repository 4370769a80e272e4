"""The service beside its model: whatever users, AWS and accidents do, both answer the same."""

import json
import random
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from unittest.mock import patch

import boto3
import time_machine
from chalice.test import Client
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chalicelib import listing, models, security, sweeper, tasks
from chalicelib.lifecycle import ACTIVE, LEASE, Status
from infra.local.loops import OneTimeSchedules
from tests import cloud, invariants
from tests.aws_calls import Call, Calls
from tests.drivers import NOON, Answer, Clock, Lambdas
from tests.integration.lists import ids_of, page, walk
from tests.integration.tools import OUTAGE, LambdaDied, message, new_user, sign_in_again
from tests.model.reference import Model, Task
from tests.model.strategies import (
    AHEAD,
    BODIES,
    INCIDENTS,
    NTH,
    PAUSE,
    USERS,
    Incident,
)

#: When a message whose Lambda died comes again: the visibility timeout of the queue.
VISIBILITY = timedelta(minutes=6)
WRITES = ("UpdateItem", "TransactWriteItems")
DISPATCH = ("SendMessage", "CreateSchedule", "DeleteSchedule")
TIMES = ("scheduled_at", "created_at", "started_at", "finished_at")


@dataclass(frozen=True, order=True)
class Sent:
    """A message on its way."""

    at: datetime
    task_id: str
    body: str


class Machine(RuleBasedStateMachine):
    def __init__(self, client: Client, calls: Calls) -> None:
        super().__init__()
        self.model = Model()
        self.first_answers: dict[str, Any] = {}
        #: The requests with an Idempotency-Key.
        self.requests: list[tuple[str, dict[str, Any], str, datetime | None]] = []
        #: The messages on their way, by time.
        self.queue: list[Sent] = []
        #: The tasks that AWS did not take when they were created: only the sweeper knows them.
        self.lost: set[str] = set()
        #: The messages that are being handled, innermost last, as the model handles them.
        self.handling: list[Iterator[None]] = []
        self.last_write: Any = None
        #: What the lists were last compared with, and the writes until then.
        self.compared: Any = None
        self.writes = 0
        self.calls = calls
        self.context = ExitStack()
        self._begin(client)

    def _begin(self, client: Client) -> None:
        self.clock = Clock(self.context.enter_context(time_machine.travel(NOON, tick=False)))
        # The same run gets the same ids, and with them the same shards of the sweeper.
        self.context.enter_context(patch.object(tasks, "randbits", random.getrandbits))
        for module in (sweeper, models.task):
            # Each one costs a Query per sweep.
            self.context.enter_context(patch.object(module, "SWEEP_SHARDS", 2))
        session = boto3._get_default_session()
        cloud.empty_resources(session)
        security._keys.cache_clear()
        self.calls.clear()
        self.calls.observers[:] = [self._observe]
        self.lambdas = Lambdas(self.calls)
        self.scheduler = cloud.client(session, "scheduler")
        self.aws_scheduler = OneTimeSchedules(
            self.scheduler, cloud.client(session, "sqs"), cloud.ENVIRONMENT["SCHEDULE_GROUP"]
        )
        self.users = {name: new_user(client, name) for name in ("ann", "bob")}

    # -- what users do

    @rule(
        user=USERS,
        body=BODIES,
        ahead=AHEAD,
        key=st.sampled_from([None, "a", "b"]),
        is_taken=st.sampled_from([True, True, False]),
    )
    def create(
        self,
        user: str,
        body: dict[str, Any],
        ahead: timedelta | None,
        key: str | None,
        is_taken: bool,
    ) -> None:
        at = (self.clock.now + ahead).replace(microsecond=0) if ahead else None
        if at:
            body = body | {"scheduled_at": at.isoformat()}
        if key:
            self.requests.append((user, body, key, at))
        with self._dispatch_failing(not is_taken):
            self._create(user, body, key, at)
        if not is_taken:
            self.lost |= {task.id for task in self.model.tasks[-1:]}

    @precondition(lambda self: self.requests)
    @rule(nth=NTH)
    def repeat_a_request_with_a_key(self, nth: int) -> None:
        self._create(*_nth(self.requests, nth))

    @rule(user=USERS, body=BODIES)
    def create_up_to_the_limit(self, user: str, body: dict[str, Any]) -> None:
        while self._create(user, body, None, None) == 201:
            pass

    @precondition(lambda self: self.model.tasks)
    @rule(user=USERS, nth=NTH, is_raced=st.booleans(), is_taken=st.booleans())
    def cancel(self, user: str, nth: int, is_raced: bool, is_taken: bool) -> None:
        task = _nth(self.model.tasks, nth)
        if is_raced and user == task.owner:
            self.calls.before("TransactWriteItems", lambda: self._deliver(task))
        with self._dispatch_failing(not is_taken):
            self._cancel(user, task)

    @precondition(lambda self: self.model.tasks)
    @rule(user=USERS, nth=NTH)
    def show(self, user: str, nth: int) -> None:
        task = _nth(self.model.tasks, nth)
        answer = self.users[user].get(f"/api/tasks/{task.id}/")
        assert answer.status == (200 if user == task.owner else 404)
        if user == task.owner:
            assert _shown(answer.json) == _expected(task)

    @rule(user=USERS, status=st.sampled_from([None, *Status]), size=st.integers(1, 4))
    def walk_through_pages(self, user: str, status: str | None, size: int) -> None:
        api, path = self.users[user], f"/api/tasks/?status={status or ''}"
        ids = [task.id for task in self.model.of(user, *filter(None, [status]))]
        if status in ACTIVE:
            # There are so few of them that they are one page.
            size = 5
        expected = [ids[start : start + size] for start in range(0, len(ids), size)] or [[]]
        with patch.object(listing, "PAGE_SIZE", size):
            first, last = page(api, path), page(api, f"{path}&page=last")
            assert [ids_of(first), *walk(api, first, "next")] == expected
            assert [*walk(api, last, "previous")[::-1], ids_of(last)] == expected

    # -- what AWS does

    @precondition(lambda self: self.queue)
    @rule(nth=NTH, incident=INCIDENTS)
    def deliver(self, nth: int, incident: Incident | None) -> None:
        """Late or early, in any order."""
        self._take(self.queue[nth % len(self.queue)], incident)

    @precondition(lambda self: self.model.tasks)
    @rule(nth=NTH, incident=INCIDENTS)
    def deliver_once_more(self, nth: int, incident: Incident | None) -> None:
        self._deliver(_nth(self.model.tasks, nth), incident)

    @precondition(lambda self: self.queue)
    @rule(nth=NTH)
    def give_up_on_a_message(self, nth: int) -> None:
        sent = self.queue.pop(nth % len(self.queue))
        self._task(sent).discard(self.clock.now)
        assert self.lambdas.handle_dead_letters(sent.body) == []

    @rule()
    def catch_up(self) -> None:
        """Do all that is due."""
        self.aws_scheduler.fire_due(self.clock.now)
        while self.queue and self.queue[0].at <= self.clock.now:
            self._take(self.queue[0])

    @rule()
    def sweep(self) -> None:
        self.lambdas.sweep()

    @rule(seconds=PAUSE)
    def let_time_pass(self, seconds: float) -> None:
        self.clock.advance(seconds=seconds)
        for user in self.users.values():
            sign_in_again(user)

    # -- what always holds

    @invariant()
    def lists_are_those_of_the_model(self) -> None:
        expected = {name: [*map(_expected, self.model.of(name))] for name in self.users}
        if self.compared == (expected, self.writes):
            # Nothing can have changed.
            return
        for name, api in self.users.items():
            shown = page(api)
            assert shown["count"] == len(expected[name])
            assert [*map(_shown, shown["results"])] == expected[name][:20]
        self.compared = (expected, self.writes)

    @invariant()
    def a_message_is_on_its_way(self) -> None:
        waiting = {task.id for task in self._active()} - self.lost
        if waiting := waiting - {sent.task_id for sent in self.queue}:
            names = {name.removeprefix("task-").rpartition("-")[0] for name in self._schedules()}
            assert waiting <= names

    def teardown(self) -> None:
        with self.context:
            # Otherwise the run has failed already.
            if sys.exc_info()[0] is None:
                self._come_to_rest()

    def _come_to_rest(self) -> None:
        invariants.check()
        for _ in range(40):
            if not (self._active() or self._schedules()):
                break
            rest = min((task.due - self.clock.now for task in self._active()), default=timedelta())
            self.let_time_pass(max(rest, timedelta(minutes=15)).total_seconds())
            self.sweep()
            self.catch_up()
        assert (self._active(), self._schedules()) == ([], [])
        self.lists_are_those_of_the_model()
        invariants.check()
        assert not self.calls.forbidden

    # -- how it is done

    def _create(self, user: str, body: dict[str, Any], key: str | None, at: datetime | None) -> int:
        status, first = self.model.create(user, body, key, at, self.clock.now)
        headers = {"Idempotency-Key": key} if key else {}
        answer = self.users[user].post("/api/tasks/", body, headers=headers)
        assert answer.status == status, answer.text
        if first:
            assert answer.json == self.first_answers[first.id]
        elif status == 201:
            self._note(user, body, key, at, answer)
        return status

    def _note(
        self, user: str, body: dict[str, Any], key: str | None, at: datetime | None, answer: Answer
    ) -> None:
        task = Task(answer.json["id"], user, body, self.clock.now, at)
        assert _shown(answer.json) == _expected(task)
        self.model.tasks.append(task)
        self.first_answers[task.id] = answer.json
        if key:
            self.model.keys[user, key] = task

    def _cancel(self, user: str, task: Task) -> None:
        answer = self.users[user].post(f"/api/tasks/{task.id}/cancel/")
        if user != task.owner:
            assert answer.status == 404
            return
        task.cancel(self.clock.now)
        assert answer.status == (200 if task.status == "cancelled" else 409)
        shown = answer.json if answer.status == 200 else answer.json["task"]
        assert _shown(shown) == _expected(task)

    def _take(self, sent: Sent, incident: Incident | None = None) -> None:
        """Deliver a message that is on its way; if that fails, it comes again."""
        self.queue.remove(sent)
        if not self._deliver(self._task(sent), incident):
            self._add(Sent(self.clock.now + VISIBILITY, sent.task_id, sent.body))

    def _deliver(self, task: Task, incident: Incident | None = None) -> bool:
        """Deliver a task's message; return whether the queue may forget it."""
        steps = task.handle_message(self.clock.now)
        body = message(self.users[task.owner], {"id": task.id, **task.body})
        self.handling.append(steps)
        with self._prepared(task, incident):
            try:
                failed = self.lambdas.work(body)
            except LambdaDied:
                failed = ["0"]
        self.handling.pop()
        if not failed:
            # What the worker did not write must not have been necessary.
            deque(steps, maxlen=0)
        return not failed

    @contextmanager
    def _prepared(self, task: Task, incident: Incident | None) -> Iterator[None]:
        if incident is None:
            yield
            return
        numbers = count(1)

        def step(make: Any) -> Any:
            return self._happen(task, incident.what, make)

        end = self.calls.script(lambda *_: next(numbers) == incident.call, step, times=1)
        try:
            yield
        finally:
            end()

    def _happen(self, task: Task, what: str, make: Any) -> Any:
        match what:
            case "cancelled meanwhile":
                self._cancel(task.owner, task)
            case "delivered meanwhile":
                self._deliver(task)
            case "outlives its lease":
                self.let_time_pass(LEASE.total_seconds())
                self._deliver(task)
            case "made twice":
                make()
        _break_off(what, "before")
        answer = make()
        _break_off(what, "after")
        return answer

    @contextmanager
    def _dispatch_failing(self, is_failing: bool) -> Iterator[None]:
        def which(operation: str, _: Any) -> bool:
            return is_failing and operation in DISPATCH

        end = self.calls.fail(which, OUTAGE)
        try:
            yield
        finally:
            end()

    def _observe(self, call: Call) -> None:
        self.writes += call.operation in WRITES
        if call.operation in WRITES and call.function == "worker":
            # botocore makes a call again with the same parameters.
            if call.parameters is not self.last_write:
                next(self.handling[-1], None)
            self.last_write = call.parameters
        elif call.operation == "SendMessage" and call.answer:
            self._note_sent(call.parameters)
        elif call.operation == "SendMessageBatch" and call.answer:
            for entry in call.parameters["Entries"]:
                self._note_sent(entry)

    def _note_sent(self, sent: Any) -> None:
        delay = timedelta(seconds=sent.get("DelaySeconds", 0))
        body = sent["MessageBody"]
        self._add(Sent(self.clock.now + delay, json.loads(body)["task"], body))

    def _add(self, sent: Sent) -> None:
        # The sweeper's threads send in any order.
        self.queue = sorted([*self.queue, sent])

    def _task(self, sent: Sent) -> Task:
        return next(task for task in self.model.tasks if task.id == sent.task_id)

    def _active(self) -> list[Task]:
        return [task for task in self.model.tasks if task.status in ACTIVE]

    def _schedules(self) -> list[str]:
        group = cloud.ENVIRONMENT["SCHEDULE_GROUP"]
        found = self.scheduler.list_schedules(GroupName=group)["Schedules"]
        return [one["Name"] for one in found]


def _break_off(what: str, when: str) -> None:
    if what == f"it dies {when}":
        raise LambdaDied
    if what == f"AWS fails {when}":
        raise OUTAGE.with_traceback(None)


def _nth(items: list[Any], nth: int) -> Any:
    """Return the item that stands `nth` from the end."""
    return items[-1 - nth % len(items)]


def _shown(task: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "task_type", "input_data", "status", "result", "attempts")
    moments = {name: task[name] and datetime.fromisoformat(task[name]) for name in TIMES}
    error = task["error"] and task["error"]["code"]
    return {name: task[name] for name in names} | moments | {"error": error}


def _expected(task: Task) -> dict[str, Any]:
    names = ("id", "status", "result", "error", "attempts", *TIMES)
    asked = {name: task.body[name] for name in ("task_type", "input_data")}
    return asked | {name: getattr(task, name) for name in names}
