"""Records every change of a task's status as it is written, with the function that wrote it."""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3

from tests import cloud
from tests.aws_calls import Call, Parameters

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class StatusChange(NamedTuple):
    function: str
    #: None when the write creates the task.
    old: str | None
    new: str


class StatusChanges(list[StatusChange]):
    """An observer of `Calls`: `calls.observers.append(StatusChanges())`."""

    def __init__(self) -> None:
        super().__init__()
        self._statuses: dict[tuple[str, str], str] = {}

    def begin(self, pk: str, sk: str, status: str) -> None:
        """Note the status of a task that a test stores without a call."""
        self._statuses[pk, sk] = status

    def __call__(self, call: Call) -> None:
        for write in _task_writes(call):
            row = _read(write)
            if row is None:
                # The write was refused.
                continue
            key = (row["pk"]["S"], row["sk"]["S"])
            old, new = self._statuses.get(key), row["status"]["S"]
            self._statuses[key] = new
            # What a test stores itself is where its tasks begin.
            if call.function and new != old:
                self.append(StatusChange(call.function, old, new))


def _task_writes(call: Call) -> Iterator[Parameters]:
    """Yield the parameters of each write to the row of a task."""
    for write in _writes(call):
        key = write.get("Item") or write["Key"]
        if key["sk"].get("S", "").startswith("task#"):
            yield write


def _writes(call: Call) -> Iterator[Parameters]:
    match call.operation, call.parameters:
        case "PutItem" | "UpdateItem", write:
            yield write
        case "TransactWriteItems", {"TransactItems": items}:
            for item in items:
                yield from (item[kind] for kind in ("Put", "Update") if kind in item)
        case "BatchWriteItem", {"RequestItems": tables}:
            for requests in tables.values():
                yield from (one["PutRequest"] for one in requests if "PutRequest" in one)


def _read(write: Parameters) -> dict[str, Any] | None:
    item = write.get("Item") or write["Key"]
    key = {name: item[name] for name in ("pk", "sk")}
    found = _dynamodb().get_item(
        TableName=cloud.ENVIRONMENT["TABLE_NAME"], Key=key, ConsistentRead=True
    )
    return found.get("Item")


@cache
def _dynamodb() -> "DynamoDBClient":
    # Making a client takes longer than the call.
    return boto3.client("dynamodb")
