"""The row of an account: what a username signs in with."""

from collections.abc import Sequence
from datetime import datetime

from pynamodb.attributes import UnicodeAttribute

from chalicelib.models.limits import Attempt, Limit
from chalicelib.models.table import Row, get_many, owner_key
from chalicelib.models.user import User


class Account(Row, discriminator="account"):
    """What a username signs in with; its existence makes the name unique."""

    #: The id of the user.
    owner = UnicodeAttribute()
    #: An argon2id hash.
    password_hash = UnicodeAttribute()

    @classmethod
    def create(
        cls,
        username: str,
        user_id: str,
        password_hash: str,
        now: datetime,
        attempt: Attempt | None = None,
    ) -> bool:
        """Store a new user and the name in one transaction; False if the name is taken.

        Raises Throttled if a limit of the attempt is reached.
        """
        account = cls(*_key(username), owner=user_id, password_hash=password_hash)
        user = User(owner_key(user_id), "user", username=username, created_at=now)
        attempt = attempt or Attempt([], [], now)
        return attempt.count((account, cls.pk.does_not_exist()), (user, None))

    @classmethod
    def find(
        cls, username: str, limits: Sequence[Limit], now: datetime
    ) -> "tuple[Account | None, Attempt]":
        """Read an account, and what counts against some limits, in one call."""
        rows = get_many([_key(username), *((limit.pk, limit.sk) for limit in limits)])
        account = next((row for row in rows if isinstance(row, Account)), None)
        return account, Attempt(limits, rows, now)


def _key(username: str) -> tuple[str, str]:
    return f"name#{username}", "name"
