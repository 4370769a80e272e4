"""The OpenAPI 3.1 document, made from the routes and their models."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, RootModel
from pydantic.json_schema import models_json_schema

from chalicelib.api import routing
from chalicelib.api.errors import ANSWERS
from chalicelib.api.routing import Route
from chalicelib.api.task_request import TaskRequest, describe_types
from chalicelib.errors import ServiceError

_REF = "#/components/schemas/{model}"


class Error(BaseModel):
    """Any error but invalid fields."""

    detail: str
    code: str


class Fields(RootModel[dict[str, Any]]):
    """Reasons by field (`non_field_errors` for none), or an Error."""


def document(server: str) -> dict[str, Any]:
    """Return the document for clients that reach the service at this base URL."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Asynchronous tasks",
            "version": "1.0.0",
            "description": "Create tasks that run at once or at a time in Moscow.",
        },
        "servers": [{"url": server}],
        "paths": {
            _path(path): {
                method.lower(): _operation(path, route) for method, route in methods.items()
            }
            for path, methods in routing.routes.items()
        },
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
    }


def _path(path: str) -> str:
    """Return a path as clients write it: only a file has no trailing slash."""
    return path if "." in path else path + "/"


def _operation(path: str, route: Route) -> dict[str, Any]:
    responses = {
        str(status): _response(model, _doc(model) if model else HTTPStatus(status).phrase)
        for status, model in route.answers.items()
    }
    operation: dict[str, Any] = {
        "summary": route.summary,
        "responses": responses | _error_responses(route.errors),
    }
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", path)
    ]
    if parameters := [*in_path, *route.parameters]:
        operation["parameters"] = parameters
    if route.body:
        operation["requestBody"] = {"required": True, "content": _content(route.body)}
    if not route.is_public:
        operation["security"] = [{"bearer": []}]
    return operation


def _error_responses(errors: Sequence[type[ServiceError]]) -> dict[str, Any]:
    """Return one response per status; it names every error that has the status."""
    descriptions: dict[int, list[str]] = {}
    for error in errors:
        descriptions.setdefault(ANSWERS[error][0], []).append(_doc(error))
    return {
        str(status): _response(Fields if status == 400 else Error, "\n".join(texts))
        for status, texts in sorted(descriptions.items())
    }


def _response(model: type[BaseModel] | None, description: str) -> dict[str, Any]:
    response: dict[str, Any] = {"description": description}
    return response | {"content": _content(model)} if model else response


def _content(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}}


def _schemas() -> dict[str, Any]:
    described = [route for methods in routing.routes.values() for route in methods.values()]
    read = {route.body for route in described if route.body}
    written = {model for route in described for model in route.answers.values() if model}
    models = [(model, "validation") for model in (*read, TaskRequest)]
    models += [(model, "serialization") for model in (*written, Error, Fields)]
    _, definitions = models_json_schema(models, ref_template=_REF)  # type: ignore[arg-type]
    schemas: dict[str, Any] = dict(sorted(definitions["$defs"].items()))
    describe_types(schemas, _REF)
    return schemas


def _doc(thing: type) -> str:
    return (thing.__doc__ or "").strip().partition("\n")[0]
