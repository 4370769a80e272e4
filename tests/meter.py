"""What DynamoDB bills for calls, computed from the calls and the items that they touch.

Sources: Amazon DynamoDB Developer Guide, "Item sizes and formats" and "Capacity consumption
for write operations": a write of an item costs one unit per started KB of the larger of its
old and new size, twice that in a transaction, even if its condition fails. An index costs one
unit more for an entry that appears or disappears, two for one whose key changes, and none for
one that stays (entries are far below 1 KB). A strongly consistent read costs one unit per
started 4 KB, an eventually consistent one half of that; a Query that only counts costs as much
as one that answers the items.
"""

from collections.abc import Mapping
from decimal import Decimal
from math import ceil
from typing import Any

from tests import cloud
from tests.aws_calls import Call, Calls, Parameters

Item = Mapping[str, Any]


class Meter:
    """Counts calls and units of the service from its start on; `read` returns and resets."""

    def __init__(self, calls: Calls) -> None:
        self._client = cloud.default_client("dynamodb")
        self._items = {_key(item): item for item in cloud.rows()}
        self._reset()
        calls.observers.append(self._observe)

    def read(self) -> tuple[int, int, float]:
        """Return the AWS calls, write units and read units since the last reading."""
        reading = self.calls, self.writes, self.reads
        self._reset()
        return reading

    def _reset(self) -> None:
        self.calls = self.writes = 0
        self.reads = 0.0

    def _observe(self, call: Call) -> None:
        if call.service == "dynamodb":
            # A test that writes by itself changes what the next write finds.
            writes = sum(self._write(call, key) for key in _written(call))
            self.writes += writes if call.function else 0
            self.reads += self._read(call) if call.function and call.answer else 0
        self.calls += call.function is not None

    def _write(self, call: Call, key: Item) -> int:
        old = self._items.get(_key(key))
        new = cloud.row(key["pk"], key["sk"])
        if new is None:
            self._items.pop(_key(key), None)
        else:
            self._items[_key(key)] = new
        units = max(1, ceil(max(size(old), size(new)) / 1024))
        is_transaction = call.operation == "TransactWriteItems"
        return units * (2 if is_transaction else 1) + _index_units(old, new)

    def _read(self, call: Call) -> float:
        """Return the units of a read."""
        match call.operation:
            case "GetItem":
                return _blocks(size(call.answer.get("Item"))) * _factor(call.parameters)
            case "Query":
                items = call.answer.get("Items") or self._counted(call.parameters)
                return _blocks(sum(map(size, items))) * _factor(call.parameters)
            case "BatchGetItem":
                [(table, found)] = call.answer["Responses"].items()
                wanted = call.parameters["RequestItems"][table]
                missing = len(wanted["Keys"]) - len(found)
                blocks = missing + sum(_blocks(size(item)) for item in found)
                return blocks * _factor(wanted)
        return 0

    def _counted(self, query: Parameters) -> list[Item]:
        """Return the items that a Query counted, if it did not answer them."""
        if query.get("Select") != "COUNT":
            return []
        loading = {name: value for name, value in query.items() if name != "Select"}
        return [*self._client.query(**loading)["Items"]]


def _factor(parameters: Parameters) -> float:
    return 1 if parameters.get("ConsistentRead") else 0.5


def _blocks(size_in_bytes: int) -> int:
    """Return the started 4 KB; a missing item and an empty page count as one."""
    return max(1, ceil(size_in_bytes / 4096))


def size(item: Item | None) -> int:
    """Return the size of an item in bytes."""
    return sum(len(name.encode()) + _size(value) for name, value in (item or {}).items())


def _size(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            # About one byte per two significant digits, and one more.
            return ceil(len(Decimal(content).normalize().as_tuple().digits) / 2) + 1
        case "SS":
            return sum(len(text.encode()) for text in content)
        case "L":
            return 3 + sum(1 + _size(one) for one in content)
        case "BOOL" | "NULL":
            return 1
    raise ValueError(f"the meter does not know the size of {kind}")


def _index_units(old: Item | None, new: Item | None) -> int:
    before, after = _entry(old), _entry(new)
    if before == after:
        return 0
    return (before is not None) + (after is not None)


def _entry(item: Item | None) -> tuple[str, str] | None:
    """Return the key of an item in the sweeper's index; an entry is far below 1 KB."""
    if not item or "sweep_shard" not in item or "sweep_at" not in item:
        return None
    return item["sweep_shard"]["N"], item["sweep_at"]["S"]


def _written(call: Call) -> list[Item]:
    """Return the keys of the items that a call writes."""
    if call.operation == "TransactWriteItems":
        actions = [action for item in call.parameters["TransactItems"] for action in item.values()]
    elif call.operation in ("PutItem", "UpdateItem", "DeleteItem"):
        actions = [call.parameters]
    else:
        return []
    return [_only_key(action.get("Key") or action["Item"]) for action in actions]


def _only_key(item: Item) -> Item:
    return {name: item[name] for name in ("pk", "sk")}


def _key(item: Item) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]
