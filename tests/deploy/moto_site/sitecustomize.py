"""Loaded by every Python process of the deployment test: lets moto accept Chalice's API.

moto needs a description, which Chalice's document lacks, and cannot read Swagger 2.0, its format.
It cannot tag an API either. AWS accepts all of that as it is. moto has no account's quota; here
it is a new account's. With RECORD_CALLS set, every AWS call is appended to that file.
"""

import json
import os
from pathlib import Path
from typing import Any

from botocore import handlers
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders


def _describe(params: dict[str, Any], **_: Any) -> None:
    api = json.loads(params["body"])
    api["info"].setdefault("description", "")
    api["openapi"] = "3.0.1"
    api.pop("swagger", None)
    params["body"] = json.dumps(api)


def _tag_nothing(**_: Any) -> tuple[AWSResponse, dict[str, Any]]:
    return AWSResponse("", 204, HTTPHeaders(), None), {}


def _new_account(**_: Any) -> tuple[AWSResponse, dict[str, Any]]:
    limit = {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}
    return AWSResponse("", 200, HTTPHeaders(), None), {"AccountLimit": limit}


def _record(params: dict[str, Any], model: Any, **_: Any) -> None:
    call = {
        "service": model.service_model.signing_name,
        "operation": model.name,
        "parameters": params,
        "method": model.http["method"],
        "uri": model.http["requestUri"],
    }
    with Path(os.environ["RECORD_CALLS"]).open("a") as file:
        file.write(json.dumps(call, default=lambda _: "") + "\n")


handlers.BUILTIN_HANDLERS += [
    ("before-call.lambda.GetAccountSettings", _new_account),
    ("before-call.api-gateway.TagResource", _tag_nothing),
    ("before-parameter-build.api-gateway.ImportRestApi", _describe),
    ("before-parameter-build.api-gateway.PutRestApi", _describe),
]
if "RECORD_CALLS" in os.environ:
    handlers.BUILTIN_HANDLERS += [("before-parameter-build", _record)]
