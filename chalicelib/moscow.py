"""Reading and writing times in Europe/Moscow."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

ZONE_NAME = "Europe/Moscow"
ZONE = ZoneInfo(ZONE_NAME)


def now() -> datetime:
    """Return this moment, aware, in UTC."""
    return datetime.now(UTC)


def parse(text: str) -> datetime:
    """Read a time and return it in UTC; without an offset it is Moscow time.

    A fraction of a second is rounded up to the next second. A date alone is its
    midnight, as in Django REST framework.

    Raises ValueError for what is no time and OverflowError for one out of range.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZONE)
    if moment.microsecond:
        moment = moment.replace(microsecond=0) + timedelta(seconds=1)
    return moment.astimezone(UTC)


def show(moment: datetime | None) -> str | None:
    """Write a time as clients see it: `2030-02-20T15:30:00+03:00`."""
    return moment.astimezone(ZONE).isoformat() if moment else None


def wall_clock(moment: datetime) -> str:
    """Write a time as EventBridge Scheduler takes it: Moscow's wall clock, no offset."""
    return moment.astimezone(ZONE).strftime("%Y-%m-%dT%H:%M:%S")
