"""`scheduled_at`: which times are accepted, and where."""

import pytest

from tests.aws_calls import Calls
from tests.drivers import Api, Clock, Lambdas

NO_TIME = (
    "Datetime has wrong format. Use one of these formats instead: "
    "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)
PAST = "The time must not be in the past."
TOO_FAR = "The time must be at most 365 days ahead."
OUT_OF_RANGE = "Datetime value out of range."
TWO_TIMES = "The request says two different times."


def taken(user: Api, scheduled_at: object) -> str:
    """Create a task for a time, cancel it, and return its scheduled time."""
    task = user.created(scheduled_at=scheduled_at)
    user.post(f"/api/tasks/{task['id']}/cancel/")
    shown: str = task["scheduled_at"]
    return shown


def reasons(user: Api, scheduled_at: object) -> list[str]:
    """Create a task for a time that must be refused, and return the reason."""
    answer = user.create(scheduled_at=scheduled_at)
    assert answer.status == 400, (scheduled_at, answer.text)
    assert list(answer.json) == ["scheduled_at"]
    found: list[str] = answer.json["scheduled_at"]
    return found


def test_a_time_without_an_offset_is_moscow_time(ann: Api) -> None:
    times = {
        "2026-02-20 15:30:00": "2026-02-20T15:30:00+03:00",
        "2026-02-20T15:30:00": "2026-02-20T15:30:00+03:00",
        "2026-02-20 15:30": "2026-02-20T15:30:00+03:00",
        "2026-02-20T15:30": "2026-02-20T15:30:00+03:00",
        "2026-02-20": "2026-02-20T00:00:00+03:00",
        "2026-02-28T23:59:59": "2026-02-28T23:59:59+03:00",
    }
    assert {time: taken(ann, time) for time in times} == times


def test_a_time_with_an_offset_is_converted(ann: Api) -> None:
    times = {
        "2026-02-20T12:30:00Z": "2026-02-20T15:30:00+03:00",
        "2026-02-20 12:30Z": "2026-02-20T15:30:00+03:00",
        "2026-02-20T15:30:00+03:00": "2026-02-20T15:30:00+03:00",
        "2026-02-20T22:00:00+0300": "2026-02-20T22:00:00+03:00",
        "2026-02-20T22:00:00-05:00": "2026-02-21T06:00:00+03:00",
        "2026-02-21T02:15:00+05:45": "2026-02-20T23:30:00+03:00",
        "2026-02-20T00:00:00-23:59": "2026-02-21T02:59:00+03:00",
    }
    assert {time: taken(ann, time) for time in times} == times


@pytest.mark.parametrize("time", ["2026-2-3 9:05", "2026-02-03 09:05 +03:00", "2026-2-3T9:5:00Z"])
def test_times_that_only_django_rest_framework_accepts_are_accepted(ann: Api, time: str) -> None:
    assert ann.create(scheduled_at=time).status == 201


def test_a_fraction_of_a_second_is_rounded_up(ann: Api) -> None:
    times = {
        "2026-02-20T15:30:00.000001": "2026-02-20T15:30:01+03:00",
        "2026-02-20T15:30:00.5Z": "2026-02-20T18:30:01+03:00",
        "2026-02-20T15:30:59.999999": "2026-02-20T15:31:00+03:00",
        "2026-02-28T23:59:59.1+03:00": "2026-03-01T00:00:00+03:00",
        "2026-02-20T15:30:00.000": "2026-02-20T15:30:00+03:00",
    }
    assert {time: taken(ann, time) for time in times} == times


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        ("2026-02-20T15:30:00.0000001", "2026-02-20T15:30:01+03:00"),
        ("2026-02-20T15:30:00+03:00:00.5", "2026-02-20T15:30:00+03:00"),
    ],
    ids=["beyond microseconds", "in the offset"],
)
def test_a_hidden_fraction_is_rounded_up_too(ann: Api, time: str, shown: str) -> None:
    assert taken(ann, time) == shown


def test_null_means_at_once(ann: Api, lambdas: Lambdas) -> None:
    task = ann.created(scheduled_at=None)
    assert task["scheduled_at"] is None
    lambdas.work_off()
    assert ann.task(task["id"])["status"] == "success"


NO_TIMES: list[object] = [
    "",
    " ",
    "now",
    "null",
    "15:30",
    "2026-02-30",
    "2026-02-30T10:00:00",
    "2026-13-01T10:00:00",
    "2026-02-20T25:00:00",
    "2026-02-20T15:60:00",
    "2026-02-20T15:30:00+25:00",
    "20.02.2026 15:30",
    "1771590600",
    "10000-01-01T00:00:00",
    "\u0662\u0660\u0662\u0666-02-20T15:30",
    "9" * 5000,
    1771590600,
    1.5,
    -1,
    0,
    True,
    False,
    [],
    ["2026-02-20T15:30"],
    {},
    {"now": True},
]


def test_a_value_that_is_not_a_time_is_refused(ann: Api) -> None:
    for time in NO_TIMES:
        assert reasons(ann, time) == [NO_TIME]


def test_a_time_in_the_past_is_refused(ann: Api) -> None:
    for time in ("2026-02-02T11:59:59", "2026-02-02T08:59:58.9Z", "2020-01-01"):
        assert reasons(ann, time) == [PAST]


def test_the_present_moment_is_not_past(ann: Api) -> None:
    assert taken(ann, "2026-02-02T12:00:00") == "2026-02-02T12:00:00+03:00"


def test_a_time_may_be_365_days_ahead(ann: Api) -> None:
    assert taken(ann, "2027-02-02T12:00:00") == "2027-02-02T12:00:00+03:00"


def test_a_time_more_than_365_days_ahead_is_refused(ann: Api) -> None:
    for time in ("2027-02-02T12:00:00.000001", "2027-02-02T12:00:01", "9999-12-31T23:59:59"):
        assert reasons(ann, time) == [TOO_FAR]


def test_a_time_beyond_the_calendar_is_refused(ann: Api) -> None:
    for time in (
        "9999-12-31T23:59:59-10:00",
        "0001-01-01T00:00:00",
        "0001-01-01T00:00:00+14:00",
    ):
        assert reasons(ann, time) == [OUT_OF_RANGE]


def test_a_refused_time_leaves_nothing_behind(ann: Api, calls: Calls) -> None:
    for time in ("2026-02-30", "2020-01-01", "2030-01-01", 5, ""):
        reasons(ann, time)
    assert calls == []


def test_older_clients_send_the_time_in_the_input(ann: Api, calls: Calls) -> None:
    input_data = {"a": 1, "b": 2, "scheduled_at": "2026-02-20 15:30:00"}
    task = ann.created(input_data=input_data)
    assert task["scheduled_at"] == "2026-02-20T15:30:00+03:00"
    assert task["input_data"] == input_data
    assert len(calls.of("CreateSchedule")) == 1


def test_a_task_with_the_time_in_its_input_runs(ann: Api, lambdas: Lambdas, clock: Clock) -> None:
    task = ann.created(input_data={"a": 1, "b": 2, "scheduled_at": "2026-02-02 12:05:00"})
    (message,) = lambdas.sent()
    clock.advance(minutes=5)
    lambdas.work(message["MessageBody"])
    assert ann.task(task["id"])["result"] == 3


@pytest.mark.parametrize("inner", ["2026-02-20 15:30:00", "2026-02-20T12:30:00Z"])
def test_the_same_time_in_both_places_is_accepted(ann: Api, inner: str) -> None:
    input_data = {"values": [1], "scheduled_at": inner}
    task = ann.created(input_data=input_data, scheduled_at="2026-02-20T15:30:00+03:00")
    assert task["scheduled_at"] == "2026-02-20T15:30:00+03:00"


def test_null_in_both_places_means_at_once(ann: Api) -> None:
    task = ann.created(input_data={"values": [1], "scheduled_at": None}, scheduled_at=None)
    assert task["scheduled_at"] is None


DIFFERENT: list[tuple[object, object, str]] = [
    ("2026-02-20 15:30:00", "2026-02-20 15:30:01", TWO_TIMES),
    ("2026-02-20 15:30:00", "2026-02-20T15:30:00Z", TWO_TIMES),
    ("2026-02-20 15:30:00", None, TWO_TIMES),
    (None, "2026-02-20 15:30:00", TWO_TIMES),
    ("2026-02-20 15:30:00", "x", NO_TIME),
    ("x", "2026-02-20 15:30:00", NO_TIME),
    (5, 5, NO_TIME),
]


def test_different_times_in_the_two_places_are_refused(ann: Api, calls: Calls) -> None:
    for outer, inner, reason in DIFFERENT:
        answer = ann.create(input_data={"values": [1], "scheduled_at": inner}, scheduled_at=outer)
        assert (answer.status, answer.json) == (400, {"scheduled_at": [reason]})
    assert calls == []
