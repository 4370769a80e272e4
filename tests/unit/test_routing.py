"""A route of any method is described once, where its function stands."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aws_lambda_powertools import Logger
from chalice import Chalice, Response
from chalice.test import Client
from openapi_spec_validator import validate
from pydantic import BaseModel

from chalicelib import api
from chalicelib.api import openapi, routing
from chalicelib.api.answers import answer
from chalicelib.api.call import Call
from chalicelib.api.fields import read
from chalicelib.api.headers import Header
from chalicelib.api.routing import in_path, route
from chalicelib.errors import NotFound

JSON = {"Content-Type": "application/json"}
PATH = "/api/notes/{note_id}"
NOTE_ID = in_path("note_id", {"type": "integer"}, "The number of the note.")


class Note(BaseModel):
    """The note."""

    text: str


@pytest.fixture(autouse=True)
def notes(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app whose only path has a PUT, a PATCH and a DELETE route."""
    monkeypatch.setattr(routing, "routes", {})

    @route(
        "PUT",
        PATH,
        summary="Replace",
        body=Note,
        answers={200: Note},
        parameters=[NOTE_ID],
        is_public=True,
    )
    def replace(call: Call, note_id: str) -> Response:
        return answer(read(Note, call.body))

    @route(
        "PATCH",
        PATH,
        summary="Change",
        body=Note,
        answers={200: Note},
        parameters=[NOTE_ID],
        headers=[Header("Content-Location", "Where the note is.")],
        links={"delete": {"operationId": "test_routing_delete"}},
        is_public=True,
    )
    def change(call: Call, note_id: str) -> Response:
        return answer({"text": f"{note_id} is now {read(Note, call.body).text}"})

    @route(
        "DELETE",
        PATH,
        summary="Delete",
        answers={204: None},
        errors=[NotFound],
        parameters=[NOTE_ID],
    )
    def delete(call: Call, note_id: str) -> Response:
        return answer("", 204)


@pytest.fixture
def client() -> Iterator[Client]:
    app = Chalice("notes")
    # The parent of the service's loggers, as in app.py.
    Logger(service="tasks")
    api.mount(app)
    with Client(app) as client:
        yield client


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request counts as that of a user."""
    monkeypatch.setattr("chalicelib.api.call.authenticate", lambda request: "id-of-ann")


def test_a_patch_route_gets_its_parameter_and_its_body(client: Client) -> None:
    response = client.http.patch("/api/notes/7", headers=JSON, body=b'{"text": "short"}')
    assert (response.status_code, response.json_body) == (200, {"text": "7 is now short"})


def test_a_put_route_checks_its_body_as_a_post_does(client: Client) -> None:
    response = client.http.put("/api/notes/7", headers=JSON, body=b"{}")
    assert (response.status_code, response.json_body) == (
        400,
        {"text": ["This field is required."]},
    )


def test_a_delete_route_needs_a_token_unless_it_is_public(client: Client) -> None:
    response = client.http.delete("/api/notes/7")
    assert (response.status_code, response.json_body["code"]) == (401, "not_authenticated")


@pytest.mark.usefixtures("signed_in")
def test_a_delete_route_may_answer_without_a_body(client: Client) -> None:
    response = client.http.delete("/api/notes/7", headers=JSON, body=b"{")
    assert (response.status_code, response.body) == (204, b"")


def test_a_wrong_method_needs_a_token_where_any_route_does(client: Client) -> None:
    assert client.http.get("/api/notes/7").status_code == 401


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_the_methods_of_the_path_are_all_that_it_allows(client: Client, method: str) -> None:
    response = client.http.request(method, "/api/notes/7")
    assert response.status_code == 405
    assert response.headers["Allow"] == "PUT, PATCH, DELETE, OPTIONS"


def test_options_lists_every_method_of_the_path(client: Client) -> None:
    response = client.http.request("OPTIONS", "/api/notes/7")
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Methods"] == "PUT, PATCH, DELETE, OPTIONS"


def test_two_functions_cannot_have_one_route() -> None:
    with pytest.raises(ValueError, match=r"There already is a route PATCH /api/notes/\{note_id\}"):
        route("PATCH", PATH, summary="Change", answers={200: Note})(answer)


def document() -> dict[str, Any]:
    made: dict[str, Any] = openapi.document("https://notes.test", datetime.now(UTC))
    return made


def test_the_document_has_exactly_the_routes() -> None:
    found = json.loads(json.dumps(document()))
    validate(found)
    [(path, operations)] = found["paths"].items()
    assert path == PATH + "/"
    assert list(operations) == ["put", "patch", "delete"]


def test_the_document_describes_a_route_as_its_function_does() -> None:
    operations = document()["paths"][PATH + "/"]
    patch, delete = operations["patch"], operations["delete"]
    assert (patch["summary"], patch["operationId"]) == ("Change", "test_routing_change")
    assert patch["responses"]["200"]["description"] == "The note."
    assert list(patch["responses"]) == ["200", "400", "406", "413", "415", "500", "503"]
    assert "security" not in patch
    assert list(delete["responses"]) == ["204", "400", "401", "404", "406", "500", "503"]
    assert "content" not in delete["responses"]["204"]
    assert delete["security"] == [{"bearer": []}]
    assert delete["parameters"][0] == NOTE_ID


def test_the_document_describes_the_headers_of_a_route_with_those_of_every_answer() -> None:
    responses = document()["paths"][PATH + "/"]["patch"]["responses"]
    assert responses["200"]["headers"]["Content-Location"] == {
        "description": "Where the note is.",
        "schema": {"type": "string"},
        "required": True,
    }
    assert "X-Request-Id" in responses["200"]["headers"]


def test_the_document_links_an_answer_to_what_comes_next() -> None:
    operations = document()["paths"][PATH + "/"]
    assert operations["patch"]["responses"]["200"]["links"] == {
        "delete": {"operationId": operations["delete"]["operationId"]}
    }
    assert "links" not in operations["put"]["responses"]["200"]
