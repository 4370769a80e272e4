"""A request to create a task, checked against its type, with its time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from chalicelib import exact_json, task_types, times
from chalicelib.task_types import TaskType
from chalicelib.tasks import check_scheduled_at

_WRONG_FORMAT = (
    "Datetime has wrong format. Use one of these formats instead: "
    "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)
_TIME_SCHEMA = {
    "type": ["string", "null"],
    "examples": ["2030-02-20 15:30:00", "2030-02-20T12:30:00Z"],
    "description": "When to start; Moscow time unless it has an offset.",
}


@dataclass(frozen=True)
class _TwoTimes:
    """`scheduled_at` both at the top level and in `input_data`."""

    outer: object
    inner: object


def _read_type(value: object) -> TaskType:
    task_type = task_types.get(value) if isinstance(value, str) else None
    if task_type is None:
        text = value if isinstance(value, str) else exact_json.dumps(value)
        raise ValueError(f'"{text}" is not a valid choice.')
    return task_type


def _read_time(value: object, info: ValidationInfo) -> datetime | None:
    if isinstance(value, _TwoTimes):
        moment = _read_time(value.outer, info)
        if moment != _read_time(value.inner, info):
            raise ValueError("The request says two different times.")
        return moment
    if value is None:
        return None
    moment = _parse_time(value)
    check_scheduled_at(moment, (info.context or {})["now"])
    return moment


def _parse_time(value: object) -> datetime:
    if not isinstance(value, str):
        raise ValueError(_WRONG_FORMAT)
    try:
        return times.parse(value)
    except ValueError:
        raise ValueError(_WRONG_FORMAT) from None
    except OverflowError:
        raise ValueError("Datetime value out of range.") from None


class TaskRequest(BaseModel):
    """A task to create. Reading one takes the context `now`, an aware datetime."""

    task_type: Annotated[TaskType, PlainValidator(_read_type), WithJsonSchema({"type": "string"})]
    input_data: dict[str, Any]
    scheduled_at: Annotated[
        datetime | None, PlainValidator(_read_time), WithJsonSchema(_TIME_SCHEMA)
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _lift_scheduled_at(cls, body: Any) -> Any:
        """Take the time from `input_data`, where older clients send it."""
        input_data = body.get("input_data")
        if not isinstance(input_data, dict) or "scheduled_at" not in input_data:
            return body
        inner = input_data["scheduled_at"]
        time = _TwoTimes(body["scheduled_at"], inner) if "scheduled_at" in body else inner
        return body | {"scheduled_at": time}

    @field_validator("input_data")
    @classmethod
    def _check_input(cls, input_data: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        task_type: TaskType | None = info.data.get("task_type")
        if task_type:
            task_type.read(input_data)
        return input_data


def describe_types(schemas: dict[str, Any], ref_template: str) -> None:
    """Add the input of every task type to OpenAPI's schemas, and let TaskRequest take it.

    It is done by hand since types may be registered after this model was built.
    """
    types = {f"{task_type.name}_input": task_type for task_type in task_types.all_types()}
    for name, task_type in types.items():
        schema = task_type.schema(f"{ref_template.format(model=name)}/$defs/{{model}}")
        for form in (schema, *schema.get("$defs", {}).values()):
            if "properties" in form:
                form["properties"]["scheduled_at"] = _TIME_SCHEMA | {"deprecated": True}
        schemas[name] = schema | {"title": name, "description": task_type.description}
    request = schemas["TaskRequest"]["properties"]
    request["task_type"]["enum"] = [task_type.name for task_type in types.values()]
    request["input_data"] = {"anyOf": [{"$ref": ref_template.format(model=name)} for name in types]}
