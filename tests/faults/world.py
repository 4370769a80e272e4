"""Everything around the service: patient clients, and what AWS does by itself."""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from chalice.test import Client

from infra.local import loops
from tests import cloud, invariants
from tests.drivers import Answer, Api, Clock, function
from tests.faults import emulated
from tests.faults.attempts import Attempts
from tests.integration.tools import LambdaDied

#: The timeouts of the Lambdas, as in .chalice/config.json.
API_TIMEOUT, LAMBDA_TIMEOUT = timedelta(seconds=29), timedelta(seconds=60)
#: An answer comes within this time (docs/contract.md).
ANSWER_TIME = timedelta(seconds=20)
#: EventBridge Scheduler fires up to this late (User Guide, "Schedule types").
SCHEDULER_LATENESS = timedelta(seconds=59)
#: How long Scheduler waits before it tries a target again; AWS does not say.
SCHEDULER_RETRY = timedelta(seconds=60)
#: How long it tries (RetryPolicy, MaximumEventAgeInSeconds: the default).
SCHEDULER_GIVES_UP = timedelta(hours=24)
TICK = timedelta(minutes=1)

FINISHED = ("success", "failure", "cancelled")


class World:
    """The service with its users, queues, schedules and sweeps."""

    def __init__(self, client: Client, clock: Clock, attempts: Attempts) -> None:
        self.clock = clock
        self.attempts = attempts
        #: Every answer that a client got, and the ids of the tasks that were answered 201.
        self.answers: list[Answer] = []
        self.promised: set[str] = set()
        #: Services that AWS itself cannot use now.
        self.down: set[str] = set()
        self._client = client
        self._ends: dict[str, Any] = {}
        self._last_tick = clock.now
        self.ann = self.sign_up("ann")

    def begin(self, state: emulated.State) -> None:
        """Begin again at a state that was saved."""
        from chalicelib import security

        self.clock.move_to(state.now)
        emulated.restore(state)
        security._keys()._read_at = state.now
        self.answers, self._ends, self._last_tick = [], {}, state.now
        self.promised = set()

    # -- the clients

    def sign_up(self, username: str) -> Api:
        """Store a user, without hashing a password."""
        from chalicelib import times
        from chalicelib.models import Account

        user_id = str(uuid4())
        assert Account.create(username, user_id, "no hash", times.now())
        user = Api(self._client, user_id=user_id)
        self.sign_in(user)
        return user

    def sign_in(self, user: Api) -> None:
        """Give a user a new access token."""
        from chalicelib import security, times

        user.token = security.issue_token(security.ACCESS, user.user_id, times.now())

    def ask(
        self, user: Api | None, method: str, path: str, body: Any = None, key: str | None = None
    ) -> Answer:
        """Request as a patient client does: the same again after 503 or no answer."""
        for _ in range(10):
            answer = self.ask_once(user, method, path, body, key)
            if answer and answer.status != 503:
                return answer
            self.clock.advance(seconds=1)
        raise AssertionError(f"{method} {path} never succeeds")

    def ask_once(
        self, user: Api | None, method: str, path: str, body: Any = None, key: str | None = None
    ) -> Answer | None:
        """Request; None if no answer comes."""
        user = user or Api(self._client)
        headers = {"Idempotency-Key": key} if key else {}
        start = self.clock.now
        try:
            with self.attempts.lambda_with(API_TIMEOUT):
                answer = user.request(method, path, body, headers)
        except LambdaDied:
            return None
        assert self.clock.now - start <= ANSWER_TIME, f"{path} took {self.clock.now - start}"
        check_shape(answer)
        self.answers.append(answer)
        if (method, path, answer.status) == ("POST", "/api/tasks/", 201):
            self.promised.add(answer.json["id"])
        return answer

    def create(
        self, user: Api, task_type: str = "sum", *, key: str | None = None, **fields: Any
    ) -> Any:
        """Create a task and return it, or the error."""
        fields.setdefault("input_data", {"values": [1, 2, 3, 10]})
        body = {"task_type": task_type, **fields}
        return self.ask(user, "POST", "/api/tasks/", body, key).json

    # -- AWS

    def send(self, body: str, queue: str = emulated.QUEUE, delay: int = 0) -> None:
        """Put a message on a queue."""
        emulated.sqs().send_message(queue, body, delay_seconds=delay)

    def deliver(self, queue: str = emulated.QUEUE) -> int:
        """Pass one batch to its Lambda, as an event source mapping does; return its size."""
        name = {emulated.QUEUE: "worker", emulated.DEAD_LETTERS: "dead_letters"}[queue]
        visibility = emulated.queue(queue).visibility_timeout
        messages = emulated.sqs().receive_message(queue, 10, 0, visibility)
        if not messages:
            return 0
        with suppress(LambdaDied):
            failed = self._invoke(name, {"Records": [_record(one) for one in messages]})
            for message in messages:
                if message.id not in failed:
                    emulated.sqs().delete_message(queue, message.receipt_handle)
        return len(messages)

    def tick(self) -> None:
        """Let the sweeper tick."""
        self._last_tick = self.clock.now
        with suppress(LambdaDied), self.attempts.lambda_with(LAMBDA_TIMEOUT):
            loops.tick(function("sweeper", loops.TIMEOUT_MS))

    def fire(self) -> None:
        """Let the due schedules send their messages."""
        for name, at, body in emulated.schedules():
            if at + SCHEDULER_LATENESS <= self.clock.now:
                self.send(body)
                emulated.drop_schedule(name)

    def _invoke(self, name: str, event: Any) -> set[str]:
        """Return the ids of the messages that the queue must deliver again."""
        try:
            with self.attempts.lambda_with(LAMBDA_TIMEOUT):
                answer = function(name, loops.TIMEOUT_MS)(event, None)
        except Exception as error:
            failed = getattr(error, "failed", None)
            if failed is None:
                raise
            return set(failed)
        return {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}

    # -- time

    def settle(self) -> None:
        """Let time pass until nothing is left to do."""
        for _ in range(200):
            self.check()
            moment = self._next_moment()
            if moment is None:
                return
            self.live_at(moment)
        raise AssertionError(f"never quiet: {[*cloud.rows()]}")

    def live(self, duration: timedelta) -> None:
        """Let time pass, whatever is left to do then."""
        end = self.clock.now + duration
        while (moment := self._next_moment()) and moment < end:
            self.live_at(moment)
        if self.clock.now < end:
            self.clock.move_to(end)

    def live_at(self, moment: datetime) -> None:
        """Do all that AWS does at a moment."""
        if moment > self.clock.now:
            self.clock.move_to(moment)
        is_tick = moment == self._next_tick()
        if not self.down & {"sqs", "scheduler"}:
            self.fire()
        if "sqs" not in self.down:
            # Where Lambdas take their time, ticks come in between.
            begin = self.clock.now
            while self.deliver() + self.deliver(emulated.DEAD_LETTERS):
                if self.clock.now > begin:
                    break
        if is_tick:
            self.tick()

    def _next_moment(self) -> datetime | None:
        moments = []
        if not self.down & {"sqs", "scheduler"}:
            moments += [at + SCHEDULER_LATENESS for _, at, _ in emulated.schedules()]
        if "sqs" not in self.down:
            moments += filter(None, map(emulated.next_delivery, emulated.QUEUES[:2]))
        moments += filter(None, [self._next_tick()])
        return min(moments, default=None)

    def _next_tick(self) -> datetime | None:
        """Return when the sweeper next finds a task; the ticks before it would find none."""
        due = [moment(row, "sweep_at") for row in cloud.rows() if "sweep_at" in row]
        if not due:
            return None
        return _whole_minute(max(min(due), self._last_tick + timedelta(microseconds=1)))

    # -- what must hold

    def check(self) -> None:
        """Check what must hold at any time."""
        rows = cloud.rows()
        faults = invariants.faults(rows, cloud.schedules())
        faults += self._changed_ends(rows)
        assert not faults, "; ".join(faults)

    def check_quiet(self) -> None:
        """Check what must hold when everything has come to its end."""
        self.check()
        tasks = {_task_id(row): row for row in task_rows()}
        open_ = [one for one, row in tasks.items() if row["status"]["S"] not in FINISHED]
        assert not open_, f"never ended: {open_}"
        assert self.promised <= tasks.keys(), f"lost: {self.promised - tasks.keys()}"
        assert not [*emulated.schedules()], "a schedule is left"
        assert not emulated.queue(emulated.SCHEDULE_DEAD_LETTERS)._messages

    def _changed_ends(self, rows: list[cloud.Row]) -> list[str]:
        found = {
            _task_id(row): {name: row.get(name) for name in ("status", "finished_at", "result")}
            for row in rows
            if row["sk"]["S"].startswith("task#") and row["status"]["S"] in FINISHED
        }
        changed = [one for one, end in self._ends.items() if found.get(one) != end]
        self._ends |= found
        return [f"{one} ended a second time" for one in changed]


def task_rows() -> list[cloud.Row]:
    """Return the rows of all tasks, by their ids."""
    rows = [row for row in cloud.rows() if row["sk"]["S"].startswith("task#")]
    return sorted(rows, key=_task_id)


def moment(row: cloud.Row, name: str) -> datetime:
    """Return a time of a row."""
    return datetime.fromisoformat(row[name]["S"].replace("+0000", "+00:00"))


def message_of(task: Mapping[str, Any], user: Api) -> str:
    """Return the message that names a task."""
    return json.dumps({"user": user.user_id, "task": task["id"], "type": task["task_type"]})


def check_shape(answer: Answer) -> None:
    """Check what docs/contract.md says of every answer."""
    assert answer.status < 500 or answer.status == 503, answer.text
    assert {"x-request-id", "x-content-type-options"} <= answer.headers.keys()
    body = answer.json
    if answer.status < 400:
        return
    if "code" in body or "detail" in body:
        assert isinstance(body["detail"], str), answer.text
        assert isinstance(body["code"], str), answer.text
    else:
        assert body, answer.text
        assert all(isinstance(reasons, list | dict) for reasons in body.values()), answer.text
    if answer.status == 503:
        assert body["code"] == "unavailable", answer.text
        assert answer.headers["retry-after"] == "1"


def _record(message: Any) -> dict[str, Any]:
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": {"ApproximateReceiveCount": str(message.approximate_receive_count)},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
    }


def _task_id(row: cloud.Row) -> str:
    return str(row["sk"]["S"].removeprefix("task#"))


def _whole_minute(moment: datetime) -> datetime:
    rest = timedelta(seconds=moment.second, microseconds=moment.microsecond)
    return moment - rest + (TICK if rest else timedelta())
