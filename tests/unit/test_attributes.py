"""botocore passes attributes on as DynamoDB writes them, without looking for their types."""

from collections.abc import Iterator

from chalicelib.models.table import CONNECTION, Item


def test_attributes_are_documents_for_botocore() -> None:
    model = CONNECTION.connection.client.meta.service_model
    assert model.shape_for("AttributeValue").metadata["document"] is True


def test_no_row_has_a_binary_attribute_whose_base64_nobody_would_decode() -> None:
    attributes = [one for row in _rows(Item) for one in row.get_attributes().values()]
    assert attributes
    assert not {one.attr_type for one in attributes} & {"B", "BS"}


def _rows(row_class: type[Item]) -> Iterator[type[Item]]:
    yield row_class
    for one in row_class.__subclasses__():
        yield from _rows(one)
