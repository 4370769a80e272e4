"""The rows that remember which task an Idempotency-Key made."""

from datetime import datetime, timedelta

from pynamodb.attributes import UnicodeAttribute

from chalicelib.models.table import Row, get, owner_key

#: How long an Idempotency-Key is remembered.
IDEMPOTENCY_PERIOD = timedelta(hours=24)


class IdempotencyRecord(Row, discriminator="idempotency"):
    """Which task a client's Idempotency-Key made, and from which body."""

    task_id = UnicodeAttribute()
    #: SHA-256 of the canonical JSON body, in hex.
    body_hash = UnicodeAttribute()

    @classmethod
    def make(
        cls, user_id: str, key: str, body_hash: str, task_id: str, now: datetime
    ) -> "IdempotencyRecord":
        """Return a record that is not stored yet."""
        return cls(
            owner_key(user_id),
            f"idempotency#{key}",
            task_id=task_id,
            body_hash=body_hash,
            expires_at=now + IDEMPOTENCY_PERIOD,
        )

    @classmethod
    def find(cls, user_id: str, key: str, now: datetime) -> "IdempotencyRecord | None":
        record = get(cls, owner_key(user_id), f"idempotency#{key}")
        # DynamoDB deletes expired rows within days, not at once (TTL).
        return record if record and record.expires_at > now else None
