"""The service about itself: task types, health and the OpenAPI document."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from openapi_spec_validator import validate

from app import app
from chalicelib.errors import TaskError
from chalicelib.lifecycle import Status
from tests.aws_calls import Calls
from tests.drivers import Api, Lambdas
from tests.integration.tools import (
    OUTAGE,
    Define,
    Fail,
    document,
    doing,
    refusal,
    validator,
    without_events,
)


def test_the_task_types_are_listed_with_their_schemas(api: Api) -> None:
    answer = api.get("/api/task-types/")
    assert answer.status == 200
    fields = {tuple(one) for one in answer.json}
    assert fields == {("task_type", "description", "input_schema")}
    names = [one["task_type"] for one in answer.json]
    assert {"countdown", "sum"} <= set(names)
    assert names == sorted(names)
    assert all(one["description"] for one in answer.json)
    assert api.get("/api/task-types").text == answer.text


VALID: list[tuple[str, dict[str, Any]]] = [
    ("sum", {"values": [1, 2.5, -3]}),
    ("sum", {"values": [0] * 1000}),
    ("sum", {"a": 1, "b": 2}),
    ("countdown", {"seconds": 0}),
    ("countdown", {"seconds": 86_400}),
]
INVALID: list[tuple[str, dict[str, Any]]] = [
    ("sum", {}),
    ("sum", {"values": []}),
    ("sum", {"values": ["1"]}),
    ("sum", {"values": [True]}),
    ("sum", {"values": [1], "x": 1}),
    ("sum", {"values": [0] * 1001}),
    ("sum", {"a": 1}),
    ("sum", {"a": 1, "b": "2"}),
    ("sum", {"a": 1, "b": 2, "values": [1]}),
    ("countdown", {}),
    ("countdown", {"seconds": -1}),
    ("countdown", {"seconds": 1.5}),
    ("countdown", {"seconds": 86_401}),
    ("countdown", {"seconds": "1"}),
    ("countdown", {"seconds": True}),
    ("countdown", {"seconds": 1, "x": 1}),
]


def test_a_types_schema_accepts_what_the_service_accepts(ann: Api) -> None:
    schemas = {one["task_type"]: one["input_schema"] for one in ann.get("/api/task-types/").json}
    for task_type, input_data in VALID:
        Draft202012Validator(schemas[task_type]).validate(input_data)
        assert ann.create(task_type, input_data=input_data).status == 201


def test_a_types_schema_refuses_what_the_service_refuses(ann: Api) -> None:
    schemas = {one["task_type"]: one["input_schema"] for one in ann.get("/api/task-types/").json}
    for task_type, input_data in INVALID:
        assert not Draft202012Validator(schemas[task_type]).is_valid(input_data), input_data
        assert ann.create(task_type, input_data=input_data).status == 400


def test_health_asks_the_table_and_the_queue(api: Api, calls: Calls) -> None:
    answer = api.get("/api/health/")
    assert (answer.status, answer.json) == (200, {"status": "ok"})
    assert calls.operations == ["GetItem", "GetQueueAttributes"]


@pytest.mark.parametrize("operation", ["GetItem", "GetQueueAttributes"])
@pytest.mark.parametrize(
    "error",
    [OUTAGE, refusal("ResourceNotFoundException"), refusal("AccessDeniedException")],
    ids=["outage", "gone", "refused"],
)
def test_health_is_a_503_when_the_table_or_the_queue_does_not_answer(
    api: Api, fail: Fail, operation: str, error: Exception
) -> None:
    fail(operation, error)
    answer = api.get("/api/health/")
    assert (answer.status, answer.json["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "1"
    assert "aws" not in answer.text


@pytest.mark.parametrize("path", ["/api/task-types/", "/api/health/", "/api/openapi.json"])
def test_a_token_is_neither_needed_nor_read(api: Api, path: str) -> None:
    assert api.get(path).status == 200
    assert api.get(path, headers={"Authorization": "Bearer x"}).status == 200


def test_the_document_is_valid_openapi_31(api: Api) -> None:
    found = document(api)
    assert found["openapi"].startswith("3.1.")
    validate(found)


def test_the_document_has_exactly_the_routes_of_the_app(api: Api) -> None:
    api_routes = {path.rstrip("/") for path in app.routes if path.startswith("/api/")}
    routes = {path for path in api_routes if not path.startswith("/api/docs")}
    documented = {path.rstrip("/") for path in document(api)["paths"]}
    assert documented == routes


def test_the_document_has_every_method_of_every_route(api: Api, ann: Api) -> None:
    for path, operations in document(api)["paths"].items():
        answer = ann.request("OPTIONS", path.replace("{task_id}", "x"))
        allowed = set(answer.headers["allow"].lower().split(", ")) - {"head", "options"}
        assert (path, set(operations)) == (path, allowed)


def test_the_document_says_which_routes_need_a_token(api: Api) -> None:
    for path, operations in document(api)["paths"].items():
        for method, operation in operations.items():
            answer = api.request(method.upper(), path.replace("{task_id}", "x"))
            is_secured = answer.status == 401
            assert (path, method, is_secured) == (path, method, "security" in operation)


def test_the_document_has_the_input_of_every_task_type(api: Api) -> None:
    schemas = document(api)["components"]["schemas"]
    types = {one["task_type"]: one["input_schema"] for one in api.get("/api/task-types/").json}
    request = schemas["TaskRequest"]
    assert request["discriminator"]["propertyName"] == "task_type"
    mapping = request["discriminator"]["mapping"]
    assert request["oneOf"] == [{"$ref": reference} for reference in mapping.values()]
    assert list(mapping) == sorted(types)
    for name, schema in types.items():
        requested = schemas[mapping[name].rpartition("/")[2]]["properties"]
        assert requested["task_type"]["const"] == name
        documented = schemas[requested["input_data"]["$ref"].rpartition("/")[2]]
        # Older clients send the time of the task in its input, which is not the type's concern.
        own = dict(documented.get("properties", {}))
        own.pop("scheduled_at", None)
        assert own == schema.get("properties", {})
        assert set(documented.get("$defs", {})) == set(schema.get("$defs", {}))


def test_the_document_accepts_and_refuses_what_the_service_does(api: Api) -> None:
    check = validator(api, "TaskRequest")
    for task_type, input_data in VALID:
        check.validate({"task_type": task_type, "input_data": input_data})
    for task_type, input_data in INVALID:
        assert not check.is_valid({"task_type": task_type, "input_data": input_data})
    assert not check.is_valid({"task_type": "x", "input_data": {"seconds": 1}})
    assert not check.is_valid({"task_type": "sum", "input_data": {"seconds": 1}})
    assert not check.is_valid({"task_type": "countdown", "input_data": {"a": 1, "b": 2}})
    assert not check.is_valid({"input_data": {"seconds": 1}})


def test_the_document_accepts_a_time_wherever_the_service_does(api: Api) -> None:
    check = validator(api, "TaskRequest")
    time = "2030-02-20 15:30:00"
    check.validate({"task_type": "sum", "input_data": {"a": 1, "b": 2}, "scheduled_at": time})
    check.validate({"task_type": "sum", "input_data": {"a": 1, "b": 2}, "scheduled_at": None})
    check.validate({"task_type": "sum", "input_data": {"a": 1, "b": 2, "scheduled_at": time}})
    check.validate({"task_type": "countdown", "input_data": {"seconds": 1, "scheduled_at": time}})


@pytest.fixture
def of_every_status(ann: Api, lambdas: Lambdas, define: Define) -> list[dict[str, Any]]:
    """Ann's tasks as they were created, one of every status."""
    define(doing(TaskError("No.")))
    tasks = [ann.created(), ann.created("countdown"), ann.created("probe", input_data={})]
    lambdas.work_off()
    tasks += [ann.created(scheduled_at="2026-03-01"), ann.created()]
    ann.post(f"/api/tasks/{tasks[-1]['id']}/cancel/")
    return tasks


def test_every_listed_task_matches_the_document(
    ann: Api, of_every_status: list[dict[str, Any]]
) -> None:
    check = validator(ann, "Task")
    listed = ann.get("/api/tasks/").json["results"]
    assert {task["status"] for task in listed} == {*Status}
    for task in [*of_every_status, *listed]:
        check.validate(task)
    with pytest.raises(ValidationError):
        check.validate(listed[0] | {"status": "x"})


def test_every_detail_of_a_task_matches_the_document(
    ann: Api, of_every_status: list[dict[str, Any]]
) -> None:
    check = validator(ann, "TaskDetail")
    details = [ann.task(task["id"]) for task in of_every_status]
    assert {task["status"] for task in details} == {*Status}
    for task in details:
        check.validate(task)
    with pytest.raises(ValidationError):
        check.validate(without_events(details[0]))
    with pytest.raises(ValidationError):
        check.validate(details[0] | {"events": [{"at": details[0]["created_at"], "event": "x"}]})


def test_only_the_route_of_one_task_answers_its_detail(api: Api) -> None:
    paths = document(api)["paths"]
    references = {
        (method, path)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if "TaskDetail" in json.dumps(operation["responses"])
    }
    assert references == {("get", "/api/tasks/{task_id}/")}


def test_every_other_answer_matches_the_document(ann: Api) -> None:
    for _ in range(5):
        ann.created()
    validator(ann, "TaskPage").validate(ann.get("/api/tasks/").json)
    for one in ann.get("/api/task-types/").json:
        validator(ann, "TaskType").validate(one)
    validator(ann, "Error").validate(ann.create().json)
    validator(ann, "Error").validate(ann.get("/api/tasks/x/").json)


def test_the_document_says_where_the_service_is(api: Api) -> None:
    headers = {"Host": "tasks.example.org", "X-Forwarded-Proto": "https"}
    found = api.get("/api/openapi.json", headers=headers).json
    assert found["servers"] == [{"url": "https://tasks.example.org"}]
    assert api.get("/api/openapi.json/", headers=headers).json == found


def test_neither_the_document_nor_the_types_call_aws(api: Api, calls: Calls) -> None:
    api.get("/api/openapi.json")
    api.get("/api/task-types/")
    assert calls == []
