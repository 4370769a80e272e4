"""The task type `sum`: adds numbers without losing a digit."""

from decimal import Context, Decimal, Inexact
from typing import Annotated, Any

from pydantic import ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from chalicelib.task_types import Run, TaskInput, task_type

#: The most digits that a number may have when it is written out in full.
MAX_DIGITS = 4000
#: The most numbers in one task.
MAX_VALUES = 1000

_TOO_LONG = 10**MAX_DIGITS
# A sum has at most MAX_DIGITS on each side of the point, plus the digits of MAX_VALUES.
_EXACT = Context(prec=2 * MAX_DIGITS + len(str(MAX_VALUES)), traps=[Inexact])


def _number(value: object) -> int | Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise PydanticCustomError("number", "A valid number is required.")
    if isinstance(value, int):
        too_long = abs(value) >= _TOO_LONG
    else:
        _, digits, exponent = value.as_tuple()
        too_long = max(len(digits) + int(exponent), 0) + max(-int(exponent), 0) > MAX_DIGITS
    if too_long:
        raise PydanticCustomError(
            "digits", f"Ensure that there are no more than {MAX_DIGITS} digits in total."
        )
    return value


Number = Annotated[
    int | Decimal,
    PlainValidator(_number),
    WithJsonSchema(
        {"type": "number", "description": f"Up to {MAX_DIGITS:,} digits, written out in full."}
    ),
]


class Values(TaskInput):
    """The numbers to add."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"values": [1, 2, 3, 10]}]})

    values: list[Number] = Field(min_length=1, max_length=MAX_VALUES)


class Pair(TaskInput):
    """Two numbers, the form that older clients send."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"a": 1, "b": 2}]})

    a: Number
    b: Number


def _read(input_data: Any) -> Values | Pair:
    return (Pair if {"a", "b"} & input_data.keys() else Values).model_validate(input_data)


Input = Annotated[Values | Pair, PlainValidator(_read, json_schema_input_type=Values | Pair)]


@task_type("sum", Input, inline=True)
def add(numbers: Values | Pair, run: Run) -> int | Decimal:
    """Adds 1 to 1,000 numbers in decimal arithmetic."""
    values = numbers.values if isinstance(numbers, Values) else [numbers.a, numbers.b]
    if all(isinstance(value, int) for value in values):
        return sum(values)
    total = Decimal()
    for value in values:
        total = _EXACT.add(total, value)
    return total
