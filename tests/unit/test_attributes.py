"""Rows are read as PynamoDB and botocore read them, without what takes most of their time."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pynamodb.models import Model

from chalicelib.models import Task, User
from chalicelib.models.table import CONNECTION, Item, Row

TASK = Task.new(
    "user", "task", task_type="sum", input_data="{}", scheduled_at=None, now=datetime.now(UTC)
).serialize()
EVENTS = TASK | {"events": {"L": [{"S": "{}"}, {"S": "[]"}]}, "attempts": {"N": "3"}}
FROM_NEWER_SERVICE = TASK | {"added_later": {"BOOL": True}}
WITHOUT_DEFAULTS = {name: TASK[name] for name in ("pk", "sk", "kind")}
USER = User("user#user", "user", created_at=datetime.now(UTC), username="me").serialize()


@pytest.mark.parametrize("shape", ["AttributeMap", "AttributeValue", "ItemList"])
def test_rows_are_documents_for_botocore(shape: str) -> None:
    model = CONNECTION.connection.client.meta.service_model
    assert model.shape_for(shape).metadata["document"] is True


@pytest.mark.parametrize(
    ("row_class", "item"),
    [
        (Row, TASK),
        (Row, USER),
        (Task, TASK),
        (Task, EVENTS),
        (Task, FROM_NEWER_SERVICE),
        (Task, WITHOUT_DEFAULTS),
        (User, USER),
    ],
)
def test_an_item_becomes_the_row_that_pynamodb_makes_of_it(
    row_class: type[Row], item: dict[str, Any]
) -> None:
    row = row_class.from_raw_data(item)
    expected = Model.from_raw_data.__func__(row_class, item)  # type: ignore[attr-defined]
    assert type(row) is type(expected)
    assert row.attribute_values == expected.attribute_values


def test_a_row_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="Task is not a User"):
        User.from_raw_data(TASK)


def test_no_row_has_a_binary_attribute_whose_base64_nobody_would_decode() -> None:
    attributes = [one for row in _rows(Item) for one in row.get_attributes().values()]
    assert attributes
    assert not {one.attr_type for one in attributes} & {"B", "BS"}


def _rows(row_class: type[Item]) -> Iterator[type[Item]]:
    yield row_class
    for one in row_class.__subclasses__():
        yield from _rows(one)
