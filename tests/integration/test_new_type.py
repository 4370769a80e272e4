"""A new task type is one new file and edits no other."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chalicelib import task_types
from tests.drivers import Api, Lambdas

FILE = '''\
"""The task type `repeat`: says a word again and again."""

from pydantic import Field

from chalicelib.task_types import Run, TaskInput, task_type


class Input(TaskInput):
    word: str
    times: int = Field(ge=1, le=10)


@task_type("repeat", Input)
def repeat(given: Input, run: Run) -> str:
    """Repeats a word up to ten times."""
    return " ".join([given.word] * given.times)
'''


@contextmanager
def added(name: str, code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Add a file to the task types."""
    (folder / f"{name}.py").write_text(code)
    monkeypatch.setattr(task_types, "__path__", [*task_types.__path__, str(folder)])
    task_types.discover()
    yield
    del task_types._types[name]
    del sys.modules[f"chalicelib.task_types.{name}"]
    delattr(task_types, name)


@pytest.fixture(autouse=True)
def _repeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with added("repeat", FILE, tmp_path, monkeypatch):
        yield


@pytest.mark.parametrize("readme", ["README.md", "README.ru.md"])
def test_the_example_in_the_readme_works(
    readme: str,
    ann: Api,
    lambdas: Lambdas,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = (Path(__file__).parents[2] / readme).read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    with added("reverse", code, tmp_path_factory.mktemp("types"), monkeypatch):
        task = ann.created("reverse", input_data={"text": "Moscow"})
        assert lambdas.work_off() == []
        assert ann.task(task["id"])["result"] == "wocsoM"


def test_a_task_of_a_new_type_runs(ann: Api, lambdas: Lambdas) -> None:
    task = ann.created("repeat", input_data={"word": "ja", "times": 3})
    assert lambdas.work_off() == []
    ended = ann.task(task["id"])
    assert (ended["status"], ended["result"]) == ("success", "ja ja ja")


def test_the_input_of_a_new_type_is_checked(ann: Api) -> None:
    answer = ann.create("repeat", input_data={"word": 5, "times": 11, "loud": True})
    assert answer.status == 400
    assert answer.json == {
        "input_data": {
            "word": ["Not a valid string."],
            "times": ["Ensure this value is less than or equal to 10."],
            "loud": ["Unknown field."],
        }
    }


def test_a_new_type_is_listed_with_its_schema(api: Api) -> None:
    listed = api.get("/api/task-types/")
    assert listed.status == 200
    assert '"repeat"' in listed.text
    assert "Repeats a word up to ten times." in listed.text
    assert '"maximum":10' in listed.text


def test_the_openapi_document_includes_a_new_type(api: Api) -> None:
    assert '"repeat"' in api.get("/api/openapi.json").text
