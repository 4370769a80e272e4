"""The task type `sum` keeps every digit, from the request to the result."""

import json
from decimal import Decimal
from typing import Any

import pytest

from chalicelib import exact_json
from tests.aws_calls import Calls
from tests.drivers import Answer, Api, Lambdas
from tests.integration.tools import Rows

JSON = {"Content-Type": "application/json"}
NUMBER = "A valid number is required."
DIGITS = "Ensure that there are no more than 4000 digits in total."
REQUIRED = "This field is required."
UNKNOWN = "Unknown field."


def create(api: Api, input_data: str) -> Answer:
    """Create a sum from JSON text, which can hold numbers that a Python float cannot."""
    raw = f'{{"task_type": "sum", "input_data": {input_data}}}'.encode()
    return api.post("/api/tasks/", raw=raw, headers=JSON)


def total(api: Api, lambdas: Lambdas, input_data: str) -> Any:
    """Return the result of a sum, its numbers as int or Decimal."""
    answer = create(api, input_data)
    assert answer.status == 201, answer.text
    assert lambdas.work_off() == []
    task = exact_json.loads(api.get(f"/api/tasks/{answer.json['id']}/").text)
    assert (task["status"], task["error"]) == ("success", None)
    return task["result"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("[1, 2, 3, 10]", "16"),
        ("[5]", "5"),
        ("[0]", "0"),
        ("[-0]", "0"),
        ("[2, -5]", "-3"),
        ("[1, -1]", "0"),
        ("[0.1, 0.2]", "0.3"),
        ("[0.1, 0.2, -0.3]", "0"),
        ("[1.1, 2.2, 3.3]", "6.6"),
        ("[1, 0.5]", "1.5"),
        ("[-1.5, 1]", "-0.5"),
        ("[9007199254740993, 0]", "9007199254740993"),
        ("[9007199254740993, 0.5]", "9007199254740993.5"),
        ("[1e3, 1]", "1001"),
        ("[1E+3, 1e-3]", "1000.001"),
        ("[1e308, 1e308, 1e308]", "3" + "0" * 308),
        ("[1e40, 1e-40]", "1" + "0" * 40 + "." + "0" * 39 + "1"),
        ("[1e3999, 1e-4000]", "1" + "0" * 3999 + "." + "0" * 3999 + "1"),
        (
            "[0.1234567890123456789012345678901234567890]",
            "0.123456789012345678901234567890123456789",
        ),
    ],
    ids=lambda text: text[:30],
)
def test_the_result_is_exact(ann: Api, lambdas: Lambdas, values: str, expected: str) -> None:
    assert total(ann, lambdas, f'{{"values": {values}}}') == Decimal(expected)


def test_the_sum_of_integers_is_written_as_an_integer(ann: Api, lambdas: Lambdas) -> None:
    task = ann.created()
    lambdas.work_off()
    assert '"result":16,' in ann.get(f"/api/tasks/{task['id']}/").text


@pytest.mark.parametrize("sign", ["", "-"])
def test_integers_of_4000_digits_stay_exact(ann: Api, lambdas: Lambdas, sign: str) -> None:
    nines = sign + "9" * 4000
    result = total(ann, lambdas, f'{{"values": [{nines}, {nines}]}}')
    assert result == 2 * int(nines)


@pytest.mark.parametrize(
    "number",
    [
        "1" + "0" * 4000,
        "-1" + "0" * 4000,
        "9" * 4001,
        "9" * 4301,
        "9" * 20_000,
        "1e4000",
        "1e-4001",
        "1e999999999",
        "-1e-999999999",
        "0." + "1" * 4001,
        "1" * 2000 + "." + "1" * 2001,
    ],
    ids=lambda text: text[:12],
)
def test_numbers_of_more_than_4000_digits_are_refused(ann: Api, rows: Rows, number: str) -> None:
    before = rows()
    answer = create(ann, f'{{"values": [1, {number}]}}')
    assert answer.status == 400
    assert answer.json == {"input_data": {"values": [f"Item 1: {DIGITS}"]}}
    assert rows() == before


@pytest.mark.parametrize("exponent", ["1e99999999999999999999", "-1e-99999999999999999999"])
def test_an_unreadable_exponent_is_refused(ann: Api, exponent: str) -> None:
    assert create(ann, f'{{"values": [{exponent}]}}').status == 400


def test_a_thousand_values_are_added(ann: Api, lambdas: Lambdas) -> None:
    values = [number / 10 for number in range(1000)]
    assert total(ann, lambdas, json.dumps({"values": values})) == Decimal("49950")


@pytest.mark.parametrize(
    ("count", "reason"),
    [
        (0, "Ensure this field has at least 1 elements."),
        (1001, "Ensure this field has no more than 1000 elements."),
    ],
)
def test_no_values_and_more_than_a_thousand_are_refused(
    ann: Api, rows: Rows, count: int, reason: str
) -> None:
    before = rows()
    answer = create(ann, json.dumps({"values": [1] * count}))
    assert (answer.status, answer.json) == (400, {"input_data": {"values": [reason]}})
    assert rows() == before


@pytest.mark.parametrize(
    ("pair", "expected"), [('{"a": 1, "b": 2}', "3"), ('{"b": 0.2, "a": 0.1}', "0.3")]
)
def test_two_numbers_may_come_as_a_and_b(
    ann: Api, lambdas: Lambdas, pair: str, expected: str
) -> None:
    assert total(ann, lambdas, pair) == Decimal(expected)


def test_the_input_is_shown_as_it_was_sent(ann: Api) -> None:
    answer = create(ann, '{"a": 9007199254740993, "b": 0.10}')
    assert '"input_data":{"a":9007199254740993,"b":0.10}' in answer.text


@pytest.mark.parametrize(
    ("input_data", "faults"),
    [
        ('{"values": [1, true]}', {"values": [f"Item 1: {NUMBER}"]}),
        ('{"values": [false]}', {"values": [f"Item 0: {NUMBER}"]}),
        ('{"values": ["1", 2, "x"]}', {"values": [f"Item 0: {NUMBER}", f"Item 2: {NUMBER}"]}),
        ('{"values": [[1]]}', {"values": [f"Item 0: {NUMBER}"]}),
        ('{"values": [{}]}', {"values": [f"Item 0: {NUMBER}"]}),
        ('{"values": [1, null]}', {"values": ["Item 1: This field may not be null."]}),
        ('{"values": null}', {"values": ["This field may not be null."]}),
        ('{"values": 5}', {"values": ['Expected a list of items but got type "int".']}),
        ('{"values": 5.0}', {"values": ['Expected a list of items but got type "float".']}),
        ('{"values": "12"}', {"values": ['Expected a list of items but got type "str".']}),
        ('{"values": {"0": 1}}', {"values": ['Expected a list of items but got type "dict".']}),
        ("{}", {"values": [REQUIRED]}),
        ('{"value": [1]}', {"values": [REQUIRED], "value": [UNKNOWN]}),
        ('{"values": [1], "x": 1}', {"x": [UNKNOWN]}),
        ('{"a": 1}', {"b": [REQUIRED]}),
        ('{"b": 1}', {"a": [REQUIRED]}),
        ('{"a": "1", "b": true}', {"a": [NUMBER], "b": [NUMBER]}),
        ('{"a": null, "b": 1}', {"a": ["This field may not be null."]}),
        ('{"a": 1, "b": 2, "c": 3}', {"c": [UNKNOWN]}),
        ('{"a": 1, "b": 2, "values": [1]}', {"values": [UNKNOWN]}),
        ('{"a": 1, "values": [1]}', {"b": [REQUIRED], "values": [UNKNOWN]}),
    ],
)
def test_every_fault_of_the_input_is_named(
    ann: Api, rows: Rows, input_data: str, faults: dict[str, Any]
) -> None:
    before = rows()
    answer = create(ann, input_data)
    assert (answer.status, answer.json) == (400, {"input_data": faults})
    assert rows() == before


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "01", "1.", ".5", "+1", "0x1"])
def test_a_number_that_json_does_not_have_is_a_parse_error(
    ann: Api, calls: Calls, number: str
) -> None:
    answer = create(ann, f'{{"values": [{number}]}}')
    assert answer.status == 400
    assert answer.json["detail"].startswith("JSON parse error - ")
    assert calls == []
