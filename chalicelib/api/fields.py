"""What pydantic finds wrong, in the words of Django REST framework."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from chalicelib.api.endpoint import type_name
from chalicelib.errors import InvalidFields

REQUIRED = "This field is required."
NULL = "This field may not be null."

# By pydantic's type of the error; {} takes what comes in its context.
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


def explain(error: ValidationError) -> dict[str, Any]:
    """Return every invalid field with its reasons, nested as the input is.

    A fault within a list is a reason of the list, with the position from 0 in front.
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
    if "reasons" in context:
        return list(context["reasons"])
    if fault["input"] is None and fault["type"] != "missing":
        return [NULL]
    words = _WORDS.get(fault["type"])
    if words is None:
        return [fault["msg"]]
    return [words.format(**context | {"input_type": type_name(fault["input"])})]


_M = TypeVar("_M", bound=BaseModel)


def read(model: type[_M], body: object, context: dict[str, Any] | None = None) -> _M:
    """Check a body against a model. Raises InvalidFields that names every fault."""
    try:
        return model.model_validate(body, context=context)
    except ValidationError as error:
        raise InvalidFields(explain(error)) from None
