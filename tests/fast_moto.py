"""Spares moto and botocore what costs two thirds of the tests' time and decides nothing."""

import copy
import pickle
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import moto.core.responses
import moto.sqs.models
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.signers import RequestSigner
from moto import backend_index
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.request import normalize_request
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.comparisons import ConditionExpressionParser
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing import ast_nodes, expressions
from moto.dynamodb.parsing.validators import (
    ActionCountValidator,
    OverlappingPathsValidator,
    UpdateExpressionValidator,
    UpdateHashRangeKeyValidator,
)

from tests import cloud

#: The update expressions that have passed, each with its names.
_valid: set[Any] = set()
_ABOUT_THE_EXPRESSION = (
    ActionCountValidator,
    OverlappingPathsValidator,
    UpdateHashRangeKeyValidator,
)

# These modules have no types.
_AST: Any = ast_nodes
_EXPRESSIONS: Any = expressions

_SIMPLE = ({"S"}, {"N"}, {"SS"}, {"BOOL"}, {"NULL"})


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do so as long as the patch lasts."""
    monkeypatch.setattr(BotocoreStubber, "process_request", _process)
    monkeypatch.setattr(RequestSigner, "sign", _sign)
    _remember_names(monkeypatch)
    _remember_expressions(monkeypatch)
    _copy_less(monkeypatch)
    real: Any = BaseJSONSerializer._serialize_type_structure

    def serialize(serializer: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        """Write an attribute of a row as it is: moto would look for each of ten types in it."""
        if shape.name == "AttributeValue" and isinstance(value, DynamoType):
            value = value.to_regular_json()
        if shape.name == "AttributeValue" and value.keys() in _SIMPLE:
            serialized[key] = value
        else:
            real(serializer, serialized, value, shape, key)

    monkeypatch.setattr(BaseJSONSerializer, "_serialize_type_structure", serialize)


def _process(_: BotocoreStubber, request: AWSPreparedRequest) -> Any:
    """Answer without trying the patterns of all services for each request."""
    normalized = normalize_request(request)
    url = request.url.partition("?")[0]
    return _route(url)(normalized, normalized.raw_url, normalized.headers)


@cache
def _route(url: str) -> Any:
    service: Any = next(
        name for name, pattern in backend_index.backend_url_patterns if pattern.match(url)
    )
    urls = cloud.backend(service).urls
    return next(method for pattern, method in urls.items() if re.match(pattern, url))


def _sign(signer: Any, _operation: str, request: Any, *_: Any, **__: Any) -> None:
    """Name the account and the Region, from which moto knows where to look; nobody checks more."""
    scope = f"{cloud.ACCOUNT}/20260202/{cloud.REGION}/{signer.signing_name}/aws4_request"
    request.headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}"


def _remember_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find out only once how moto calls an operation, and what a service has."""
    responses, queues = moto.core.responses, moto.sqs.models
    for module, name in (
        (responses, "camelcase_to_underscores"),
        (responses, "method_names_from_class"),
        (queues, "camelcase_to_underscores"),
    ):
        monkeypatch.setattr(module, name, cache(getattr(module, name)))


def _remember_expressions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the text of an expression only once: what it is about is in its names and values."""
    parser = _EXPRESSIONS.UpdateExpressionParser
    parse: Any = parser.make

    @cache
    def make(text: str) -> Any:
        tree = parse(text)
        tree.text = text
        return tree

    monkeypatch.setattr(parser, "make", make)
    monkeypatch.setattr(UpdateExpressionValidator, "validate", _validate)
    monkeypatch.setattr(_AST.Node, "__deepcopy__", _copy_node, raising=False)
    monkeypatch.setattr(_AST.DepthFirstTraverser, "traverse_node_recursively", _traverse)
    lex: Any = ConditionExpressionParser._lex_one_node

    @cache
    def lex_one_node(text: str) -> Any:
        return lex(ConditionExpressionParser, text)

    monkeypatch.setattr(
        ConditionExpressionParser, "_lex_one_node", lambda _, text: lex_one_node(text)
    )


def _validate(validator: UpdateExpressionValidator) -> Any:
    tree: Any = validator.node_to_validate
    names = validator.expression_attribute_names or {}
    expression = (tree.text, *names.items())
    for processor in validator.processors:
        if expression not in _valid or not isinstance(processor, _ABOUT_THE_EXPRESSION):
            tree = processor.traverse(tree)
    _valid.add(expression)
    return tree


def _copy_node(node: Any, _memo: Any) -> Any:
    """Copy a tree: this is five times as fast as `deepcopy`."""
    return pickle.loads(pickle.dumps(node))  # noqa: S301  # nobody else has pickled it


def _traverse(traverser: Any, node: Any, number: int = -1) -> Any:
    """Do what moto does, but find out only once which nodes it is about."""
    return _visit(traverser, traverser.nodes_to_be_processed(), node, number)


def _visit(traverser: Any, meant: tuple[Any, ...], node: Any, number: int) -> Any:
    if not _is_one(node.__class__, (_AST.Node,)):
        return node
    parent = node.parent
    for child_number, child in enumerate(node.children or ()):
        traverser.pre_processing_of_child(node, child_number)
        _visit(traverser, meant, child, child_number)
    if not _is_one(node.__class__, meant):
        return node
    node = traverser.process(node)
    node.parent = parent
    if parent:
        parent.children[number] = node
    return node


@cache
def _is_one(one: Any, types: tuple[Any, ...]) -> bool:
    return issubclass(one, types)


def _copy_less(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Any = DynamoDBBackend.transact_write_items

    def transact(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
        with _only_touched_rows_copied(transact_items):
            real(backend, transact_items)

    monkeypatch.setattr(DynamoDBBackend, "transact_write_items", transact)


@contextmanager
def _only_touched_rows_copied(items: list[dict[str, Any]]) -> Iterator[None]:
    """moto copies the whole table for each row that a transaction writes; spare it the rest."""
    writes = [write for item in items for write in item.values()]
    keys = [write.get("Key") or write["Item"] for write in writes]
    backups: list[Any] = []

    def backup(table: Any, _memo: Any) -> Any:
        # All copies are made before the first write.
        if not backups:
            backups.append(_backup(table, keys))
        return backups[0]

    Table.__deepcopy__ = backup  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del Table.__deepcopy__  # type: ignore[attr-defined]


def _backup(table: Any, keys: list[dict[str, Any]]) -> Any:
    found = copy.copy(table)
    found.items = defaultdict(dict, table.items)
    for key in keys:
        pk, sk = DynamoType(key["pk"]), DynamoType(key["sk"])
        if pk in table.items:
            rows = found.items[pk] = dict(found.items[pk])
            if sk in rows:
                rows[sk] = copy.deepcopy(rows[sk])
    return found
