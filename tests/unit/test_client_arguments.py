"""Words on the command line become the input that the JSON Schema of a type describes."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from chalicelib import task_types
from moscow_tasks.arguments import ArgumentError, parse, usages


class Page(BaseModel):
    url: str
    depth: int = 1
    ratio: float | None = None
    is_deep: bool = False
    labels: list[str] = []
    options: dict[str, Any] = {}
    extra: Any = None


class Nothing(BaseModel):
    pass


class Mode(BaseModel):
    mode: str

    model_config = {"json_schema_extra": {"properties": {"mode": {"enum": ["fast", "slow"]}}}}


SCHEMAS = {one.name: one.schema() for one in task_types.all_types()} | {
    "page": Page.model_json_schema(),
    "nothing": Nothing.model_json_schema(),
    "mode": Mode.model_json_schema(),
}


def read(task_type: str, words: str | Sequence[str]) -> dict[str, Any]:
    return parse(SCHEMAS[task_type], words.split() if isinstance(words, str) else words)


@pytest.mark.parametrize(
    ("task_type", "words", "expected"),
    [
        ("sum", "1 2 3 10", {"values": [1, 2, 3, 10]}),
        ("sum", "-5 0.10 1e400", {"values": [-5, Decimal("0.10"), Decimal("1e400")]}),
        ("sum", "values=1 values=2", {"values": [1, 2]}),
        ("sum", "values=[1,2]", {"values": [1, 2]}),
        ("sum", "a=1 b=2.5", {"a": 1, "b": Decimal("2.5")}),
        ("sum", "b=2 a=1", {"a": 1, "b": 2}),
        ("countdown", "seconds=30", {"seconds": 30}),
        ("countdown", "30", {"seconds": 30}),
        ("nothing", "", {}),
        ("mode", "slow", {"mode": "slow"}),
        ("page", "url=http://a.test/?q=1", {"url": "http://a.test/?q=1"}),
        ("page", "url=true x y", {"url": "true", "labels": ["x", "y"]}),
        ("page", "url=a is_deep=true depth=3", {"url": "a", "is_deep": True, "depth": 3}),
        ("page", "url=a ratio=null", {"url": "a", "ratio": None}),
        ("page", "url=a ratio=0.25", {"url": "a", "ratio": Decimal("0.25")}),
        ("page", 'url=a options={"a":0.1}', {"url": "a", "options": {"a": Decimal("0.1")}}),
        ("page", 'url=a labels=["x"]', {"url": "a", "labels": ["x"]}),
        ("page", "url=a extra=5", {"url": "a", "extra": 5}),
        ("page", "url=a extra=five", {"url": "a", "extra": "five"}),
    ],
)
def test_words_are_read_by_the_schema(task_type: str, words: str, expected: dict[str, Any]) -> None:
    # As text: True is no 1, and 0.10 is no 0.1.
    found = {name: repr(value) for name, value in read(task_type, words).items()}
    assert found == {name: repr(value) for name, value in expected.items()}


def test_numbers_keep_every_digit() -> None:
    digits = "1" * 5000
    assert read("sum", [digits]) == {"values": [Decimal(digits)]}
    assert str(read("sum", ["0.1000"])["values"][0]) == "0.1000"


@pytest.mark.parametrize(
    ("task_type", "words", "message"),
    [
        ("countdown", "secnds=5", 'There is no field "secnds". Did you mean "seconds"?'),
        ("countdown", "x=5", 'There is no field "x". The fields are seconds.'),
        ("sum", "1e9999999999999999999", 'values takes number, not "1e9999999999999999999".'),
        ("nothing", "x=5", 'There is no field "x". This type takes no fields.'),
        ("countdown", "seconds=soon", 'seconds takes integer, not "soon".'),
        ("countdown", "seconds=true", 'seconds takes integer, not "true".'),
        ("countdown", "seconds=1_000", 'seconds takes integer, not "1_000".'),
        ("countdown", "seconds=NaN", 'seconds takes integer, not "NaN".'),
        ("countdown", "seconds=1 seconds=2", "seconds is given 2 times."),
        ("countdown", "", "seconds is missing: write seconds=INTEGER"),
        ("countdown", "1 2", "There are too many values: the fields are seconds."),
        ("nothing", "1", "There are too many values: this type takes no fields."),
        ("countdown", "--wiat", 'There is no option "--wiat".'),
        ("sum", "1 two", 'values takes number, not "two".'),
        ("sum", "a=1 values=2", "a and values cannot go together: the fields are values, a, b."),
        ("sum", "a=1", "b is missing: write a=NUMBER b=NUMBER"),
        ("sum", "", "values is missing: write NUMBER..."),
        ("mode", "medium", 'mode is one of fast, slow, not "medium".'),
        ("page", "url=a is_deep=yes", 'is_deep takes boolean, not "yes".'),
        ("page", "url=a ratio=big", 'ratio takes number, not "big".'),
    ],
)
def test_an_error_says_what_is_wrong(task_type: str, words: str, message: str) -> None:
    with pytest.raises(ArgumentError) as raised:
        read(task_type, words)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("task_type", "expected"),
    [
        ("sum", ["NUMBER...", "a=NUMBER b=NUMBER"]),
        ("countdown", ["seconds=INTEGER"]),
        ("nothing", [""]),
        ("mode", ["mode=fast|slow"]),
        (
            "page",
            [
                "url=STRING [depth=INTEGER] [ratio=NUMBER] [is_deep=BOOLEAN] [STRING...] "
                "[options=OBJECT] [extra=VALUE]"
            ],
        ),
    ],
)
def test_the_usage_of_a_type_comes_from_its_schema(task_type: str, expected: list[str]) -> None:
    assert usages(SCHEMAS[task_type]) == expected
