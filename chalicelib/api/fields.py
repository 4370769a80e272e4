"""Pydantic's findings, in the words of Django REST framework."""

from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from chalicelib.api.call import type_name
from chalicelib.errors import InvalidFields

REQUIRED = "This field is required."
NULL = "This field may not be null."

# By pydantic's error type; {} is filled in from the context of the error.
_WORDS = {
    "missing": REQUIRED,
    "string_type": "Not a valid string.",
    "int_type": "A valid integer is required.",
    "float_type": "A valid number is required.",
    "decimal_type": "A valid number is required.",
    "bool_type": "Must be a valid boolean.",
    "greater_than_equal": "Ensure this value is greater than or equal to {ge}.",
    "less_than_equal": "Ensure this value is less than or equal to {le}.",
    "string_too_long": "Ensure this field has no more than {max_length} characters.",
    "string_too_short": "Ensure this field has at least {min_length} characters.",
    "too_long": "Ensure this field has no more than {max_length} elements.",
    "too_short": "Ensure this field has at least {min_length} elements.",
    "list_type": 'Expected a list of items but got type "{input_type}".',
    "dict_type": 'Expected a dictionary of items but got type "{input_type}".',
    "model_type": 'Expected a dictionary of items but got type "{input_type}".',
    "extra_forbidden": "Unknown field.",
}


class Reasons(ValueError):
    """Raised by a validator that has several reasons; with one, ValueError will do."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons


def _check_text(value: str) -> str:
    value = value.strip()
    if not value:
        raise ValueError("This field may not be blank.")
    if "\x00" in value:
        raise ValueError("Null characters are not allowed.")
    return value


def example(value: Any) -> ConfigDict:
    """Return the configuration of a model with an example for its JSON Schema."""
    return ConfigDict(json_schema_extra={"examples": [value]})


def described(**schema: Any) -> Any:
    """Add to the JSON Schema of a field what its validators check."""
    return Field(json_schema_extra=schema)


#: White space for a regular expression's [...]: what str.strip() removes. Outside of Python, `\s`
#: is less than that.
SPACE = r"\s\x1c-\x1f\x85"

#: A string, trimmed and checked as DRF's CharField does.
Text = Annotated[
    str,
    Field(strict=True),
    AfterValidator(_check_text),
    described(pattern=rf"^[^\x00]*[^\x00{SPACE}][^\x00]*$"),
]


def explain(error: ValidationError) -> dict[str, Any]:
    """Return the list of reasons for each invalid field, nested as the input is.

    A fault inside a list counts against the list; the reason begins with its position,
    counted from 0.
    """
    fields: dict[str, Any] = {}
    for fault in error.errors(include_url=False):
        names = [part for part in fault["loc"] if isinstance(part, str)]
        positions = [str(part) for part in fault["loc"] if isinstance(part, int)]
        place = fields
        for name in names[:-1]:
            place = place.setdefault(name, {})
        prefix = f"Item {'.'.join(positions)}: " if positions else ""
        reasons = place.setdefault(names[-1], [])
        reasons += [prefix + reason for reason in _reasons(fault)]
    return fields


def _reasons(fault: Any) -> list[str]:
    context = fault.get("ctx", {})
    if fault["input"] is None and fault["type"] != "missing":
        return [NULL]
    if fault["type"] == "value_error":
        raised = context["error"]
        return raised.reasons if isinstance(raised, Reasons) else [str(raised)]
    words = _WORDS.get(fault["type"])
    if words is None:
        return [fault["msg"]]
    return [words.format(**context | {"input_type": type_name(fault["input"])})]


_M = TypeVar("_M", bound=BaseModel)


def read(model: type[_M], body: object, context: dict[str, Any] | None = None) -> _M:
    """Return a body as a model; validators get `context`. Raises InvalidFields."""
    try:
        return model.model_validate(body, context=context)
    except ValidationError as error:
        raise InvalidFields(explain(error)) from None
