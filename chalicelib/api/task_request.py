"""A request to create a task, checked against its type, with its time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import (
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from chalicelib import exact_json, task_types, times
from chalicelib.lazy_model import LazyModel
from chalicelib.task_types import TaskType
from chalicelib.tasks import MAX_AHEAD, check_scheduled_at

_WRONG_FORMAT = (
    "Datetime has wrong format. Use one of these formats instead: "
    "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)
_TIME_PATTERN = (
    "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    "([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]+)?)?"
    "(Z|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])?)?$"
)


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


class TaskRequest(LazyModel):
    """A task to create. Reading one takes the context `now`, an aware datetime."""

    task_type: Annotated[TaskType, PlainValidator(_read_type), WithJsonSchema({"type": "string"})]
    input_data: dict[str, Any]
    scheduled_at: Annotated[
        datetime | None, PlainValidator(_read_time), WithJsonSchema({"type": ["string", "null"]})
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


def describe_types(schemas: dict[str, Any], ref_template: str, now: datetime) -> None:
    """Add what every task type takes to OpenAPI's schemas, and let TaskRequest be one of them.

    It is done by hand since types may be registered after this model was built.
    """
    time = {"$ref": ref_template.format(model="ScheduledAt")}
    requests = {}
    for task_type in task_types.all_types():
        input_name, request_name = f"{task_type.name}_input", f"{task_type.name}_request"
        input_ref, requests[task_type.name] = (
            ref_template.format(model=name) for name in (input_name, request_name)
        )
        schema = task_type.schema(f"{input_ref}/$defs/{{model}}")
        forms = _forms(schema)
        for form in forms:
            form.setdefault("properties", {})["scheduled_at"] = time | {"deprecated": True}
        schemas[input_name] = schema | {"title": input_name}
        schemas[request_name] = {
            "title": request_name,
            "description": task_type.description,
            "type": "object",
            "properties": {
                "task_type": {"type": "string", "const": task_type.name},
                "input_data": {"$ref": input_ref},
                "scheduled_at": time,
            },
            "required": ["task_type", "input_data"],
            "examples": [
                {"task_type": task_type.name, "input_data": example}
                for form in forms
                for example in form.get("examples", ())
            ],
        }
    schemas["ScheduledAt"] = _describe_time(now)
    schemas["TaskRequest"] = {
        "title": "TaskRequest",
        "description": "A task to create.",
        "oneOf": [{"$ref": ref} for ref in requests.values()],
        "discriminator": {"propertyName": "task_type", "mapping": requests},
    }


def _forms(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the objects that a type's schema lets `input_data` be."""
    definitions = schema.get("$defs", {})
    alternatives = schema.get("anyOf") or schema.get("oneOf") or [schema]
    return [definitions.get(one.get("$ref", "").rpartition("/")[2], one) for one in alternatives]


def _describe_time(now: datetime) -> dict[str, Any]:
    soon = (now + timedelta(days=30)).replace(hour=12, minute=30, second=0, microsecond=0)
    in_moscow = soon.astimezone(times.ZONE).strftime("%Y-%m-%d %H:%M:%S")
    return {
        "type": ["string", "null"],
        "pattern": _TIME_PATTERN,
        "examples": [in_moscow, f"{soon:%Y-%m-%dT%H:%M:%SZ}", None],
        "description": (
            "When to start: in Moscow time unless it has an offset, not in the past, at most "
            f"{MAX_AHEAD.days} days ahead. Missing or null: at once."
        ),
    }
