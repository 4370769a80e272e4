"""The one DynamoDB table: its rows, and every expression that reads or changes them.

partition key     sort key               row
user#<user id>    user                   User: the counters of its tasks
user#<user id>    task#<task id>         Task
user#<user id>    idempotency#<key>      IdempotencyRecord
name#<username>   name                   Account: makes the username unique
name#<username>   failure#<time>#<id>    SignInFailure
token#<jti>       token                  RevokedToken

The key of a task begins with its owner, so another user's task cannot be read even by
mistake. Sort keys are chosen for one read to fetch what belongs together: descending from
`user` come the counters and then the newest tasks; descending from `name` come the
account and then its newest failures.
"""

import secrets
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

from pynamodb.attributes import (
    DiscriminatorAttribute,
    NumberAttribute,
    TTLAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.exceptions import (
    CancellationReason,
    DoesNotExist,
    PutError,
    TransactWriteError,
    UpdateError,
)
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.indexes import (
    AllProjection,
    GlobalSecondaryIndex,
    IncludeProjection,
    LocalSecondaryIndex,
)
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chalicelib import errors
from chalicelib.config import settings

PENDING, STARTED = "pending", "started"
SUCCESS, FAILURE, CANCELLED = "success", "failure", "cancelled"
ACTIVE = (PENDING, STARTED)
FINISHED = (SUCCESS, FAILURE, CANCELLED)
STATUSES = (*ACTIVE, *FINISHED)

#: Pending and started tasks that one user may have at a time.
ACTIVE_LIMIT = 5
#: Attempts without progress after which a task ends in failure; the task queue's
#: maxReceiveCount is the same.
MAX_TRIES = 5
#: How long an Idempotency-Key is remembered.
IDEMPOTENCY_PERIOD = timedelta(hours=24)
#: Failed sign-ins of one username within SIGN_IN_WINDOW before it has to wait.
SIGN_IN_FAILURES = 10
SIGN_IN_WINDOW = timedelta(minutes=15)
#: The sweeper's index is spread over as many partitions: one takes 1,000 writes a second.
WATCH_SHARDS = 8
#: A task not taken up so long after it was stored, or after its time, counts as lost.
LOST_AFTER = timedelta(seconds=45)
#: How often the counters of a user with active tasks are checked.
COUNTER_CHECK = timedelta(minutes=10)
#: Conflicting transactions are tried again as often; each try is a round trip apart.
CONFLICT_TRIES = 25

_R = TypeVar("_R", bound="Row")

_ALL_OLD = "ALL_OLD"
_CONDITION_FAILED = "ConditionalCheckFailed"
_CONFLICT = "TransactionConflict"


class _ByStatus(LocalSecondaryIndex[Any]):
    """A user's tasks by status, newest last; local, so that it reads consistently."""

    class Meta:
        index_name = "by_status"
        projection = AllProjection()

    pk = UnicodeAttribute(hash_key=True)
    status_key = UnicodeAttribute(range_key=True)


class _Watched(GlobalSecondaryIndex[Any]):
    """The sweeper's worklist; sparse: only rows that it may have to look at."""

    class Meta:
        index_name = "watched"
        projection = IncludeProjection(["kind"])

    watch = NumberAttribute(hash_key=True)
    watch_at = UTCDateTimeAttribute(range_key=True)


class Row(Model):
    """Any row of the table."""

    class Meta:
        table_name = settings().table_name
        # An API request must be answered within API Gateway's 29 seconds.
        connect_timeout_seconds = 2
        read_timeout_seconds = 4
        max_retry_attempts = 3
        max_pool_connections = 64

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    kind = DiscriminatorAttribute()
    expires_at = TTLAttribute(null=True)
    watch = NumberAttribute(null=True)
    watch_at = UTCDateTimeAttribute(null=True)

    by_status = _ByStatus()
    watched = _Watched()

    @property
    def user_id(self) -> str:
        return self.pk.removeprefix("user#")


# Made before the row classes below, which inherit it: PynamoDB would make a connection,
# and so a client, for each of them.
_CONNECTION = Row._get_connection().connection


class Account(Row, discriminator="account"):
    """What a username signs in with; its existence makes the name unique."""

    owner = UnicodeAttribute()
    password_hash = UnicodeAttribute()

    @classmethod
    def create(cls, username: str, user_id: str, password_hash: str, now: datetime) -> bool:
        """Store a new user and its name; False if the name is taken. One write call."""
        transaction = _Transaction(user_id)
        transaction.save(
            cls(_name(username), "name", owner=user_id, password_hash=password_hash),
            condition=cls.pk.does_not_exist(),
        )
        transaction.save(User(_owner(user_id), "user", username=username, created_at=now))
        return not transaction.commit()

    @classmethod
    def find(cls, username: str, now: datetime) -> "tuple[Account | None, list[datetime]]":
        """Read an account and its recent failures, newest first, in one call.

        More than SIGN_IN_FAILURES failures are not read.
        """
        account, failures = None, []
        rows = Row.query(
            _name(username),
            Row.sk.between(f"failure#{_sortable(now - SIGN_IN_WINDOW)}", "name"),
            consistent_read=True,
            scan_index_forward=False,
            limit=SIGN_IN_FAILURES + 1,
        )
        for row in rows:
            if isinstance(row, Account):
                account = row
            elif isinstance(row, SignInFailure):
                failures.append(row.failed_at)
        return account, failures


class SignInFailure(Row, discriminator="failure"):
    """One wrong password for one username, kept while it counts."""

    failed_at = UTCDateTimeAttribute()

    @classmethod
    def record(cls, username: str, now: datetime) -> None:
        cls(
            _name(username),
            f"failure#{_sortable(now)}#{secrets.token_hex(4)}",
            failed_at=now,
            expires_at=now + SIGN_IN_WINDOW,
        ).save()


class RevokedToken(Row, discriminator="revoked"):
    """A refresh token that no longer works, kept until it would have expired."""

    @classmethod
    def revoke(cls, jti: str, expires_at: datetime) -> bool:
        """Revoke a token once; False if it was revoked before."""
        try:
            cls(f"token#{jti}", "token", expires_at=expires_at).save(cls.pk.does_not_exist())
        except PutError as error:
            if error.cause_response_code == "ConditionalCheckFailedException":
                return False
            raise
        return True

    @classmethod
    def has(cls, jti: str) -> bool:
        return _get(cls, f"token#{jti}", "token") is not None


class IdempotencyRecord(Row, discriminator="idempotency"):
    """Which task a client's Idempotency-Key made, and from which body."""

    task_id = UnicodeAttribute()
    body_hash = UnicodeAttribute()

    @classmethod
    def make(
        cls, user_id: str, key: str, body_hash: str, task_id: str, now: datetime
    ) -> "IdempotencyRecord":
        return cls(
            _owner(user_id),
            f"idempotency#{key}",
            task_id=task_id,
            body_hash=body_hash,
            expires_at=now + IDEMPOTENCY_PERIOD,
        )

    @classmethod
    def find(cls, user_id: str, key: str, now: datetime) -> "IdempotencyRecord | None":
        record = _get(cls, _owner(user_id), f"idempotency#{key}")
        # DynamoDB deletes expired rows within days, not at once.
        return record if record and record.expires_at > now else None


class User(Row, discriminator="user"):
    """The counters of one user's tasks."""

    username = UnicodeAttribute()
    created_at = UTCDateTimeAttribute()
    active = NumberAttribute(default=0)
    success = NumberAttribute(default=0)
    failure = NumberAttribute(default=0)
    cancelled = NumberAttribute(default=0)

    @classmethod
    def find(cls, user_id: str) -> "User | None":
        return _get(cls, _owner(user_id), "user")

    def total(self, status: str | None) -> int:
        """Return how many tasks there are, in all or of one finished status."""
        if status is not None:
            return int(getattr(self, status))
        return int(self.active + self.success + self.failure + self.cancelled)

    def _unchanged(self) -> Condition:
        # Every create and finish changes one of the four, and none can be undone.
        unchanged: Condition = (
            (User.active == self.active)
            & (User.success == self.success)
            & (User.failure == self.failure)
            & (User.cancelled == self.cancelled)
        )
        return unchanged

    def ask_for_check(self, now: datetime) -> None:
        """Have the sweeper compare the counter with the tasks."""
        actions: list[Action] = [User.watch.set(shard(self.user_id)), User.watch_at.set(now)]
        _update(self, actions, User.watch.does_not_exist())

    def settle(self, active: int, now: datetime) -> bool:
        """Make `active` what was counted, and plan the next check if one is needed.

        False if the counters have changed since this row was read: then what was counted
        means nothing.
        """
        actions: list[Action] = [User.active.set(active)]
        if active:
            actions.append(User.watch_at.set(now + COUNTER_CHECK))
        else:
            actions += [User.watch.remove(), User.watch_at.remove()]
        return _update(self, actions, self._unchanged())


class Task(Row, discriminator="task"):
    """A task that a user owns. Its state machine, and who moves it:

    pending ──claim──> started ──finish──> success | failure
       │                 │  ^─┘ claim again when the lease is over
       └────cancel───────┴──────cancel──> cancelled

    `watch_at` is when the sweeper looks whether the task was lost; `lease_until` is until
    when nobody else may take it up: while a worker runs it, or until the moment it waits for.
    """

    task_type = UnicodeAttribute()
    input_data = UnicodeAttribute()
    status = UnicodeAttribute()
    status_key = UnicodeAttribute()
    result = UnicodeAttribute(null=True)
    error = UnicodeAttribute(null=True)
    attempts = NumberAttribute(default=0)
    #: Attempts since the last progress.
    tries = NumberAttribute(default=0)
    lease = UnicodeAttribute(null=True)
    lease_until = UTCDateTimeAttribute(null=True)
    scheduled_at = UTCDateTimeAttribute(null=True)
    created_at = UTCDateTimeAttribute()
    started_at = UTCDateTimeAttribute(null=True)
    finished_at = UTCDateTimeAttribute(null=True)

    @property
    def task_id(self) -> str:
        return self.sk.removeprefix("task#")

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    @property
    def is_waiting(self) -> bool:
        """Whether it is started, but until its moment comes there is nothing to do."""
        return bool(self.status == STARTED and self.tries == 0)

    @property
    def due(self) -> datetime:
        """When the task wants its next message: its time, or the end of its lease."""
        return self.lease_until or self.scheduled_at or self.created_at

    # -- reading

    @classmethod
    def find(cls, user_id: str, task_id: str) -> "Task | None":
        return _get(cls, _owner(user_id), f"task#{task_id}")

    @classmethod
    def active_of(cls, user_id: str) -> "list[Task]":
        """Return all pending and started tasks of a user, newest first, in one query."""
        # No status sorts between the two, so one range holds both. A task claimed during
        # the query moves forward in it and may show twice, never not at all.
        rows = cls.by_status.query(
            _owner(user_id), cls.status_key.between("pending#", "started#~"), consistent_read=True
        )
        return sorted({row.sk: row for row in rows}.values(), key=_by_id, reverse=True)

    @classmethod
    def page(
        cls,
        user_id: str,
        status: str | None,
        limit: int,
        *,
        upto: str | None = None,
        above: str | None = None,
    ) -> "tuple[list[Task], User | None]":
        """Read up to `limit` tasks, newest first, of one status or of all.

        They begin with the newest task, with that of the id `upto`, or are the nearest
        ones above the id `above` (the oldest of all, where that is empty). The top of
        the unfiltered list brings the user's counters along in the same call.
        """
        # "!" and "~" sort before and after all that ids are made of.
        low, high = f"{above}!" if above else "", upto or "~"
        if status is not None:
            query: Any = cls.by_status.query
            key = cls.status_key
            low, high = f"{status}#{low}", f"{status}#{high}"
        else:
            query, key = Row.query, Row.sk
            low, high = f"task#{low}", f"task#{high}"
            if upto is None and above is None:
                high, limit = "user", limit + 1
        rows = query(
            _owner(user_id),
            key.between(low, high),
            consistent_read=True,
            scan_index_forward=above is not None,
            limit=limit,
        )
        tasks, user = [], None
        for row in rows:
            if isinstance(row, User):
                user = row
            else:
                tasks.append(row)
        return sorted(tasks, key=_by_id, reverse=True), user

    @classmethod
    def new(
        cls,
        user_id: str,
        task_id: str,
        *,
        task_type: str,
        input_data: str,
        scheduled_at: datetime | None,
        now: datetime,
    ) -> "Task":
        """Return a task as it begins, not stored yet."""
        return cls(
            *task_key(user_id, task_id),
            task_type=task_type,
            input_data=input_data,
            status=PENDING,
            status_key=f"{PENDING}#{task_id}",
            scheduled_at=scheduled_at,
            created_at=now,
            watch=shard(user_id),
            watch_at=now + LOST_AFTER,
        )

    def as_created(self) -> "Task":
        """Return the task as it was when it was created."""
        return Task.new(
            self.user_id,
            self.task_id,
            task_type=self.task_type,
            input_data=self.input_data,
            scheduled_at=self.scheduled_at,
            now=self.created_at,
        )

    # -- state changes

    def create(self, record: IdempotencyRecord | None) -> None:
        """Store a new task, take a slot and remember the key, all or nothing.

        Raises ActiveTaskLimit, UserNotFound, or KeyTaken with the record that holds the key.
        """
        transaction = _Transaction(self.task_id)
        transaction.save(self, condition=Task.pk.does_not_exist())
        if record:
            transaction.save(
                record,
                condition=Row.pk.does_not_exist() | (Row.expires_at <= self.created_at),
                return_values=_ALL_OLD,
            )
        transaction.update(
            User(self.pk, "user"),
            [
                User.active.add(1),
                User.watch.set(User.watch | shard(self.user_id)),
                User.watch_at.set(User.watch_at | (self.created_at + COUNTER_CHECK)),
            ],
            condition=User.active < ACTIVE_LIMIT,
            return_values=_ALL_OLD,
        )
        refusals = transaction.commit(
            # Whether a key makes a new task or replays an old one is not for a counter to say.
            between_tries=None if record else self._refuse_above_limit
        )
        if not refusals or refusals[0]:
            # The id is new, so a task that is there already is this one: an earlier try
            # went through and only its answer was lost.
            return
        if record and refusals[1]:
            raise KeyTaken(IdempotencyRecord.from_raw_data(refusals[1].raw_item or {}))
        old = refusals[-1] and refusals[-1].raw_item
        if not old:
            raise errors.UserNotFound
        user = User.from_raw_data(old)
        if user.watch is None:
            # With active tasks it should have one: the counter is wrong.
            user.ask_for_check(self.created_at)
        raise errors.ActiveTaskLimit(int(user.active), ACTIVE_LIMIT)

    def _refuse_above_limit(self) -> None:
        """End a race for the last slots early: a read is never in conflict."""
        user = User.find(self.user_id)
        if user and user.active >= ACTIVE_LIMIT:
            raise errors.ActiveTaskLimit(int(user.active), ACTIVE_LIMIT)

    @classmethod
    def claim(
        cls, user_id: str, task_id: str, *, lease: str, now: datetime, lease_until: datetime
    ) -> "tuple[Task | None, bool]":
        """Take a task up: pending and due, or started with its lease over. One write call.

        Returns the task as it is stored, and whether the lease has it.
        """
        task = cls(*task_key(user_id, task_id))
        due = Task.scheduled_at.does_not_exist() | (Task.scheduled_at <= now)
        abandoned = (Task.lease_until <= now) & (Task.tries < MAX_TRIES)
        claimed = _update(
            task,
            [
                Task.status.set(STARTED),
                Task.status_key.set(task._status_key(STARTED)),
                Task.attempts.add(1),
                Task.tries.add(1),
                Task.started_at.set(Task.started_at | now),
                Task.lease.set(lease),
                Task.lease_until.set(lease_until),
            ],
            ((Task.status == PENDING) & due) | ((Task.status == STARTED) & abandoned),
        )
        if claimed:
            return task, True
        stored = cls.find(user_id, task_id)
        # A claim whose answer was lost is refused when botocore makes it again.
        return stored, stored is not None and stored.lease == lease

    def wait(self, until: datetime, watch_at: datetime) -> bool:
        """Keep the task started with nobody running it; False if the lease was lost."""
        return _update(
            self,
            [
                Task.lease_until.set(until),
                Task.tries.set(0),
                Task.watch_at.set(watch_at),
            ],
            self._mine(),
        )

    def release(self, until: datetime, watch_at: datetime) -> bool:
        """Let the task be tried again from `until` on; False if the lease was lost."""
        return _update(
            self,
            [Task.lease_until.set(until), Task.watch_at.set(watch_at)],
            self._mine(),
        )

    def finish(
        self,
        status: str,
        now: datetime,
        *,
        result: str | None = None,
        error: str | None = None,
    ) -> bool:
        """End the attempt that this row was claimed for; False if its lease was lost."""
        condition = (Task.status == STARTED) & self._mine()
        return self._end(status, now, condition, result=result, error=error)

    def give_up(self, now: datetime, error: str) -> bool:
        """End in failure what nobody runs any more; False if somebody does again."""
        idle = Task.lease_until.does_not_exist() | (Task.lease_until <= now)
        return self._end(FAILURE, now, Task.status.is_in(*ACTIVE) & idle, error=error)

    def cancel(self, now: datetime) -> bool:
        """Cancel the task as it was read; False if it has changed since.

        A scheduled one stays in the sweeper's index until its one-shot is gone.
        """
        condition = (Task.status == self.status) & (Task.attempts == self.attempts)
        watch_at = now + LOST_AFTER if self.scheduled_at else None
        return self._end(CANCELLED, now, condition, watch_at=watch_at)

    def rewatch(self, watch_at: datetime | None) -> bool:
        """Move or end the sweeper's look at this task, unless somebody else just did."""
        unchanged = (Task.watch_at == self.watch_at) & (Task.status == self.status)
        if watch_at is None:
            return _update(self, [Task.watch.remove(), Task.watch_at.remove()], unchanged)
        return _update(self, [Task.watch_at.set(watch_at)], unchanged)

    def _end(
        self,
        status: str,
        now: datetime,
        condition: Condition,
        *,
        result: str | None = None,
        error: str | None = None,
        watch_at: datetime | None = None,
    ) -> bool:
        """Free the slot, count the outcome and record it, all or nothing."""
        changes: dict[str, Any] = {
            "status": status,
            "status_key": self._status_key(status),
            "finished_at": now,
            "result": result,
            "error": error,
            "lease": None,
            "lease_until": None,
            "watch": self.watch if watch_at else None,
            "watch_at": watch_at,
        }
        attributes = Task.get_attributes()
        actions: list[Action] = [
            attributes[name].remove() if value is None else attributes[name].set(value)
            for name, value in changes.items()
        ]
        transaction = _Transaction(str(uuid4()))
        transaction.update(self, actions, condition=condition)
        transaction.update(
            User(self.pk, "user"), [User.active.add(-1), getattr(User, status).add(1)]
        )
        if transaction.commit():
            return False
        for name, value in changes.items():
            setattr(self, name, value)
        return True

    def _mine(self) -> Condition:
        return Task.lease == self.lease

    def _status_key(self, status: str) -> str:
        return f"{status}#{self.task_id}"


class KeyTaken(Exception):
    """An Idempotency-Key is already in use."""

    def __init__(self, record: IdempotencyRecord) -> None:
        super().__init__()
        self.record = record


def watched(shard: int, now: datetime, limit: int) -> Iterator[Row]:
    """Yield rows the sweeper should look at, longest due first; only their keys are read."""
    yield from Row.watched.query(shard, Row.watch_at <= now, limit=limit)


def shard(user_id: str) -> int:
    """Return the partition of the sweeper's index that a user's rows are in."""
    return zlib.crc32(user_id.encode()) % WATCH_SHARDS


def check_health() -> None:
    """Make sure that the table answers. Raises PynamoDBException if it does not."""
    _get(Row, "health", "health")


def task_key(user_id: str, task_id: str) -> tuple[str, str]:
    """Return the key that a task of this user has."""
    return _owner(user_id), f"task#{task_id}"


def _owner(user_id: str) -> str:
    return f"user#{user_id}"


def _name(username: str) -> str:
    return f"name#{username}"


def _sortable(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _by_id(task: Task) -> str:
    return task.sk


def _get(row_class: type[_R], pk: str, sk: str) -> _R | None:
    try:
        return row_class.get(pk, sk, consistent_read=True)
    except DoesNotExist:
        return None


def _update(row: Row, actions: list[Action], condition: Condition) -> bool:
    """Change one row if the condition holds; the row is then as it is stored."""
    for _ in range(CONFLICT_TRIES):
        try:
            row.update(actions, condition)
        except UpdateError as error:
            if error.cause_response_code == "ConditionalCheckFailedException":
                return False
            if error.cause_response_code != "TransactionConflictException":
                raise
            conflict = error
        else:
            return True
    raise errors.Unavailable from conflict


class _Transaction(TransactWrite):
    """One TransactWriteItems call that may safely be made again."""

    def __init__(self, token: str) -> None:
        super().__init__(connection=_CONNECTION, client_request_token=token)

    def commit(
        self, between_tries: Callable[[], None] | None = None
    ) -> list[CancellationReason | None]:
        """Write everything, or nothing and return why: one entry an action.

        PynamoDB puts what is saved first and what is updated last, whatever the order here.
        Another transaction on the same rows is no reason: it is over in milliseconds.

        Raises Unavailable when conflicts or throttling do not end.
        """
        for _ in range(CONFLICT_TRIES):
            try:
                self._commit()
            except TransactWriteError as error:
                reasons = error.cancellation_reasons
                codes = {reason.code for reason in reasons if reason}
                if _CONDITION_FAILED in codes:
                    return [
                        reason if reason and reason.code == _CONDITION_FAILED else None
                        for reason in reasons
                    ]
                if not codes:
                    raise
                refused = error
            else:
                return []
            if _CONFLICT not in codes:
                break
            if between_tries:
                between_tries()
        raise errors.Unavailable from refused
