"""Loaded by every Python process of the deployment test: lets moto accept Chalice's API.

moto needs a description, which Chalice's document lacks, and cannot read Swagger 2.0, its format.
AWS accepts it as it is.
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
