"""The OpenAPI 3.1 document, made from the models that check the input."""

from typing import Any

from pydantic.json_schema import models_json_schema

from chalicelib import errors, task_types
from chalicelib.api import accounts, tasks
from chalicelib.lifecycle import Status

_REF = "#/components/schemas/{model}"
_TIME = {"type": "string", "format": "date-time"}
_NO_TIME = {"type": ["string", "null"], "format": "date-time"}
_TEXT = {"type": "string"}


def document(server: str) -> dict[str, Any]:
    """Return the document for clients that reach the service at this base URL."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Asynchronous tasks",
            "version": "1.0.0",
            "description": "Hand over tasks, to run at once or at a time in Moscow.",
        },
        "servers": [{"url": server}],
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
    }


def _paths() -> dict[str, Any]:
    task_id = {"name": "task_id", "in": "path", "required": True, "schema": _TEXT}
    key = _header("Idempotency-Key", {"type": "string", "minLength": 1, "maxLength": 255})
    if_none_match = _header("If-None-Match", _TEXT)
    status = _query("status", {"enum": list(Status)})
    page = _query("page", _TEXT, "A number from 1, or `last`.")
    cursor = _query("cursor", _TEXT, "Taken from `next` and `previous`.")
    task = _response("The task.", _ref("Task"))
    pair = _response("The tokens.", _ref("TokenPair"))
    empty = _response("Done.", {"type": "object"})
    return {
        "/api/register/": {
            "post": _operation(
                "Register",
                {"201": _response("The account.", _ref("Account"))},
                [400, 413, 415],
                body="Registration",
            )
        },
        "/api/token/": {
            "post": _operation(
                "Sign in", {"200": pair}, [400, 401, 413, 415, 429], body="Credentials"
            )
        },
        "/api/token/refresh/": {
            "post": _operation(
                "Exchange a refresh token for new tokens",
                {"200": pair},
                [400, 401, 413, 415],
                body="RefreshToken",
            )
        },
        "/api/token/verify/": {
            "post": _operation(
                "Check a token", {"200": empty}, [400, 401, 413, 415], body="AnyToken"
            )
        },
        "/api/token/blacklist/": {
            "post": _operation(
                "Sign out", {"200": empty}, [400, 401, 413, 415], body="RefreshToken"
            )
        },
        "/api/tasks/": {
            "get": _operation(
                "List tasks, newest first",
                {"200": _response("A page.", _ref("TaskPage"))},
                [400, 401, 404],
                parameters=[status, page, cursor],
                is_public=False,
            ),
            "post": _operation(
                "Create a task",
                {"201": task},
                [400, 401, 413, 415, 422, 429],
                body="TaskRequest",
                parameters=[key],
                is_public=False,
            ),
        },
        "/api/tasks/{task_id}/": {
            "get": _operation(
                "Show a task",
                {"200": task, "304": {"description": "It is as If-None-Match says."}},
                [401, 404],
                parameters=[task_id, if_none_match],
                is_public=False,
            )
        },
        "/api/tasks/{task_id}/cancel/": {
            "post": _operation(
                "Cancel a task",
                {"200": task},
                [401, 404, 409],
                parameters=[task_id],
                is_public=False,
            )
        },
        "/api/task-types/": {
            "get": _operation(
                "List the task types",
                {"200": _response("All types.", {"type": "array", "items": _ref("TaskType")})},
            )
        },
        "/api/health/": {"get": _operation("Tell whether the service works", {"200": empty})},
        "/api/openapi.json": {
            "get": _operation("This document", {"200": _response("It.", {"type": "object"})})
        },
    }


def _operation(
    summary: str,
    success: dict[str, Any],
    faults: list[int] | None = None,
    *,
    body: str | None = None,
    parameters: list[Any] | None = None,
    is_public: bool = True,
) -> dict[str, Any]:
    responses = success | {
        str(status): _response(_NAMES[status], _ref("Fields" if status == 400 else "Error"))
        for status in [*(faults or []), 503]
    }
    operation: dict[str, Any] = {"summary": summary, "responses": responses}
    if parameters:
        operation["parameters"] = parameters
    if body:
        content = {"application/json": {"schema": _ref(body)}}
        operation["requestBody"] = {"required": True, "content": content}
    if not is_public:
        operation["security"] = [{"bearer": []}]
    return operation


_NAMES = {
    400: "The request is not valid.",
    401: "The token or the credentials are not good.",
    404: "There is no such thing.",
    409: "The task has already finished; it comes along under `task`.",
    413: "The body is larger than 64 KiB.",
    415: "The body is not JSON.",
    422: "The Idempotency-Key was used with another body.",
    429: "Too many active tasks, or too many failed sign-ins.",
    503: "A dependency is down; try again after Retry-After.",
}


def _schemas() -> dict[str, Any]:
    models = [(model, "validation") for model in (*accounts.schemas(), tasks.TaskRequest)]
    _, definitions = models_json_schema(models, ref_template=_REF)  # type: ignore[arg-type]
    schemas: dict[str, Any] = dict(definitions["$defs"])
    time = schemas["TaskRequest"]["properties"]["scheduled_at"]
    inputs = []
    for task_type in task_types.all_types():
        name = f"{task_type.name}_input"
        schema = task_type.schema(f"#/components/schemas/{name}/$defs/{{model}}")
        for form in (schema, *schema.get("$defs", {}).values()):
            if "properties" in form:
                form["properties"]["scheduled_at"] = time | {"deprecated": True}
        schemas[name] = schema | {"title": name, "description": task_type.description}
        inputs.append(_ref(name))
    names = [task_type.name for task_type in task_types.all_types()]
    schemas["TaskRequest"]["properties"]["task_type"]["enum"] = names
    schemas["TaskRequest"]["properties"]["input_data"] = {"anyOf": inputs}
    return schemas | {
        "Account": _object({"id": _TEXT, "username": _TEXT}),
        "TokenPair": _object({"access": _TEXT, "refresh": _TEXT}),
        "Task": _object(
            {
                "id": {"type": "string", "format": "uuid"},
                "task_type": _TEXT,
                "input_data": {"type": "object"},
                "status": {"enum": list(Status)},
                "result": {},
                "error": {"anyOf": [_object({"code": _TEXT, "detail": _TEXT}), {"type": "null"}]},
                "attempts": {"type": "integer"},
                "scheduled_at": _NO_TIME,
                "created_at": _TIME,
                "started_at": _NO_TIME,
                "finished_at": _NO_TIME,
                "progress": {"type": "object"},
            },
            optional={"progress"},
        ),
        "TaskPage": _object(
            {
                "count": {"type": "integer"},
                "next": {"type": ["string", "null"], "format": "uri"},
                "previous": {"type": ["string", "null"], "format": "uri"},
                "results": {"type": "array", "items": _ref("Task")},
            }
        ),
        "TaskType": _object(
            {"task_type": _TEXT, "description": _TEXT, "input_schema": {"type": "object"}}
        ),
        "Error": _object({"detail": _TEXT, "code": _TEXT}),
        "Fields": {
            "type": "object",
            "description": f"Reasons by field ({errors.NON_FIELD} for none), or an Error.",
        },
    }


def _object(properties: dict[str, Any], optional: set[str] | None = None) -> dict[str, Any]:
    required = [name for name in properties if name not in (optional or set())]
    return {"type": "object", "properties": properties, "required": required}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": _REF.format(model=name)}


def _response(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _header(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "schema": schema}


def _query(name: str, schema: dict[str, Any], description: str = "") -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": description}
