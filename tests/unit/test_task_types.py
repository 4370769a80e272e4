"""The registry of task types."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib import task_types
from chalicelib.lifecycle import MAX_TRIES
from chalicelib.task_types import Run, Snooze, TaskInput, task_type

RUN = Run(started_at=datetime(2026, 2, 2, tzinfo=UTC), now=datetime(2026, 2, 2, tzinfo=UTC))


class Name(TaskInput):
    """Whom to greet."""

    name: str


@pytest.fixture
def _registry() -> Iterator[None]:
    """Forget the types that a test registers."""
    before = dict(task_types._types)
    yield
    task_types._types.clear()
    task_types._types.update(before)


@pytest.fixture
def greet(_registry: None) -> Any:
    @task_type("greet", Name)
    def greet(greeting: Name, run: Run) -> str:
        """Greets somebody."""
        return f"Hello {greeting.name}"

    return greet


def test_the_built_in_types_are_registered() -> None:
    assert {"countdown", "sum"} <= {one.name for one in task_types.all_types()}


def test_a_registered_type_is_found_by_its_name(greet: Any) -> None:
    found = task_types.get("greet")
    assert found is not None
    assert (found.name, found.description, found.progress) == ("greet", "Greets somebody.", None)
    assert found.run(found.read({"name": "Ann"}), RUN) == "Hello Ann"


def test_a_type_is_inline_only_if_it_says_so(greet: Any) -> None:
    inline = {one.name: one.inline for one in task_types.all_types()}
    assert (inline["greet"], inline["countdown"], inline["sum"]) == (False, False, True)


def test_an_unknown_name_is_not_a_type() -> None:
    assert task_types.get("greet") is None


def test_types_are_listed_by_name(greet: Any) -> None:
    names = [one.name for one in task_types.all_types()]
    assert "greet" in names
    assert names == sorted(names)


def test_the_decorated_function_stays_unchanged(greet: Any) -> None:
    assert greet(Name(name="Bob"), RUN) == "Hello Bob"


@pytest.mark.parametrize("name", ["greet", "sum"])
def test_a_taken_name_is_refused_and_the_first_type_stays(greet: Any, name: str) -> None:
    first = task_types.get(name)
    with pytest.raises(ValueError, match=f'"{name}" exists already: choose another'):
        task_type(name, Name)(greet)
    assert task_types.get(name) is first


@pytest.mark.usefixtures("_registry")
def test_a_function_without_a_docstring_has_an_empty_description() -> None:
    task_type("terse", Name)(lambda _input, _run: None)
    terse = task_types.get("terse")
    assert terse is not None
    assert terse.description == ""


def test_unknown_fields_are_refused(greet: Any) -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        task_types.get("greet").read({"name": "Ann", "age": 5})  # type: ignore[union-attr]


def test_a_type_does_not_see_the_time_of_its_task(greet: Any) -> None:
    read = task_types.get("greet").read({"name": "Ann", "scheduled_at": "x"})  # type: ignore[union-attr]
    assert read == Name(name="Ann")


def test_the_schema_describes_the_input(greet: Any) -> None:
    assert task_types.get("greet").schema() == {  # type: ignore[union-attr]
        "type": "object",
        "title": "Name",
        "description": "Whom to greet.",
        "properties": {"name": {"title": "Name", "type": "string"}},
        "required": ["name"],
        "additionalProperties": False,
    }


def test_discovering_again_changes_nothing() -> None:
    before = task_types.all_types()
    task_types.discover()
    assert task_types.all_types() == before


@pytest.mark.parametrize(
    ("limit", "fault"),
    [
        ({"timeout": 51}, "at most 50 seconds"),
        ({"timeout": 0}, "at most 50 seconds"),
        ({"max_tries": 0}, "max_tries must be from 1"),
        ({"max_tries": MAX_TRIES + 1}, "max_tries must be from 1"),
        ({"backoff": timedelta()}, "longer than 0"),
    ],
)
@pytest.mark.usefixtures("_registry")
def test_a_limit_out_of_range_is_refused_when_the_type_is_defined(limit: Any, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        task_type("limited", Name, **limit)
    assert task_types.get("limited") is None


def test_a_snooze_needs_an_offset_because_nobody_knows_whose_clock_is_meant() -> None:
    with pytest.raises(ValueError, match="needs a time with an offset"):
        Snooze(datetime(2026, 2, 2))  # noqa: DTZ001
