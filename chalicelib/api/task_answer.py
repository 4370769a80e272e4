"""A task as its owner sees it: each field is written once, for the answer and for OpenAPI."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from aws_lambda_powertools import Logger
from pydantic import Field, PlainSerializer, WithJsonSchema

from chalicelib import exact_json, logs, models, task_types, times
from chalicelib.api.fields import example
from chalicelib.lazy_model import LazyModel
from chalicelib.lifecycle import Status
from chalicelib.models import events
from chalicelib.task_types import Run

log = Logger(service="tasks", child=True)

_ERROR_SCHEMA = {
    "type": ["object", "null"],
    "properties": {"code": {"type": "string"}, "detail": {"type": "string"}},
    "required": ["code", "detail"],
}
_EVENT_SCHEMA = {
    "type": "object",
    "properties": {
        "at": {"type": "string", "format": "date-time"},
        "event": {"type": "string", "enum": list(events.NAMES)},
        "attempt": {"type": "integer", "minimum": 1},
        "code": {"type": "string"},
        "next_try_at": {"type": ["string", "null"], "format": "date-time"},
        "until": {"type": "string", "format": "date-time"},
        "status": {"type": "string", "enum": list(Status)},
    },
    "required": ["at", "event"],
}

#: Goes out in Moscow time.
Time = Annotated[
    datetime,
    PlainSerializer(times.show),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
#: JSON text as the row has it, which goes out as it is.
Json = Annotated[str, PlainSerializer(exact_json.Raw, return_type=Any)]


#: A `sum` that has ended.
EXAMPLE = {
    "id": "019c1d94-8a80-7000-8000-000000000000",
    "task_type": "sum",
    "input_data": {"values": [1, 2, 3, 10]},
    "status": "success",
    "result": 16,
    "error": None,
    "attempts": 1,
    "scheduled_at": None,
    "created_at": "2026-02-02T12:00:00.123456+03:00",
    "started_at": "2026-02-02T12:00:00.234567+03:00",
    "finished_at": "2026-02-02T12:00:00.345678+03:00",
}
_HISTORY = [
    {"at": EXAMPLE["created_at"], "event": "created"},
    {"at": EXAMPLE["started_at"], "event": "started", "attempt": 1},
    {"at": EXAMPLE["finished_at"], "event": "finished", "status": "success"},
]


class Task(LazyModel):
    """The task."""

    # Each field is the attribute of the row with its name, if it has no alias.
    model_config = example(EXAMPLE)

    id: Annotated[
        str, Field(validation_alias="task_id"), WithJsonSchema({"type": "string", "format": "uuid"})
    ]
    task_type: str
    input_data: Annotated[Json, WithJsonSchema({"type": "object"})]
    status: Annotated[str, WithJsonSchema({"type": "string", "enum": list(Status)})]
    result: Annotated[Json | None, WithJsonSchema({})]
    error: Annotated[Json | None, WithJsonSchema(_ERROR_SCHEMA)]
    attempts: Annotated[int, Field(ge=0)]
    scheduled_at: Time | None
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    #: Only while a task runs whose type reports progress.
    progress: Annotated[
        Mapping[str, Any] | None,
        Field(default_factory=lambda: None, exclude_if=lambda value: value is None),
        WithJsonSchema({"type": "object"}),
    ]


#: What a row does not have is not among its values.
_NO_VALUES = dict.fromkeys(models.Task.get_attributes())


class TaskDetail(Task):
    """The task, in detail."""

    model_config = example(EXAMPLE | {"events": _HISTORY})

    #: What happened to it, oldest first.
    events: Annotated[
        list[dict[str, Any]],
        Field(validation_alias="history"),
        WithJsonSchema({"type": "array", "items": _EVENT_SCHEMA, "maxItems": events.MAX_EVENTS}),
    ]


def serialize(task: models.Task, now: datetime, *, detail: bool = False) -> dict[str, Any]:
    """Return a task as JSON for its owner; `detail` adds the fields of TaskDetail."""
    fields = _NO_VALUES | task.attribute_values
    fields |= {"task_id": task.task_id, "progress": _progress(task, now)}
    if detail:
        fields["history"] = task.history
    return (TaskDetail if detail else Task).model_validate(fields).model_dump()


def _progress(task: models.Task, now: datetime) -> Mapping[str, Any] | None:
    task_type = task_types.get(task.task_type)
    if task.status != Status.STARTED or not task.started_at:
        return None
    if task_type is None or task_type.progress is None:
        return None
    try:
        input_data = exact_json.loads(task.input_data)
        # It may have started after `now` was read, or on a machine whose clock is ahead.
        run = Run(started_at=task.started_at, now=max(now, task.started_at))
        return task_type.progress(input_data, run)
    except Exception as error:
        # The type may have changed since the task was created; the task is shown all the same.
        log.error("progress_failed", task_id=task.task_id, **logs.exception_keys(error))
        return None
