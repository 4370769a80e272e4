from decimal import Decimal

import pytest

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
