"""Whatever comes as `scheduled_at` is a time or gets a reason."""

from typing import Any

import pytest

from tests.aws_calls import Calls
from tests.drivers import SUM, Api

FORMAT = (
    "Datetime has wrong format. Use one of these formats instead: "
    "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)
RANGE = "Datetime value out of range."
PAST = "The time must not be in the past."
FAR = "The time must be at most 365 days ahead."
DIFFERENT = "The request says two different times."

TIMES: dict[str, tuple[Any, str]] = {
    "NUL at the end": ("2026-12-12T12:30:00\0", FORMAT),
    "NUL after the minute": ("2026-12-12T12:30\0", FORMAT),
    "NUL after the hour": ("2026-12-12T12\0", FORMAT),
    "NUL for the T": ("2026-12-12\x0012:30", FORMAT),
    "NUL before the offset": ("2026-12-12T12:30:00\0+05:00", FORMAT),
    "NUL after the Z": ("2026-12-12T12:30:00Z\0", FORMAT),
    "NUL after the offset": ("2026-12-12T12:30:00+03:00\0", FORMAT),
    "NUL after a fraction": ("2026-12-12T12:30:00.5\0", FORMAT),
    "NUL and more": ("2026-12-12T12:30:00\0junk", FORMAT),
    "NUL at the start": ("\x002026-12-12T12:30:00", FORMAT),
    "NUL alone": ("\0", FORMAT),
    "empty": ("", FORMAT),
    "a space": (" ", FORMAT),
    "words": ("tomorrow", FORMAT),
    "a number": (1_796_000_000, FORMAT),
    "a number in a text": ("1796000000", FORMAT),
    "a number beyond all": (10**400, FORMAT),
    "a fraction": (1.5, FORMAT),
    "true": (True, FORMAT),
    "false": (False, FORMAT),
    "a list": (["2026-12-12"], FORMAT),
    "an object": ({"at": "2026-12-12"}, FORMAT),
    "an empty list": ([], FORMAT),
    "30 February": ("2026-02-30T12:00", FORMAT),
    "29 February of no leap year": ("2027-02-29", FORMAT),
    "month 13": ("2026-13-01", FORMAT),
    "month 0": ("2026-00-01", FORMAT),
    "hour 25": ("2026-12-12T25:00", FORMAT),
    "minute 60": ("2026-12-12T12:60", FORMAT),
    "second 60": ("2026-12-12T12:30:60", FORMAT),
    "offset of 24 hours": ("2026-12-12T12:30:00+24:00", FORMAT),
    "offset of 99 hours": ("2026-12-12T12:30:00-99:99", FORMAT),
    "a zone by name": ("2026-12-12T12:30:00 Europe/Moscow", FORMAT),
    "a zone in brackets": ("2026-12-12T12:30:00+03:00[Europe/Moscow]", FORMAT),
    "two offsets": ("2026-12-12T12:30:00+03:00Z", FORMAT),
    "two times": ("2026-12-12T12:30/2026-12-13T12:30", FORMAT),
    "a minus before the year": ("-2026-12-12T12:30", FORMAT),
    "five digits of the year": ("12026-12-12T12:30", FORMAT),
    "full-width digits": ("\uff12\uff10\uff12\uff16-12-12T12:30", FORMAT),
    "Arabic digits": ("\u0662\u0660\u0662\u0666-12-12T12:30", FORMAT),
    "60,000 digits": ("9" * 60_000, FORMAT),
    "60,000 spaces": ("2026-12-12T12:30" + " " * 60_000 + "x", FORMAT),
    "60,000 digits of a fraction": ("2026-12-12 12:30:00." + "1" * 60_000 + "x", FORMAT),
    "the first year": ("0001-01-01T00:00:00", RANGE),
    "the last second": ("9999-12-31T23:59:59-01:00", RANGE),
    "the last fraction of a second": ("9999-12-31T23:59:59.5Z", RANGE),
    "a past year": ("1970-01-01T00:00:00Z", PAST),
    "a second ago": ("2026-02-02T11:59:59", PAST),
    "a past moment of an odd offset": ("2026-02-02T12:00:00+23:59", PAST),
    "a year and a second ahead": ("2027-02-02T12:00:01", FAR),
    "the last year": ("9999-12-31T00:00:00", FAR),
}


def body(value: Any, *, inside: bool) -> dict[str, Any]:
    time = {"scheduled_at": value}
    own = SUM | (time if inside else {})
    return {"task_type": "sum", "input_data": own, **({} if inside else time)}


@pytest.mark.parametrize(("value", "reason"), TIMES.values(), ids=TIMES.keys())
def test_a_strange_time_is_refused_in_both_places(
    ann: Api, calls: Calls, value: Any, reason: str
) -> None:
    for inside in (False, True):
        answer = ann.post("/api/tasks/", body(value, inside=inside))
        assert (answer.status, answer.json) == (400, {"scheduled_at": [reason]})
    assert calls == []


@pytest.mark.parametrize(
    ("outer", "inner", "reason"),
    [
        ("2026-12-12", "2026-12-13", DIFFERENT),
        ("2026-12-12", None, DIFFERENT),
        (None, "2026-12-12", DIFFERENT),
        ("2026-12-12", "2026-12-12\0", FORMAT),
        ([], "2026-12-12", FORMAT),
    ],
)
def test_two_times_that_do_not_agree_are_refused(
    ann: Api, outer: Any, inner: Any, reason: str
) -> None:
    sent = body(inner, inside=True) | {"scheduled_at": outer}
    answer = ann.post("/api/tasks/", sent)
    assert (answer.status, answer.json) == (400, {"scheduled_at": [reason]})
