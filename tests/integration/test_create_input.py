"""POST /api/tasks/: input that is refused, every fault named, with nothing done."""

from datetime import timedelta
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator

from chalicelib import task_types
from chalicelib.task_types import Run, Snooze, TaskInput, task_type
from tests.aws_calls import Calls
from tests.drivers import Api, Lambdas

NUMBER = "A valid number is required."
NO_TIME = (
    "Datetime has wrong format. Use one of these formats instead: "
    "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)


def a_sum(**input_data: Any) -> dict[str, Any]:
    return {"task_type": "sum", "input_data": input_data}


def a_countdown(**input_data: Any) -> dict[str, Any]:
    return {"task_type": "countdown", "input_data": input_data}


INVALID: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": (
        {},
        {"task_type": ["This field is required."], "input_data": ["This field is required."]},
    ),
    "null type": (
        a_sum(values=[1]) | {"task_type": None},
        {"task_type": ["This field may not be null."]},
    ),
    "unknown type": (
        a_sum(values=[1]) | {"task_type": "x"},
        {"task_type": ['"x" is not a valid choice.']},
    ),
    "blank type": (
        a_sum(values=[1]) | {"task_type": ""},
        {"task_type": ['"" is not a valid choice.']},
    ),
    "type in capitals": (
        a_sum(values=[1]) | {"task_type": "SUM"},
        {"task_type": ['"SUM" is not a valid choice.']},
    ),
    "type with braces": (
        a_sum(values=[1]) | {"task_type": "{ge}"},
        {"task_type": ['"{ge}" is not a valid choice.']},
    ),
    "numeric type": (
        a_sum(values=[1]) | {"task_type": 5},
        {"task_type": ['"5" is not a valid choice.']},
    ),
    "null input": (
        {"task_type": "sum", "input_data": None},
        {"input_data": ["This field may not be null."]},
    ),
    "list as input": (
        {"task_type": "sum", "input_data": [1]},
        {"input_data": ['Expected a dictionary of items but got type "list".']},
    ),
    "everything at once": (
        {"task_type": "x", "input_data": 5, "scheduled_at": 5},
        {
            "task_type": ['"x" is not a valid choice.'],
            "input_data": ['Expected a dictionary of items but got type "int".'],
            "scheduled_at": [NO_TIME],
        },
    ),
    "input and time": (
        a_countdown(seconds=-1) | {"scheduled_at": "2020-01-01"},
        {
            "input_data": {"seconds": ["Ensure this value is greater than or equal to 0."]},
            "scheduled_at": ["The time must not be in the past."],
        },
    ),
    "sum of nothing": (a_sum(), {"input_data": {"values": ["This field is required."]}}),
    "sum of an empty list": (
        a_sum(values=[]),
        {"input_data": {"values": ["Ensure this field has at least 1 elements."]}},
    ),
    "sum of 1,001 numbers": (
        a_sum(values=[1] * 1001),
        {"input_data": {"values": ["Ensure this field has no more than 1000 elements."]}},
    ),
    "sum of null": (
        a_sum(values=None),
        {"input_data": {"values": ["This field may not be null."]}},
    ),
    "sum of no list": (
        a_sum(values=5),
        {"input_data": {"values": ['Expected a list of items but got type "int".']}},
    ),
    "sum of no numbers": (
        a_sum(values=[1, True, "2", [3]]),
        {"input_data": {"values": [f"Item {place}: {NUMBER}" for place in (1, 2, 3)]}},
    ),
    "sum of a number too long": (
        a_sum(values=[10**4000]),
        {
            "input_data": {
                "values": ["Item 0: Ensure that there are no more than 4000 digits in total."]
            }
        },
    ),
    "half a pair": (a_sum(a=1), {"input_data": {"b": ["This field is required."]}}),
    "pair of no numbers": (
        a_sum(a=True, b="2"),
        {"input_data": {"a": [NUMBER], "b": [NUMBER]}},
    ),
    "pair and values": (
        a_sum(a=1, b=2, values=[3]),
        {"input_data": {"values": ["Unknown field."]}},
    ),
    "unknown input fields": (
        a_sum(values=[1], x=1, y=2),
        {"input_data": {"x": ["Unknown field."], "y": ["Unknown field."]}},
    ),
    "countdown of nothing": (
        a_countdown(),
        {"input_data": {"seconds": ["This field is required."]}},
    ),
    "countdown of a fraction": (
        a_countdown(seconds=1.5),
        {"input_data": {"seconds": ["A valid integer is required."]}},
    ),
    "countdown of a string": (
        a_countdown(seconds="5"),
        {"input_data": {"seconds": ["A valid integer is required."]}},
    ),
    "countdown of a boolean": (
        a_countdown(seconds=True),
        {"input_data": {"seconds": ["A valid integer is required."]}},
    ),
    "countdown of more than a day": (
        a_countdown(seconds=86_401),
        {"input_data": {"seconds": ["Ensure this value is less than or equal to 86400."]}},
    ),
}


def test_invalid_fields_are_all_named_and_nothing_is_done(ann: Api, calls: Calls) -> None:
    answers = {name: ann.post("/api/tasks/", body) for name, (body, _) in INVALID.items()}
    assert {answer.status for answer in answers.values()} == {400}
    assert {name: answer.json for name, answer in answers.items()} == {
        name: reasons for name, (_, reasons) in INVALID.items()
    }
    assert calls == []


UNREADABLE = {
    "list": (b"[1]", "application/json", 400),
    "string": (b'"sum"', "application/json", 400),
    "null": (b"null", "application/json", 400),
    "cut off": (b'{"task_type": "sum", ', "application/json", 400),
    "no UTF-8": (b'{"task_type": "\xff"}', "application/json", 400),
    "NaN": (b'{"task_type": "sum", "input_data": {"values": [NaN]}}', "application/json", 400),
    "Infinity": (b'{"task_type": "sum", "input_data": {"values": [-Infinity]}}', "text/json", 415),
    "other content": (b'{"task_type": "sum", "input_data": {"values": [1]}}', "text/plain", 415),
    "too large": (
        b'{"task_type": "sum", "input_data": {"values": [1]}, "x": "%s"}' % (b"x" * 65_536),
        "application/json",
        413,
    ),
}


def test_a_body_that_cannot_be_read_leaves_nothing_behind(ann: Api, calls: Calls) -> None:
    statuses = {
        name: ann.post("/api/tasks/", raw=raw, headers={"Content-Type": content_type}).status
        for name, (raw, content_type, _) in UNREADABLE.items()
    }
    assert statuses == {name: status for name, (_, _, status) in UNREADABLE.items()}
    assert calls == []


def test_a_body_of_64_kib_is_read(ann: Api) -> None:
    body = b'{"task_type":"sum","input_data":{"values":[1]},"x":"%s"}'
    raw = body % (b"x" * (65_536 - len(body) + 2))
    headers = {"Content-Type": "application/json"}
    assert len(raw) == 65_536
    assert ann.post("/api/tasks/", raw=raw, headers=headers).status == 201


def test_an_input_is_checked_when_it_comes_and_when_it_runs_and_not_when_it_is_shown(
    ann: Api, lambdas: Lambdas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_types, "_types", {**task_types._types})
    checked: list[str] = []

    def check(word: str) -> str:
        checked.append(word)
        return word

    class Input(TaskInput):
        word: Annotated[str, AfterValidator(check)]

    @task_type("checked", Input, progress=lambda _input, _run: {"done": 0})
    def _wait(_given: Input, run: Run) -> Snooze:
        return Snooze(run.now + timedelta(minutes=1))

    task = ann.created("checked", input_data={"word": "once"})
    assert checked == ["once"]
    lambdas.work_off()
    assert checked == ["once", "once"]
    assert ann.task(task["id"])["progress"] == {"done": 0}
    assert checked == ["once", "once"]
