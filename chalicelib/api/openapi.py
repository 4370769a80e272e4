"""The OpenAPI 3.1 document, made from the routes and their models."""

from collections.abc import Iterable
from datetime import datetime
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, RootModel
from pydantic.json_schema import models_json_schema

from chalicelib.api import middleware, routing
from chalicelib.api.errors import ANSWERS
from chalicelib.api.routing import Route
from chalicelib.api.task_request import TaskRequest, describe_types
from chalicelib.errors import InvalidFields, ServiceError

_SCHEMA = "#/components/schemas/{model}"

#: Errors that share a status.
Group = tuple[type[ServiceError], ...]


class Error(BaseModel):
    """What went wrong, in words and for programs."""

    detail: str
    code: str


class Reasons(RootModel["dict[str, list[str] | Reasons]"]):
    """The reasons for each invalid field, nested as the request is."""


def document(server: str, now: datetime) -> dict[str, Any]:
    """Return the document for clients that reach the service at this base URL.

    Its examples of times are ahead of `now`.
    """
    listed = {
        path: documented
        for path, methods in routing.routes.items()
        if (documented := {name: one for name, one in methods.items() if one.is_documented})
    }
    described = [route for methods in listed.values() for route in methods.values()]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Asynchronous tasks",
            "version": "1.0.0",
            "description": "Create tasks that run at once or at a time in Moscow.",
        },
        "servers": [{"url": server}],
        "paths": {
            _path(path): {method.lower(): _operation(route) for method, route in methods.items()}
            for path, methods in listed.items()
        },
        "components": {
            "schemas": _schemas(described, now),
            "responses": {
                _name(group): _error_response(group)
                for route in described
                for group in _by_status(route.errors).values()
            },
            "headers": {header.name: header.describe() for header in middleware.HEADERS},
            "parameters": {one["name"]: one for one in middleware.PARAMETERS},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
    }


def _path(path: str) -> str:
    """Return a path as clients write it: only a file has no trailing slash."""
    return path if "." in path else path + "/"


def _operation(route: Route) -> dict[str, Any]:
    area = route.handler.__module__.rpartition(".")[2]
    common = [_reference("parameters", one["name"]) for one in middleware.PARAMETERS]
    operation: dict[str, Any] = {
        "operationId": f"{area}_{route.handler.__name__.strip('_')}",
        "tags": [area],
        "summary": route.summary,
        "parameters": [*route.parameters, *common],
        "responses": {
            str(status): _success(route, status, model) for status, model in route.answers.items()
        }
        | {
            str(status): _reference("responses", _name(group))
            for status, group in sorted(_by_status(route.errors).items())
        },
    }
    if route.body:
        operation["requestBody"] = {"required": True, "content": _content(_schema(route.body))}
    if not route.is_public:
        operation["security"] = [{"bearer": []}]
    return operation


def _success(route: Route, status: int, model: type[BaseModel] | None) -> dict[str, Any]:
    own = {header.name: header.describe() for header in route.headers}
    response: dict[str, Any] = {
        "description": _doc(model) if model else HTTPStatus(status).phrase,
        "headers": own | _common_headers(),
    }
    if model:
        response["content"] = _content(_schema(model))
    if route.links:
        response["links"] = route.links
    return response


def _by_status(errors: Iterable[type[ServiceError]]) -> dict[int, Group]:
    groups: dict[int, Group] = {}
    for error in errors:
        status = ANSWERS[error].status
        groups[status] = (*groups.get(status, ()), error)
    return groups


def _name(group: Group) -> str:
    return "_".join(error.__name__ for error in group)


def _error_response(group: Group) -> dict[str, Any]:
    """Return the response to errors of one status; it names all of them."""
    own = {header.name: header.describe() for error in group if (header := ANSWERS[error].header)}
    return {
        "description": "\n".join(map(_doc, group)),
        "headers": own | _common_headers(),
        "content": _content(_error_schema(group)),
    }


def _error_schema(group: Group) -> dict[str, Any]:
    told = [error for error in group if error is not InvalidFields]
    code = {"code": {"enum": sorted({error.code for error in told})}}
    more = {name: schema for error in told for name, schema in ANSWERS[error].more.items()}
    error = _schema(Error) | {"properties": code | more}
    if not told:
        return _schema(Reasons)
    return error if InvalidFields not in group else {"anyOf": [_schema(Reasons), error]}


def _common_headers() -> dict[str, Any]:
    return {header.name: _reference("headers", header.name) for header in middleware.HEADERS}


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return _reference("schemas", model.__name__)


def _reference(kind: str, name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/{kind}/{name}"}


def _schemas(described: Iterable[Route], now: datetime) -> dict[str, Any]:
    read = {route.body for route in described if route.body}
    written = {model for route in described for model in route.answers.values() if model}
    models = [(model, "validation") for model in (*read, TaskRequest)]
    models += [(model, "serialization") for model in (*written, Error, Reasons)]
    _, definitions = models_json_schema(models, ref_template=_SCHEMA)  # type: ignore[arg-type]
    schemas: dict[str, Any] = dict(sorted(definitions["$defs"].items()))
    describe_types(schemas, _SCHEMA, now)
    return schemas


def _doc(thing: type) -> str:
    return (thing.__doc__ or "").strip().partition("\n")[0]
