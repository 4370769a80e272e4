from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import times
from chalicelib.models.table import sortable

HALF_PAST_THREE = datetime(2024, 2, 20, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-20 15:30:00",
        "2024-02-20T15:30:00",
        "2024-02-20 15:30",
        "2024-02-20T15:30:00.000",
        "2024-02-20T15:30:00+03:00",
        "2024-02-20T12:30:00Z",
        "2024-02-20T12:30Z",
        "2024-02-20 12:30:00+00:00",
        "2024-02-20T18:00:00+05:30",
        "2024-02-20T04:30:00-0800",
    ],
)
def test_a_time_is_moscow_time_unless_it_has_an_offset(text: str) -> None:
    assert times.parse(text) == HALF_PAST_THREE


@pytest.mark.parametrize(
    "text", ["2024-2-20 15:30", "2024-02-20 15:30:0", "2024-02-20 15:30:00 +03:00"]
)
def test_looser_formats_that_drf_accepts_are_accepted(text: str) -> None:
    assert times.parse(text) == HALF_PAST_THREE


def test_the_result_is_in_utc() -> None:
    assert times.parse("2024-02-20T15:30:00+03:00").tzinfo is UTC


def test_a_date_without_a_time_is_midnight_in_moscow() -> None:
    assert times.parse("2024-02-20") == datetime(2024, 2, 19, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["2024-02-20 15:29:59.000001", "2024-02-20 15:29:59.5", "2024-02-20T12:29:59.999999Z"],
)
def test_a_fraction_of_a_second_is_rounded_up(text: str) -> None:
    assert times.parse(text) == HALF_PAST_THREE


def test_rounding_up_carries_into_the_next_year() -> None:
    assert times.parse("2024-12-31T23:59:59.1Z") == datetime(2025, 1, 1, tzinfo=UTC)


def test_old_times_have_the_offset_that_moscow_had_then() -> None:
    assert times.parse("2012-07-01 12:00:00") == datetime(2012, 7, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "soon",
        "2024-02-30 12:00:00",
        "2023-02-29",
        "2024-13-01",
        "2024-02-20 25:00",
        "2024-02-20 15:60",
        "15:30",
        "20.02.2024 15:30",
        "2024-02-20 15:30:00 Moscow",
        "2024-02-20T15:30:00+25:00",
        "1708432200",
        "\ud800",
        "2024-02-20\x00",
    ],
)
def test_text_that_is_not_a_time_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        times.parse(text)


@pytest.mark.parametrize(
    "text", ["0001-01-01 00:00:00", "9999-12-31T23:59:59.5Z", "9999-12-31T23:59:59-01:00"]
)
def test_a_time_beyond_the_calendar_is_an_overflow(text: str) -> None:
    with pytest.raises(OverflowError):
        times.parse(text)


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (datetime(2030, 2, 20, 12, 30, tzinfo=UTC), "2030-02-20T15:30:00+03:00"),
        (
            datetime(2026, 11, 23, 5, 49, 38, 579545, tzinfo=UTC),
            "2026-11-23T08:49:38.579545+03:00",
        ),
        (
            datetime(2030, 2, 20, 23, tzinfo=timezone(timedelta(hours=-2))),
            "2030-02-21T04:00:00+03:00",
        ),
        (None, None),
    ],
)
def test_times_are_shown_in_moscow_with_their_offset(
    moment: datetime | None, shown: str | None
) -> None:
    assert times.show(moment) == shown


def test_the_scheduler_gets_the_wall_clock_without_offset_or_fraction() -> None:
    moment = datetime(2030, 2, 20, 22, 30, 5, 999999, tzinfo=UTC)
    assert times.wall_clock(moment) == "2030-02-21T01:30:05"


def test_a_shown_time_is_read_back_as_the_same_moment() -> None:
    assert times.parse(times.show(HALF_PAST_THREE) or "") == HALF_PAST_THREE


def test_now_is_aware_and_in_utc() -> None:
    assert times.now().utcoffset() == timedelta()


# -- whatever hypothesis thinks of

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
# In the very first and last hours other zones are in other years, which do not exist.
MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=ZONES)  # noqa: DTZ001
# Since then Moscow's clocks have not been put back, so no wall clock is shown twice.
SINCE_2015 = st.datetimes(datetime(2015, 1, 1), datetime(9999, 12, 29), timezones=ZONES)  # noqa: DTZ001


def rounded_up(moment: datetime) -> datetime:
    return moment.replace(microsecond=0) + timedelta(seconds=moment.microsecond > 0)


@given(MOMENTS)
def test_any_moment_is_read_as_it_was_shown(moment: datetime) -> None:
    shown = times.show(moment) or ""
    assert datetime.fromisoformat(shown) == moment
    assert times.parse(shown) == rounded_up(moment)


@given(MOMENTS)
def test_any_moment_is_read_in_any_zone(moment: datetime) -> None:
    assert times.parse(moment.isoformat()) == times.parse(str(moment)) == rounded_up(moment)


@given(SINCE_2015)
def test_any_wall_clock_of_moscow_is_read_as_its_moment(moment: datetime) -> None:
    assert times.parse(times.wall_clock(moment)) == moment.replace(microsecond=0)


@given(MOMENTS, MOMENTS)
def test_any_two_moments_are_sorted_as_their_texts(one: datetime, other: datetime) -> None:
    assert (one < other, one == other) == (
        sortable(one) < sortable(other),
        sortable(one) == sortable(other),
    )


@given(st.text() | st.text("0123456789-:.,TZW+ ") | st.from_regex(times._LOOSE, fullmatch=True))
def test_any_text_is_a_whole_second_of_utc_or_no_time(text: str) -> None:
    try:
        moment = times.parse(text)
    except (ValueError, OverflowError):
        return
    assert (moment.tzinfo, moment.microsecond) == (UTC, 0)
