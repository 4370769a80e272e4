"""The routes about the service itself: task types, health, the OpenAPI document."""

from typing import Any, Literal

from aws_lambda_powertools import Logger
from chalice import Response
from pydantic import RootModel

from chalicelib import dispatch, errors, logs, models, task_types
from chalicelib.api import openapi
from chalicelib.api.answers import answer
from chalicelib.api.call import Call
from chalicelib.api.fields import example
from chalicelib.api.routing import route
from chalicelib.lazy_model import LazyModel

log = Logger(service="tasks", child=True)


_COUNTDOWN = {
    "task_type": "countdown",
    "description": "Waits for 0 to 86,400 seconds.",
    "input_schema": {
        "type": "object",
        "properties": {"seconds": {"type": "integer", "minimum": 0, "maximum": 86_400}},
        "required": ["seconds"],
        "additionalProperties": False,
    },
}


class TaskType(LazyModel):
    """A kind of task."""

    task_type: str
    description: str
    #: JSON Schema (2020-12) of `input_data`.
    input_schema: dict[str, Any]

    model_config = example(_COUNTDOWN)


class TaskTypes(LazyModel, RootModel[list[TaskType]]):
    """All task types, by name."""

    model_config = example([_COUNTDOWN])


class Health(LazyModel):
    """The table and the queue answer."""

    status: Literal["ok"] = "ok"

    model_config = example({"status": "ok"})


class Document(LazyModel, RootModel[dict[str, Any]]):
    """An OpenAPI 3.1 document."""

    model_config = example({"openapi": "3.1.0", "info": {}, "paths": {}})


@route(
    "GET",
    "/api/task-types",
    summary="List the task types",
    answers={200: TaskTypes},
    is_public=True,
)
def list_task_types(call: Call) -> Response:
    return answer(
        TaskTypes(
            [
                TaskType(
                    task_type=task_type.name,
                    description=task_type.description,
                    input_schema=task_type.schema(),
                )
                for task_type in task_types.all_types()
            ]
        )
    )


@route(
    "GET",
    "/api/health",
    summary="Tell whether the service works",
    answers={200: Health},
    is_public=True,
)
def show_health(call: Call) -> Response:
    try:
        models.check_health()
        dispatch.check_health()
    except Exception as error:
        # A missing right is as fatal as an outage, so every error counts.
        log.error("health_check_failed", **logs.exception_keys(error))
        raise errors.Unavailable from error
    return answer(Health())


@route(
    "GET",
    "/api/openapi.json",
    summary="Return this document",
    answers={200: Document},
    is_public=True,
)
def show_openapi(call: Call) -> Response:
    return answer(openapi.document(call.url.removesuffix("/api/openapi.json/"), call.now))
