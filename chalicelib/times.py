"""Reading and writing times in Europe/Moscow."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

ZONE_NAME = "Europe/Moscow"
ZONE = ZoneInfo(ZONE_NAME)

# What Django's parse_datetime accepts besides ISO 8601: one-digit parts, a space before the
# offset.
_LOOSE = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})[T ]"
    r"(?P<hour>\d{1,2}):(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:[.,](?P<fraction>\d+))?)?"
    r"\s*(?P<offset>Z|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII,
)
# A fraction below a microsecond, which datetime drops.
_FINER = re.compile(r"[.,]\d{6}\d*[1-9]")


def now() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.now(UTC)


def parse(text: str) -> datetime:
    """Read a time and return it in UTC; a time without an offset is Moscow time.

    A fraction of a second is rounded up to the next second. A date without a time is its
    midnight, as in Django REST framework.

    Raises ValueError if the text is not a time, and OverflowError if it is out of range.
    """
    # datetime takes it for the end of the text or for the letter T.
    if "\0" in text:
        raise ValueError("not a time: it has a null character")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = _read_loosely(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZONE)
    moment = moment.astimezone(UTC)
    if moment.microsecond or _FINER.search(text):
        moment = moment.replace(microsecond=0) + timedelta(seconds=1)
    return moment


def _read_loosely(text: str) -> datetime:
    match = _LOOSE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a time: {text!r}")
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    return datetime.fromisoformat(
        f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        f".{match['fraction'] or 0}{match['offset'] or ''}"
    )


def show(moment: datetime | None) -> str | None:
    """Write a time as clients see it: `2030-02-20T15:30:00+03:00`."""
    return moment.astimezone(ZONE).isoformat() if moment else None


def wall_clock(moment: datetime) -> str:
    """Write a time as EventBridge Scheduler reads it: Moscow's wall clock without an offset."""
    return moment.astimezone(ZONE).strftime("%Y-%m-%dT%H:%M:%S")
