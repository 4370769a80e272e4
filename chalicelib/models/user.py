"""The row of a user: which tasks are active, and how many ended in each way."""

from collections.abc import Iterable

from pynamodb.attributes import (
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
)

from chalicelib.lifecycle import FINISHED
from chalicelib.models.table import IntegerAttribute, Row, get, owner_key, update


class User(Row, discriminator="user"):
    """The slots and counts of one user's tasks.

    They change only in the transactions that change a task. Adding an id to a set, or
    deleting it, twice is the same as once, so `active` cannot drift by repetition.
    """

    username = UnicodeAttribute()
    created_at = UTCDateTimeAttribute()
    #: The ids of the pending and started tasks; DynamoDB has no empty sets, so None for none.
    active = UnicodeSetAttribute(null=True)
    #: How many tasks ended in each way.
    success = IntegerAttribute(default=0)
    failure = IntegerAttribute(default=0)
    cancelled = IntegerAttribute(default=0)

    @classmethod
    def find(cls, user_id: str) -> "User | None":
        return get(cls, owner_key(user_id), "user")

    @property
    def active_ids(self) -> frozenset[str]:
        return frozenset(self.active or ())

    def total(self, status: str | None) -> int:
        """Return how many tasks there are, in all or of one finished status."""
        if status is not None:
            count: int = getattr(self, status)
            return count
        return len(self.active_ids) + sum(self.total(finished) for finished in FINISHED)

    def free_slots(self, task_ids: Iterable[str]) -> None:
        """Take ids out of the active set: those of tasks that are finished or gone."""
        update(self, [User.active.delete(set(task_ids))])
