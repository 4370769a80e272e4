import json
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chalicelib import exact_json


@pytest.mark.parametrize(
    "text",
    [
        "0.1",
        "1.10",
        "3.0",
        "1E+400",
        "1E-400",
        "0.1000000000000000055511151231257827",
        "12345678901234567890123456789012345678901234567890",
        "-7",
        pytest.param("9" * 4300, id="as many digits as int takes"),
        pytest.param("9" * 4301, id="more digits than int takes"),
        pytest.param("-" + "9" * 60_000, id="all digits that a request has room for"),
    ],
)
def test_a_number_keeps_its_digits(text: str) -> None:
    assert exact_json.dumps(exact_json.loads(text)) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [("7", 7), ("-7", -7), ("7.0", Decimal("7.0")), ("7e0", Decimal("7"))],
)
def test_integers_are_int_and_other_numbers_decimal(text: str, value: int | Decimal) -> None:
    read = exact_json.loads(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "[NaN]", '{"a": [Infinity]}'])
def test_a_value_that_is_not_a_number_is_refused_with_drfs_words(text: str) -> None:
    with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
        exact_json.loads(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_not_a_number_is_not_written(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        exact_json.dumps(value)


@pytest.mark.parametrize("text", ["1e99999999999999999999", "1e-99999999999999999999"])
def test_an_exponent_beyond_all_decimals_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Number out of range"):
        exact_json.loads(text)


@pytest.mark.parametrize(
    "text", [r'"\ud800"', r'{"\udfff": 1}', r'["\ud800\ud800"]', r'"\udc00\ud800"']
)
def test_a_lone_surrogate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Lone surrogate"):
        exact_json.loads(text)


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert exact_json.loads(r'"\ud83d\ude00"') == "😀"


@pytest.mark.parametrize("raw", [b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\xaf"', b"\x80"])
def test_bytes_that_are_not_utf8_are_refused(raw: bytes) -> None:
    with pytest.raises(UnicodeDecodeError):
        exact_json.loads(raw)


def test_bytes_and_text_are_read_alike() -> None:
    assert exact_json.loads('{"имя": "Анна"}'.encode()) == exact_json.loads('{"имя": "Анна"}')


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 100_000, id="arrays never closed"),
        pytest.param("[" * 100_000 + "]" * 100_000, id="arrays"),
        pytest.param('{"a":' * 100_000 + "1" + "}" * 100_000, id="objects"),
    ],
)
def test_endless_nesting_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Nested too deeply"):
        exact_json.loads(text)


def test_many_brackets_side_by_side_are_not_nesting() -> None:
    assert len(exact_json.loads("[" + ",".join(["[]"] * 10_000) + "]")) == 10_000


@pytest.mark.parametrize("text", ["", " ", "{", "[1,]", "{'a': 1}", "nul", "01", "+1", "1 2"])
def test_text_that_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="line 1 column"):
        exact_json.loads(text)


def test_json_is_written_compactly_without_escaped_letters() -> None:
    assert exact_json.dumps({"имя": ["Анна", 1, None]}) == '{"имя":["Анна",1,null]}'


def test_keys_are_sorted_at_every_depth_on_demand() -> None:
    assert exact_json.dumps({"b": {"d": 1, "c": 2}, "a": 3}, sort_keys=True) == (
        '{"a":3,"b":{"c":2,"d":1}}'
    )


def test_raw_json_is_inserted_unchanged() -> None:
    assert exact_json.dumps({"a": exact_json.Raw('{"x": 1.10}')}) == '{"a":{"x": 1.10}}'


# -- whatever hypothesis thinks of

NUMBERS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,6})?", fullmatch=True
)
# An integer has no negative zero.
OWN_NUMBERS = st.integers() | st.decimals(allow_nan=False, allow_infinity=False).filter(
    lambda number: str(number) != "-0"
)
VALUES = st.recursive(
    st.none() | st.booleans() | OWN_NUMBERS | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_any_value_is_read_as_it_was_written(value: Any) -> None:
    text = exact_json.dumps(value)
    for source in (text, text.encode()):
        assert exact_json.loads(source) == value
        # Python's 1.0 and 1.00 are equal; their digits are not.
        assert exact_json.dumps(exact_json.loads(source)) == text


@given(NUMBERS)
def test_any_number_keeps_its_digits(text: str) -> None:
    assume(text != "-0")
    written = exact_json.dumps(exact_json.loads(text))
    assert Decimal(written).as_tuple() == Decimal(text).as_tuple()


def refuse(constant: str) -> None:
    raise ValueError(constant)


@given(st.text() | st.text('[]{}",:0123456789.eE-+ \\untrfalsd') | VALUES.map(exact_json.dumps))
def test_any_text_is_json_or_not_as_pythons_json_says(text: str) -> None:
    try:
        expected = json.loads(text, parse_constant=refuse, parse_float=Decimal, parse_int=Decimal)
        exact_json.dumps(expected).encode()
    except (ValueError, InvalidOperation):
        with pytest.raises(ValueError):  # noqa: PT011
            exact_json.loads(text)
    else:
        assert exact_json.loads(text) == expected


@given(st.integers(1, 2 * exact_json.MAX_DEPTH), st.booleans())
def test_any_nesting_up_to_the_limit_is_read(depth: int, is_object: bool) -> None:
    opening, closing = ('{"a":', "}") if is_object else ("[", "]")
    text = opening * depth + "1" + closing * depth
    if depth <= exact_json.MAX_DEPTH:
        assert exact_json.dumps(exact_json.loads(text)) == text
    else:
        with pytest.raises(ValueError, match="Nested too deeply"):
            exact_json.loads(text)


@given(st.binary() | st.text().map(lambda text: text.encode("utf-16")))
def test_any_bytes_are_json_or_a_value_error(raw: bytes) -> None:
    with suppress(ValueError):
        exact_json.dumps(exact_json.loads(raw)).encode()
