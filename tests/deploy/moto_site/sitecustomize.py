"""Loaded by every Python of the deployment test: what moto needs to take Chalice's API.

moto reads a description that Chalice's document does not have, and no Swagger 2.0, which is
what it is; AWS asks for neither.
"""

import json
from typing import Any

from botocore import handlers


def _describe(params: dict[str, Any], **_: Any) -> None:
    api = json.loads(params["body"])
    api["info"].setdefault("description", "")
    api["openapi"] = "3.0.1"
    api.pop("swagger", None)
    params["body"] = json.dumps(api)


handlers.BUILTIN_HANDLERS += [
    ("before-parameter-build.api-gateway.ImportRestApi", _describe),
    ("before-parameter-build.api-gateway.PutRestApi", _describe),
]
