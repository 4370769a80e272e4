"""The row of a session: which of its refresh tokens is the current one.

Signing in writes nothing: a session gets its row when it is first refreshed, or ended.
"""

from datetime import datetime

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute, UTCDateTimeAttribute
from pynamodb.expressions.condition import Condition

from chalicelib.models.table import IntegerAttribute, Row, get, update


class Session(Row, discriminator="session"):
    """All refresh tokens that descend from one sign-in, numbered from 0."""

    #: The number of the current token; those before it were rotated.
    current = IntegerAttribute(null=True)
    rotated_at = UTCDateTimeAttribute(null=True)
    #: Whether none of its tokens works any more.
    is_revoked = BooleanAttribute(null=True)
    #: The id of the request that wrote the row last: a repeated call finds its own write.
    written_by = UnicodeAttribute(null=True)

    @classmethod
    def find(cls, session_id: str) -> "Session | None":
        return get(cls, *_key(session_id))

    @classmethod
    def rotate(
        cls, session_id: str, number: int, *, now: datetime, expires_at: datetime, request_id: str
    ) -> bool:
        """Replace a token by the next one; False if it is not the current one.

        `expires_at` is when the last token of the session expires.
        """
        return update(
            cls(*_key(session_id)),
            [
                cls.kind.set(cls),
                cls.current.set(number + 1),
                cls.rotated_at.set(now),
                cls.written_by.set(request_id),
                cls.expires_at.set(expires_at),
            ],
            _may_write(number, request_id),
        )

    @classmethod
    def end(cls, session_id: str, number: int, *, expires_at: datetime, request_id: str) -> bool:
        """Revoke a session by its current token; False if that token is not the current one."""
        return update(
            cls(*_key(session_id)),
            [
                cls.kind.set(cls),
                cls.is_revoked.set(True),
                cls.written_by.set(request_id),
                cls.expires_at.set(expires_at),
            ],
            _may_write(number, request_id),
        )

    def revoke(self) -> None:
        """Revoke a session that has a row."""
        update(self, [Session.is_revoked.set(True)], Session.pk.exists())


def _may_write(number: int, request_id: str) -> Condition:
    """The token is the current one, or the call is repeated and finds its own write."""
    is_current = Session.is_revoked.does_not_exist() & (Session.current == number)
    is_repeated = Session.written_by == request_id
    condition: Condition = Session.pk.does_not_exist() | is_current | is_repeated
    return condition


def _key(session_id: str) -> tuple[str, str]:
    return f"token#{session_id}", "token"
