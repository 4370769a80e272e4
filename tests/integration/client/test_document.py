"""The client and the OpenAPI document know the same operations, errors, fields and words."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest

from moscow_tasks import Client, Event, Page, Task, errors, models, operations
from tests.integration.client.conftest import PASSWORD, Connect, Network

Document = dict[str, Any]


@pytest.fixture
def document(connect: Connect) -> Document:
    return connect().openapi()


def described(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_both_know_the_same_operations(document: Document) -> None:
    assert {(one.id, one.method, one.path, one.is_public) for one in operations.ALL} == {
        (operation["operationId"], method, path, "security" not in operation)
        for method, path, operation in described(document)
    }


def test_the_client_uses_every_operation(
    ann: Client, network: Network, clock: Any, document: Document
) -> None:
    clock.advance(minutes=16)
    ann.register("bob", PASSWORD)
    task = ann.run("countdown", {"seconds": 9})
    ann.show(task.id)
    ann.cancel(task.id)
    list(ann.tasks())
    ann.task_types()
    ann.health()
    ann.openapi()
    ann.logout()
    ann.login("ann", PASSWORD)
    with pytest.raises(errors.TokenNotValid):
        ann.verify("no.token.this")
    sent = {one.replace(task.id, "{task_id}") for one in network.sent()}
    assert sent == {f"{method} {path}" for method, path, _ in described(document)}


def test_both_know_the_same_codes(document: Document) -> None:
    found: set[str] = set()
    for response in document["components"]["responses"].values():
        schema = response["content"]["application/json"]["schema"]
        for one in schema.get("anyOf", [schema]):
            found |= set(one.get("properties", {}).get("code", {}).get("enum", []))
    assert found == set(errors.BY_CODE)


def test_every_code_has_a_class_of_its_own_in_the_map_of_errors() -> None:
    assert len(set(errors.BY_CODE.values())) == len(errors.BY_CODE)
    for code, kind in errors.BY_CODE.items():
        assert f" {kind.__name__} " in str(errors.__doc__)
        assert f" {code}\n" in str(errors.__doc__)


@pytest.mark.parametrize(
    ("model", "schema"),
    [
        (Task, "TaskDetail"),
        (Page, "TaskPage"),
        (models.TaskType, "TaskType"),
        (models.Account, "Account"),
    ],
)
def test_both_know_the_same_fields(document: Document, model: Any, schema: str) -> None:
    known = document["components"]["schemas"][schema]
    assert set(model.model_fields) == set(known["properties"])
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    assert required == set(known["required"]) - {"events"}


def test_both_know_the_same_statuses_and_events(document: Document) -> None:
    task = document["components"]["schemas"]["TaskDetail"]["properties"]
    assert list(get_args(models.Status)) == task["status"]["enum"]
    event = task["events"]["items"]["properties"]
    assert set(Event.model_fields) == set(event)
    assert list(get_args(Event.model_fields["event"].annotation)) == event["event"]["enum"]


def test_the_client_sends_every_header_that_an_operation_takes(
    ann: Client, network: Network, document: Document
) -> None:
    ann.run("countdown", {"seconds": 1}, wait=True)
    ann.run("sum", {"values": [1]}, wait=True)
    sent = {name for one in network.requests for name in one.headers}
    taken = {
        one["name"].lower()
        for _, _, operation in described(document)
        for one in operation["parameters"]
        if one.get("in") == "header"
    }
    assert taken <= sent
