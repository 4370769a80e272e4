"""The rows that limit failed sign-ins and registrations, by username and by address.

partition key      sort key            counts                                most
name#<username>    attempts            failed sign-ins, from any address     100 in 15 minutes
name#<username>    attempts#<address>  the same, from one address            10 in 15 minutes
address#<address>  attempts            failed sign-ins, for any username     100 in 15 minutes
address#<address>  registrations       new accounts                          a setting, per hour

A row is a set of marks, one per attempt; a mark says when it stops counting. Adding a mark twice,
or deleting it twice, is the same as once, so a repeated call or a lost answer does not change the
count. The size of a set includes expired marks, so the condition on it is never too weak;
expired marks are deleted once they are in the way.
"""

import math
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pynamodb.attributes import UnicodeSetAttribute
from pynamodb.exceptions import CancellationReason
from pynamodb.expressions.condition import Condition, size

from chalicelib import errors
from chalicelib.models.table import ALL_OLD, Row, Transaction, update

SIGN_IN_WINDOW = timedelta(minutes=15)
#: Failed sign-ins within SIGN_IN_WINDOW: per username and address, and per username or address.
PAIR_FAILURES = 10
SINGLE_FAILURES = 100
REGISTRATION_WINDOW = timedelta(hours=1)

Refusals = list[CancellationReason | None]

#: How often an attempt is counted again after others changed a row in between.
_TRIES = 10


class Limit(NamedTuple):
    """How many marks a row may have."""

    pk: str
    sk: str
    most: int
    window: timedelta


def sign_in_limits(username: str, address: str) -> list[Limit]:
    """Return the limits of a sign-in."""
    name, place = f"name#{username}", f"address#{address}"
    return [
        Limit(name, f"attempts#{address}", PAIR_FAILURES, SIGN_IN_WINDOW),
        Limit(name, "attempts", SINGLE_FAILURES, SIGN_IN_WINDOW),
        Limit(place, "attempts", SINGLE_FAILURES, SIGN_IN_WINDOW),
    ]


def registration_limits(address: str, per_hour: int) -> list[Limit]:
    """Return the limits of a registration; 0 per hour means none."""
    limit = Limit(f"address#{address}", "registrations", per_hour, REGISTRATION_WINDOW)
    return [limit] if per_hour else []


class Attempts(Row, discriminator="attempts"):
    """The attempts that count against one limit."""

    #: "<second in which the mark stops counting>#<id of the attempt>".
    marks = UnicodeSetAttribute(null=True)


class Attempt:
    """One attempt. It is counted before its outcome is known; a success is taken back."""

    def __init__(self, limits: Sequence[Limit], rows: Iterable[Row], now: datetime) -> None:
        """`rows` are the stored ones of these limits, among others."""
        stored = {(row.pk, row.sk): row for row in rows if isinstance(row, Attempts)}
        self._now = now
        self._counters = [
            _Counter(limit, stored.get((limit.pk, limit.sk)), now) for limit in limits
        ]

    def count(self, *puts: tuple[Row, Condition | None]) -> bool:
        """Count the attempt against all limits and store rows with it, all or nothing.

        False if the condition of such a row does not hold.

        Raises Throttled if a limit is reached.
        """
        if not puts and not self._counters:
            return True
        for _ in range(_TRIES):
            self.check()
            refusals = self._commit(puts)
            if not refusals:
                return True
            if any(refusals[: len(puts)]):
                return False
            for counter, refusal in zip(self._counters, refusals[len(puts) :], strict=True):
                if refusal:
                    counter.load(refusal.raw_item or {})
        raise errors.Unavailable

    def check(self) -> None:
        """Raise Throttled if a limit was reached when its row was read."""
        free_at = max((counter.free_at for counter in self._counters), default=0)
        if free_at:
            raise errors.Throttled(math.ceil(free_at - self._now.timestamp()))

    def take_back(self) -> None:
        """Make the attempt not count, as if it had never been made."""
        transaction = Transaction()
        for counter in self._counters:
            counter.remove_from(transaction)
        transaction.commit()

    def _commit(self, puts: Iterable[tuple[Row, Condition | None]]) -> Refusals:
        transaction = Transaction()
        for row, condition in puts:
            transaction.save(row, condition=condition)
        for counter in self._counters:
            counter.make_room()
            counter.add_to(transaction)
        return transaction.commit()


class _Counter:
    """One limit, with its row as it was last seen."""

    def __init__(self, limit: Limit, row: Attempts | None, now: datetime) -> None:
        self._limit = limit
        self._now = now
        self._expiry = math.ceil((now + limit.window).timestamp())
        self._mark = f"{self._expiry}#{secrets.token_hex(4)}"
        self._marks = frozenset(row.marks or ()) if row else frozenset()

    def load(self, raw: Mapping[str, Any]) -> None:
        self._marks = frozenset(Attempts.from_raw_data(dict(raw)).marks or ())

    @property
    def free_at(self) -> int:
        """The second in which the next attempt is allowed; 0: now."""
        expiries = sorted(map(_expiry, self._marks - self._expired))
        return expiries[-self._limit.most] if len(expiries) >= self._limit.most else 0

    @property
    def _expired(self) -> frozenset[str]:
        return frozenset(mark for mark in self._marks if _expiry(mark) <= self._now.timestamp())

    @property
    def _row(self) -> Attempts:
        return Attempts(self._limit.pk, self._limit.sk)

    def make_room(self) -> None:
        """Delete the expired marks if they are in the way of a new one."""
        if self._expired and len(self._marks) >= self._limit.most:
            update(self._row, [Attempts.marks.delete(self._expired)])
            self._marks -= self._expired

    def add_to(self, transaction: Transaction) -> None:
        has_room = Attempts.marks.does_not_exist() | (size(Attempts.marks) < self._limit.most)
        transaction.update(
            self._row,
            [
                Attempts.marks.add({self._mark}),
                Attempts.kind.set(Attempts),
                Attempts.expires_at.set(self._now + self._limit.window),
            ],
            # A repeated call finds its own mark.
            condition=has_room | Attempts.marks.contains(self._mark),
            return_values=ALL_OLD,
        )

    def remove_from(self, transaction: Transaction) -> None:
        transaction.update(self._row, [Attempts.marks.delete({self._mark} | self._expired)])


def _expiry(mark: str) -> int:
    return int(mark.partition("#")[0])
