"""Whatever comes as the body of a new task is refused with a reason, and costs no AWS call."""

from typing import Any

import pytest

from tests.aws_calls import Calls
from tests.drivers import Api

JSON = {"Content-Type": "application/json"}
REQUIRED = ["This field is required."]
NULL = ["This field may not be null."]
NUMBER = "A valid number is required."
INTEGER = ["A valid integer is required."]
UNKNOWN = ["Unknown field."]
TOO_MANY_DIGITS = "Ensure that there are no more than 4000 digits in total."
TOO_MANY_VALUES = ["Ensure this field has no more than 1000 elements."]
BOTH_REQUIRED = {"task_type": REQUIRED, "input_data": REQUIRED}


def no_dictionary(kind: str) -> list[str]:
    return [f'Expected a dictionary of items but got type "{kind}".']


def no_choice(text: str) -> dict[str, list[str]]:
    return {"task_type": [f'"{text}" is not a valid choice.']}


def a_sum(values: bytes) -> bytes:
    return b'{"task_type": "sum", "input_data": {"values": ' + values + b"}}"


def a_countdown(seconds: bytes) -> bytes:
    return b'{"task_type": "countdown", "input_data": {"seconds": ' + seconds + b"}}"


def of_type(task_type: bytes) -> bytes:
    return b'{"input_data": {}, "task_type": ' + task_type + b"}"


def with_input(input_data: bytes) -> bytes:
    return b'{"task_type": "sum", "input_data": ' + input_data + b"}"


def values(*reasons: str) -> dict[str, Any]:
    return {"input_data": {"values": [*reasons]}}


#: Bodies, and the whole answer to each.
BODIES: dict[str, tuple[bytes, Any]] = {
    "nothing": (b"", BOTH_REQUIRED),
    "an empty object": (b"{}", BOTH_REQUIRED),
    "other fields": (b'{"id": 1, "status": "success", "result": 16}', BOTH_REQUIRED),
    "6,500 other fields": (
        b"{" + b",".join(b'"%d":1' % number for number in range(6500)) + b"}",
        BOTH_REQUIRED,
    ),
    "13,000 times the same field": (b"{" + b",".join([b'"":1'] * 13_000) + b"}", BOTH_REQUIRED),
    "the name of Python's class": (b'{"__class__": {}, "__init__": {}}', BOTH_REQUIRED),
    "the name of a prototype": (b'{"__proto__": {"task_type": "sum"}}', BOTH_REQUIRED),
    "field names in capitals": (b'{"TASK_TYPE": "sum", "INPUT_DATA": {}}', BOTH_REQUIRED),
    "the last of equal fields counts": (
        b'{"task_type": "sum", "task_type": "x", "input_data": {}}',
        no_choice("x"),
    ),
    "nested as deep as is read": (
        b'{"a": ' + b"[" * 199 + b"1," * 30_000 + b"1" + b"]" * 199 + b"}",
        BOTH_REQUIRED,
    ),
    "30,000 letters as escapes": (b'{"a": "' + b"\\u0041" * 10_000 + b'"}', BOTH_REQUIRED),
    "10,000 endless exponents": (b'{"a": [' + b"1e999999999," * 5000 + b"1]}", BOTH_REQUIRED),
    "a number of 65,000 digits": (b'{"a": ' + b"9" * 65_000 + b"}", BOTH_REQUIRED),
    "task_type null": (of_type(b"null"), {"task_type": NULL}),
    "task_type a number": (of_type(b"1"), no_choice("1")),
    "task_type a list": (of_type(b'["sum"]'), no_choice('["sum"]')),
    "task_type an object": (of_type(b'{"name": "sum"}'), no_choice('{"name":"sum"}')),
    "task_type true": (of_type(b"true"), no_choice("true")),
    "task_type empty": (of_type(b'""'), no_choice("")),
    "task_type with a space": (of_type(b'"sum "'), no_choice("sum ")),
    "task_type in capitals": (of_type(b'"SUM"'), no_choice("SUM")),
    "task_type with NUL": (of_type(b'"sum\\u0000"'), no_choice("sum\0")),
    "task_type a module": (of_type(b'"os"'), no_choice("os")),
    "task_type an attribute": (of_type(b'"__class__"'), no_choice("__class__")),
    "task_type a path": (of_type(b'"../sum"'), no_choice("../sum")),
    "task_type HTML": (of_type(b'"<script>"'), no_choice("<script>")),
    "task_type of 60,000 letters": (of_type(b'"' + b"x" * 60_000 + b'"'), no_choice("x" * 60_000)),
    "input_data null": (with_input(b"null"), {"input_data": NULL}),
    "input_data a list": (with_input(b"[]"), {"input_data": no_dictionary("list")}),
    "input_data a text": (with_input(b'"{}"'), {"input_data": no_dictionary("str")}),
    "input_data a number": (with_input(b"1e999999999"), {"input_data": no_dictionary("float")}),
    "input_data true": (with_input(b"true"), {"input_data": no_dictionary("bool")}),
    "input_data empty": (with_input(b"{}"), values(*REQUIRED)),
    "input_data with one of two": (with_input(b'{"a": 1}'), {"input_data": {"b": REQUIRED}}),
    "input_data with both forms": (
        with_input(b'{"a": 1, "b": 2, "values": [1]}'),
        {"input_data": {"values": UNKNOWN}},
    ),
    "input_data with an unknown field": (
        with_input(b'{"values": [1], "__class__": 1}'),
        {"input_data": {"__class__": UNKNOWN}},
    ),
    "input_data with a nameless field": (
        with_input(b'{"values": [1], "": 1}'),
        {"input_data": {"": UNKNOWN}},
    ),
    "6,000 unknown fields": (
        with_input(b"{" + b",".join(b'"%d":1' % number for number in range(6000)) + b"}"),
        {"input_data": {"values": REQUIRED} | {str(number): UNKNOWN for number in range(6000)}},
    ),
    "values null": (a_sum(b"null"), {"input_data": {"values": NULL}}),
    "values a number": (a_sum(b"1"), values('Expected a list of items but got type "int".')),
    "values an object": (a_sum(b"{}"), values('Expected a list of items but got type "dict".')),
    "values a text": (a_sum(b'"123"'), values('Expected a list of items but got type "str".')),
    "values empty": (a_sum(b"[]"), values("Ensure this field has at least 1 elements.")),
    "1,001 values": (a_sum(b"[" + b"1," * 1000 + b"1]"), values(*TOO_MANY_VALUES)),
    "32,000 values": (a_sum(b"[" + b"1," * 32_000 + b"1]"), values(*TOO_MANY_VALUES)),
    "a text among the values": (a_sum(b'[1, "2"]'), values(f"Item 1: {NUMBER}")),
    "true among the values": (a_sum(b"[true]"), values(f"Item 0: {NUMBER}")),
    "a list among the values": (a_sum(b"[[1]]"), values(f"Item 0: {NUMBER}")),
    "1,000 texts": (
        a_sum(b"[" + b'"",' * 999 + b'""]'),
        values(*(f"Item {number}: {NUMBER}" for number in range(1000))),
    ),
    "a value of 4,001 digits": (
        a_sum(b"[" + b"9" * 4001 + b"]"),
        values(f"Item 0: {TOO_MANY_DIGITS}"),
    ),
    "a value of 60,000 digits": (
        a_sum(b"[" + b"9" * 60_000 + b"]"),
        values(f"Item 0: {TOO_MANY_DIGITS}"),
    ),
    "a value of 60,000 digits after the point": (
        a_sum(b"[0." + b"9" * 60_000 + b"]"),
        values(f"Item 0: {TOO_MANY_DIGITS}"),
    ),
    "a value of 4,001 digits as an exponent": (
        a_sum(b"[1e4000]"),
        values(f"Item 0: {TOO_MANY_DIGITS}"),
    ),
    "a value beyond all": (a_sum(b"[1e999999999]"), values(f"Item 0: {TOO_MANY_DIGITS}")),
    "a value close to nothing": (a_sum(b"[1e-999999999]"), values(f"Item 0: {TOO_MANY_DIGITS}")),
    "an endless zero": (a_sum(b"[0e999999999]"), values(f"Item 0: {TOO_MANY_DIGITS}")),
    "seconds null": (a_countdown(b"null"), {"input_data": {"seconds": NULL}}),
    "seconds a text": (a_countdown(b'"5"'), {"input_data": {"seconds": INTEGER}}),
    "seconds true": (a_countdown(b"true"), {"input_data": {"seconds": INTEGER}}),
    "seconds a list": (a_countdown(b"[5]"), {"input_data": {"seconds": INTEGER}}),
    "seconds a fraction": (a_countdown(b"1.5"), {"input_data": {"seconds": INTEGER}}),
    "seconds beyond all": (a_countdown(b"1e999999999"), {"input_data": {"seconds": INTEGER}}),
    "seconds close to nothing": (
        a_countdown(b"1e-999999999"),
        {"input_data": {"seconds": INTEGER}},
    ),
    "seconds below 0": (
        a_countdown(b"-1"),
        {"input_data": {"seconds": ["Ensure this value is greater than or equal to 0."]}},
    ),
    "seconds of 4,300 digits": (
        a_countdown(b"9" * 4300),
        {"input_data": {"seconds": ["Ensure this value is less than or equal to 86400."]}},
    ),
    "seconds of 60,000 digits": (a_countdown(b"9" * 60_000), {"input_data": {"seconds": INTEGER}}),
}


@pytest.mark.parametrize(("raw", "body"), BODIES.values(), ids=BODIES.keys())
def test_a_strange_body_is_refused_with_every_reason(
    ann: Api, calls: Calls, raw: bytes, body: Any
) -> None:
    for key in ({}, {"Idempotency-Key": '"'}):
        answer = ann.post("/api/tasks/", raw=raw, headers=JSON | key)
        assert (answer.status, answer.json) == (400, body)
    assert {*calls.operations} <= {"GetItem"}


#: Bodies that are not JSON, and why.
BROKEN: dict[str, tuple[bytes, str]] = {
    "NUL": (b"\0", "Expecting value: line 1 column 1 (char 0)"),
    "NUL after the end": (b"{}\0", "Extra data: line 1 column 3 (char 2)"),
    "a comment": (b"{} // {}", "Extra data: line 1 column 4 (char 3)"),
    "a byte order mark": (
        b"\xef\xbb\xbf{}",
        "Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)",
    ),
    "gzip": (
        b"\x1f\x8b\x08\x00",
        "'utf-8' codec can't decode byte 0x8b in position 1: invalid start byte",
    ),
    "a hexadecimal number": (b'{"a": 0x10}', "Expecting ',' delimiter: line 1 column 8 (char 7)"),
    "a leading zero": (b'{"a": 01}', "Expecting ',' delimiter: line 1 column 8 (char 7)"),
    "a plus": (b'{"a": +1}', "Expecting value: line 1 column 7 (char 6)"),
    "Arabic digits": ('{"a": \u0661}'.encode(), "Expecting value: line 1 column 7 (char 6)"),
    "nested too deep": (b"[" * 202 + b"]" * 202, "Nested too deeply"),
    "nested without end": (b'{"a":' * 12_000, "Nested too deeply"),
    "NaN": (b'{"a": NaN}', "Out of range float values are not JSON compliant: 'NaN'"),
    "an exponent of 60,000 digits": (b'{"a": 1e' + b"9" * 60_000 + b"}", "Number out of range"),
    "10,000 lone surrogates": (
        b'{"a": "' + b"\\ud800" * 10_000 + b'"}',
        "Lone surrogate in a string",
    ),
}


@pytest.mark.parametrize(("raw", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_a_body_that_is_not_json_is_refused_with_its_reason(
    ann: Api, api: Api, calls: Calls, raw: bytes, reason: str
) -> None:
    for client, path in ((ann, "/api/tasks/"), (api, "/api/token/"), (api, "/api/register/")):
        answer = client.post(path, raw=raw, headers=JSON)
        assert (answer.status, answer.json) == (
            400,
            {"detail": f"JSON parse error - {reason}", "code": "parse_error"},
        )
    assert calls == []
