"""The route that CONTRIBUTING.md adds works as it is written there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from aws_lambda_powertools import Logger
from chalice import Chalice
from chalice.test import Client

from chalicelib import api
from chalicelib.api import routing
from tests.drivers import Api
from tests.integration.tools import document

PAGE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()


@pytest.fixture
def extended(monkeypatch: pytest.MonkeyPatch, aws: None) -> Iterator[Api]:
    """A client of a service that has the route, too."""
    monkeypatch.setattr(routing, "routes", dict(routing.routes))
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(code, "limits.py", "exec"), {"__name__": "chalicelib.api.limits"})  # noqa: S102
    app = Chalice("extended")
    # The parent of the service's loggers, as in app.py.
    Logger(service="tasks")
    api.mount(app)
    with Client(app) as client:
        yield Api(client)


def test_the_route_answers(extended: Api) -> None:
    shown = extended.get("/api/limits/")
    assert (shown.status, shown.json) == (200, {"active_tasks": 5})
    assert extended.post("/api/limits").status == 405


def test_the_document_has_the_route(extended: Api) -> None:
    operation = document(extended)["paths"]["/api/limits/"]["get"]
    assert operation["operationId"] == "limits_show_limits"
    assert operation["summary"] == "Show the limits"


def test_every_file_that_the_page_names_exists() -> None:
    root = Path(__file__).parents[2]
    for name in re.findall(r"`([\w./-]+/[\w.-]+\.(?:py|json))`", PAGE):
        assert (root / name).exists() or name == "chalicelib/api/limits.py", name


def test_the_commands_of_the_page_name_tests_that_exist() -> None:
    root = Path(__file__).parents[2]
    for name, words in re.findall(r"pytest -q (\S+)(?: -k (\S+))?$", PAGE, re.MULTILINE):
        assert re.search(rf"def test_\w*{words}", (root / name).read_text()), (name, words)
