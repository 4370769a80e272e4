"""Records every change of a task's status as it is written, with the function that wrote it."""

from collections.abc import Iterator
from typing import NamedTuple

from tests import cloud
from tests.aws_calls import Call, Parameters


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
            row = _read(call, write)
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


def _read(call: Call, write: Parameters) -> cloud.Row | None:
    if call.operation == "BatchWriteItem":
        # It has no condition and replaces the row.
        return dict(write["Item"])
    key = write.get("Item") or write["Key"]
    return cloud.row(key["pk"], key["sk"])
