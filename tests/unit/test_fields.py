"""What a client reads about an invalid field."""

from typing import Annotated

import pytest
from pydantic import AfterValidator, BaseModel

from chalicelib.api.fields import Reasons, read
from chalicelib.errors import InvalidFields


def _refuse_odd(number: int) -> int:
    if number % 2:
        raise ValueError("Give an even number.")
    return number


def _refuse_all(text: str) -> str:
    raise Reasons(["Too plain.", "Too {blue}."])


class Model(BaseModel):
    number: Annotated[int, AfterValidator(_refuse_odd)] = 0
    numbers: list[Annotated[int, AfterValidator(_refuse_odd)]] = []
    text: Annotated[str, AfterValidator(_refuse_all)] = ""


def faults(body: object) -> dict[str, object]:
    with pytest.raises(InvalidFields) as caught:
        read(Model, body)
    return caught.value.fields


def test_a_validators_own_words_are_the_reason() -> None:
    assert faults({"number": 1}) == {"number": ["Give an even number."]}


def test_a_validator_may_have_several_reasons() -> None:
    assert faults({"text": "x"}) == {"text": ["Too plain.", "Too {blue}."]}


def test_a_fault_inside_a_list_says_where_it_is() -> None:
    assert faults({"numbers": [2, 3]}) == {"numbers": ["Item 1: Give an even number."]}


def test_null_is_null_whatever_the_validator_would_say() -> None:
    assert faults({"number": None}) == {"number": ["This field may not be null."]}
