"""The routes about the service itself: task types, health, the OpenAPI document."""

from aws_lambda_powertools import Logger
from chalice import Blueprint, Response

from chalicelib import dispatch, errors, models, task_types
from chalicelib.api import openapi
from chalicelib.api.endpoint import Call, answer, resource

log = Logger(service="tasks", child=True)


def blueprint() -> Blueprint:
    routes = Blueprint(__name__)
    resource(routes, "/api/task-types", get=_task_types, public=True)
    resource(routes, "/api/health", get=_health, public=True)
    resource(routes, "/api/openapi.json", get=_openapi, public=True)
    return routes


def _task_types(call: Call) -> Response:
    return answer(
        [
            {
                "task_type": task_type.name,
                "description": task_type.description,
                "input_schema": task_type.schema(),
            }
            for task_type in task_types.all_types()
        ]
    )


def _health(call: Call) -> Response:
    try:
        models.check_health()
        dispatch.check_health()
    except Exception as error:
        # Whatever keeps the table or the queue from answering, the answer is the same.
        log.exception("not healthy")
        raise errors.Unavailable from error
    return answer({"status": "ok"})


def _openapi(call: Call) -> Response:
    return answer(openapi.document(call.url.removesuffix("/api/openapi.json/")))
