"""The table itself: its keys and indexes, conditional writes, and transactions."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from botocore.exceptions import ClientError
from pynamodb.attributes import (
    Attribute,
    DiscriminatorAttribute,
    TTLAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.constants import NUMBER
from pynamodb.exceptions import CancellationReason, DoesNotExist, TransactWriteError, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chalicelib import aws, deadline, errors
from chalicelib.config import settings

#: Conflicting transactions are tried again this often; each try is a round trip apart.
CONFLICT_TRIES = 25

ALL_OLD = "ALL_OLD"
_CONDITION_FAILED = "ConditionalCheckFailed"
_CONFLICT = "TransactionConflict"

#: Additions to botocore's models (botocore.loaders, "sdk-extras").
_BOTOCORE_DATA = Path(__file__).parent / "botocore"

_I = TypeVar("_I", bound="Item")


class IntegerAttribute(Attribute[int]):
    """A whole number: PynamoDB's NumberAttribute is a float to the type checker."""

    attr_type = NUMBER

    def serialize(self, value: int) -> str:
        return str(value)

    def deserialize(self, value: str) -> int:
        return int(value)


class _Sweep(GlobalSecondaryIndex[Any]):
    """The sweeper's worklist; sparse: only tasks that it may have to look at."""

    class Meta:
        index_name = "sweep"
        projection = KeysOnlyProjection()

    sweep_shard = IntegerAttribute(hash_key=True)
    sweep_at = UTCDateTimeAttribute(range_key=True)


class Item(Model):
    """The keys that an item of the table can have."""

    class Meta:
        table_name = settings().table_name
        connect_timeout_seconds = deadline.CONNECT_TIMEOUT
        read_timeout_seconds = deadline.READ_TIMEOUT
        max_retry_attempts = deadline.TRIES - 1
        max_pool_connections = 64

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    #: The partition of the sweeper's index; absent from rows that nothing can go wrong with.
    sweep_shard = IntegerAttribute(null=True)
    #: When the sweeper looks at the row.
    sweep_at = UTCDateTimeAttribute(null=True)

    sweep = _Sweep()

    @property
    def user_id(self) -> str:
        return self.pk.removeprefix("user#")


# Made before the classes of rows, which inherit it: PynamoDB would make a client for each.
CONNECTION = Item._get_connection()
# A session of PynamoDB's own would read AWS's endpoints and models once more.
CONNECTION.connection._local.session = aws.session()
# botocore would look in each attribute for its ten types. An addition to its model of DynamoDB says
# that attributes are documents, which it passes on as they are: right for all but binary ones,
# which this service does not have.
aws.session().get_component("data_loader").search_paths.append(str(_BOTOCORE_DATA))
# Its client is made now: PynamoDB must not make it in two threads at once.
deadline.keep(CONNECTION.connection.client)


class Row(Item):
    """An item with content; PynamoDB reads its class from `kind`."""

    kind = DiscriminatorAttribute()
    expires_at = TTLAttribute(null=True)

    @classmethod
    def from_raw_data(cls: type[_I], data: dict[str, Any]) -> _I:
        """Return the row that an item of the table is.

        PynamoDB's own also sets what the item does not have, and each default twice, which took
        a third of a list's time.
        """
        row_class = Row.kind.deserialize(data["kind"]["S"])
        if not issubclass(row_class, cls):
            raise ValueError(f"{row_class.__name__} is not a {cls.__name__}.")
        attributes = row_class.get_attributes()
        row: _I = row_class.__new__(row_class)
        row.attribute_values = {**_defaults(row_class)}
        for name, value in data.items():
            # An older version of the service does not know the attributes of a newer one.
            if attribute := attributes.get(name):
                row.attribute_values[name] = attribute.deserialize(attribute.get_value(value))
        return row


@cache
def _defaults(row_class: type[Row]) -> Mapping[str, Any]:
    """Return what the attributes of a row are if its item lacks them."""
    attributes = row_class.get_attributes().items()
    return {name: one.default for name, one in attributes if one.default is not None}


def owner_key(user_id: str) -> str:
    """Return the partition key of all that a user owns."""
    return f"user#{user_id}"


def task_key(user_id: str, task_id: str) -> tuple[str, str]:
    """Return the key of a user's task."""
    return owner_key(user_id), f"task#{task_id}"


def sortable(moment: datetime) -> str:
    """Write a time so that the order of texts is the order of times."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def get(row_class: type[_I], pk: str, sk: str) -> _I | None:
    """Read one row, strongly consistent; None if it is missing."""
    try:
        return row_class.get(pk, sk, consistent_read=True)
    except DoesNotExist:
        return None


def get_many(keys: Iterable[tuple[str, str]]) -> list[Row]:
    """Read rows by their keys in any order, strongly consistent; missing ones are left out.

    One BatchGetItem per 100 keys. PynamoDB asks again for UnprocessedKeys, which ends, because
    each answer has at least one row (BatchGetItem, API reference).
    """
    return list(Row.batch_get(keys, consistent_read=True))


def check_health() -> None:
    """Make sure that the table answers. Raises PynamoDBException if it does not."""
    get(Row, "health", "health")


def update(row: Row, actions: list[Action], condition: Condition | None = None) -> bool:
    """Change one row if the condition holds; `row` is then as it is stored.

    Raises Unavailable if transactions on the same row do not end.
    """
    for _ in range(CONFLICT_TRIES):
        try:
            row.update(actions, condition)
        except UpdateError as error:
            code = _code_of(error)
            if code == "ConditionalCheckFailedException":
                return False
            if code != "TransactionConflictException":
                raise
            conflict = error
        else:
            return True
    raise errors.Unavailable from conflict


def _code_of(error: UpdateError) -> str | None:
    # PynamoDB's own `cause_response_code` breaks on a timeout, which has no response.
    cause = error.cause
    return cause.response["Error"]["Code"] if isinstance(cause, ClientError) else None


class Transaction(TransactWrite):
    """One TransactWriteItems call.

    Its token makes a repeated call safe for 10 minutes: the second one changes nothing
    (TransactWriteItems, ClientRequestToken).
    """

    def __init__(self) -> None:
        super().__init__(connection=CONNECTION.connection, client_request_token=str(uuid4()))

    def commit(
        self, between_tries: Callable[[], None] | None = None
    ) -> list[CancellationReason | None]:
        """Write everything, or nothing and return why: one entry per action.

        PynamoDB sends puts before updates, whatever the order of the calls. A conflict with
        another transaction is over in milliseconds, so it is tried again, after a call of
        `between_tries`.

        Raises Unavailable if conflicts or throttling do not end.
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
