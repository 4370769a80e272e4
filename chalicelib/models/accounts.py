"""The rows of accounts: what a username signs in with, failed sign-ins, revoked tokens."""

import secrets
from datetime import datetime, timedelta

from pynamodb.attributes import UnicodeAttribute, UTCDateTimeAttribute
from pynamodb.exceptions import PutError

from chalicelib.models.table import Row, Transaction, get, owner_key, sortable
from chalicelib.models.user import User

#: Failed sign-ins of one username within SIGN_IN_WINDOW before it has to wait.
SIGN_IN_FAILURES = 10
SIGN_IN_WINDOW = timedelta(minutes=15)


class Account(Row, discriminator="account"):
    """What a username signs in with; its existence makes the name unique."""

    #: The id of the user.
    owner = UnicodeAttribute()
    #: An argon2id hash.
    password_hash = UnicodeAttribute()

    @classmethod
    def create(cls, username: str, user_id: str, password_hash: str, now: datetime) -> bool:
        """Store a new user and the name in one transaction; False if the name is taken."""
        transaction = Transaction()
        transaction.save(
            cls(_name(username), "name", owner=user_id, password_hash=password_hash),
            condition=cls.pk.does_not_exist(),
        )
        transaction.save(User(owner_key(user_id), "user", username=username, created_at=now))
        return not transaction.commit()

    @classmethod
    def find(cls, username: str, now: datetime) -> "tuple[Account | None, list[datetime]]":
        """Read an account and its recent failures, newest first, in one query.

        At most SIGN_IN_FAILURES failures are read.
        """
        account, failures = None, []
        rows = Row.query(
            _name(username),
            Row.sk.between(f"failure#{sortable(now - SIGN_IN_WINDOW)}", "name"),
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
            f"failure#{sortable(now)}#{secrets.token_hex(4)}",
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
        return get(cls, f"token#{jti}", "token") is not None


def _name(username: str) -> str:
    return f"name#{username}"
