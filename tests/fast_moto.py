"""Spares moto and botocore what costs half of the tests' time and decides nothing."""

import re
from functools import cache
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.signers import RequestSigner
from moto import backend_index
from moto.backends import get_backend
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.request import normalize_request
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.models.dynamo_type import DynamoType

from tests import cloud

_SIMPLE = ({"S"}, {"N"}, {"SS"}, {"BOOL"}, {"NULL"})


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do so as long as the patch lasts."""
    monkeypatch.setattr(BotocoreStubber, "process_request", _process)
    monkeypatch.setattr(RequestSigner, "sign", _sign)
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
    backend: Any = get_backend(service)[cloud.ACCOUNT][cloud.REGION]
    return next(method for pattern, method in backend.urls.items() if re.match(pattern, url))


def _sign(signer: Any, _operation: str, request: Any, *_: Any, **__: Any) -> None:
    """Name the account and the Region, from which moto knows where to look; nobody checks more."""
    scope = f"{cloud.ACCOUNT}/20260202/{cloud.REGION}/{signer.signing_name}/aws4_request"
    request.headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}"
