"""The sweeper's index: which tasks it may have to look at."""

from collections.abc import Iterator
from datetime import datetime

from chalicelib.models.table import Item

#: Partitions of the index: DynamoDB takes 1,000 writes per second in each.
SWEEP_SHARDS = 8

#: Keys per Query.
_PAGE = 1000


def read_due(shard: int, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield the keys of the tasks of a shard that are due for a look, longest due first."""
    for entry in Item.sweep.query(shard, Item.sweep_at <= now, page_size=_PAGE):
        yield entry.pk, entry.sk


def count_due(shard: int, now: datetime) -> int:
    """Count the tasks of a shard that are due for a look."""
    return Item.sweep.count(shard, Item.sweep_at <= now)
