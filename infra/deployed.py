"""Finds what is deployed of a stage again, by names, and completes Chalice's record with it.

Chalice knows what it deployed only from `.chalice/deployed/<stage>.json`, which it writes after
a deployment has succeeded (https://github.com/aws/chalice/issues/1340). Without that file it would
create a second API, with another URL, and event source mappings that Lambda refuses as duplicates
(https://github.com/aws/chalice/issues/972). A fresh clone and CI do not have it.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import boto3

from infra import DeployError
from infra.chalice_project import read_config, read_record, write_record

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_lambda import LambdaClient

#: The queue that a function polls: the suffix of its name after `tasks-<stage>`.
_POLLED = {"worker": "", "dead_letters": "-dead-letters"}
#: The functions that a rule runs.
_SCHEDULED = ("sweeper",)

Resource = dict[str, Any]


def complete_record(stage: str) -> None:
    """Write to Chalice's record what AWS has of a stage; drop what belongs to another account.

    Raises DeployError if it is not clear which of several resources belongs to the stage.
    """
    identity = boto3.client("sts").get_caller_identity()
    recorded = {
        one["name"]: one for one in read_record(stage) if _accounts(one) <= {identity["Account"]}
    }
    found = {one["name"]: one for one in _Stage(stage, identity["Arn"]).find(recorded)}
    # These are known by ids that Chalice takes from its record without a search.
    outdated = [
        name
        for name, one in recorded.items()
        if one["resource_type"] in ("rest_api", "sqs_event") and name not in found
    ]
    resources = {**recorded, **found}
    write_record(stage, [one for name, one in resources.items() if name not in outdated])


def refuse_to_delete_functions(stage: str, allowed: Collection[str]) -> None:
    """Raise DeployError if Chalice would delete a Lambda, because the app no longer has it."""
    functions = read_config(stage)["lambda_functions"]
    gone = [
        one["name"]
        for one in read_record(stage)
        if one["resource_type"] == "lambda_function" and one["name"] not in functions
    ]
    if refused := [name for name in gone if name not in allowed]:
        raise DeployError(
            f"This would delete Lambdas: {', '.join(refused)}. {stage} serves with them.\n"
            f"If that is what you want, insist: ALLOW={','.join(refused)}"
        )


class _Stage:
    """The resources of a stage, as Chalice names and records them."""

    def __init__(self, stage: str, caller_arn: str) -> None:
        self._config = read_config(stage)
        self._app: str = self._config["app_name"]
        self._api_stage: str = self._config["stages"][stage]["api_gateway_stage"]
        self._prefix = f"{self._app}-{stage}"
        self._lambda: LambdaClient = boto3.client("lambda")
        self._api: APIGatewayClient = boto3.client("apigateway")
        self._iam, self._events = boto3.client("iam"), boto3.client("events")
        self._region = self._lambda.meta.region_name
        _, self._partition, _, _, self._account, _ = caller_arn.split(":", 5)

    def find(self, recorded: Mapping[str, Resource]) -> Iterator[Resource]:
        for function in self._config["lambda_functions"]:
            yield from self._role(function)
            if arn := self._function_arn(function):
                yield _resource(function, "lambda_function", lambda_arn=arn)
                yield from self._mapping(function, arn)
                yield from self._rule(function)
        yield from self._rest_api(recorded.get("rest_api", {}).get("rest_api_id"))

    def _name(self, function: str) -> str:
        return self._prefix if function == "api_handler" else f"{self._prefix}-{function}"

    def _function_arn(self, function: str) -> str | None:
        try:
            answer = self._lambda.get_function(FunctionName=self._name(function))
        except self._lambda.exceptions.ResourceNotFoundException:
            return None
        return answer["Configuration"]["FunctionArn"]

    def _role(self, function: str) -> Iterator[Resource]:
        name = f"{self._prefix}-{function}"
        try:
            arn = self._iam.get_role(RoleName=name)["Role"]["Arn"]
        except self._iam.exceptions.NoSuchEntityException:
            return
        yield _resource(f"{function}_role", "iam_role", role_arn=arn, role_name=name)

    def _rule(self, function: str) -> Iterator[Resource]:
        if function not in _SCHEDULED:
            return
        name = f"{function}-event"
        rule = f"{self._prefix}-{name}"
        with suppress(self._events.exceptions.ResourceNotFoundException):
            self._events.describe_rule(Name=rule)
            yield _resource(name, "cloudwatch_event", rule_name=rule)

    def _mapping(self, function: str, function_arn: str) -> Iterator[Resource]:
        if function not in _POLLED:
            return
        queue = self._prefix + _POLLED[function]
        queue_arn = f"arn:{self._partition}:sqs:{self._region}:{self._account}:{queue}"
        pages = self._lambda.get_paginator("list_event_source_mappings").paginate(
            EventSourceArn=queue_arn
        )
        found = [
            (mapping["UUID"], mapping["FunctionArn"])
            for page in pages
            for mapping in page["EventSourceMappings"]
            if _is_of(mapping["FunctionArn"], function_arn)
        ]
        if len(found) > 1:
            ids = ", ".join(uuid for uuid, _ in found)
            raise DeployError(f"{self._name(function)} polls {queue} twice: delete one of {ids}.")
        for uuid, its_function in found:
            yield _resource(
                f"{function}-sqs-event-source",
                "sqs_event",
                queue_arn=queue_arn,
                event_uuid=uuid,
                queue=queue,
                lambda_arn=its_function,
            )

    def _rest_api(self, recorded_id: str | None) -> Iterator[Resource]:
        pages = self._api.get_paginator("get_rest_apis").paginate()
        named = [api["id"] for page in pages for api in page["items"] if api["name"] == self._app]
        if recorded_id in named:
            found = [recorded_id]
        else:
            found = [api_id for api_id in named if self._calls_our_function(api_id)]
        if len(found) > 1:
            raise DeployError(
                f"Several APIs call {self._prefix}: {', '.join(found)}. Delete all but the one "
                "that clients use, and run this again."
            )
        for api_id in found:
            host = f"{api_id}.execute-api.{self._region}.{_dns_suffix(self._partition)}"
            url = f"https://{host}/{self._api_stage}/"
            yield _resource("rest_api", "rest_api", rest_api_id=api_id, rest_api_url=url)

    def _calls_our_function(self, api_id: str) -> bool:
        """Return whether an API calls the stage's function: all stages' APIs have one name."""
        ours = re.compile(rf":function:{re.escape(self._prefix)}(:[^:/]+)?/invocations$")
        pages = self._api.get_paginator("get_resources").paginate(
            restApiId=api_id, embed=["methods"]
        )
        return any(
            ours.search(method.get("methodIntegration", {}).get("uri", ""))
            for page in pages
            for resource in page["items"]
            for method in resource.get("resourceMethods", {}).values()
        )


def _resource(name: str, kind: str, **values: str) -> Resource:
    return {"name": name, "resource_type": kind, **values}


def _is_of(arn: str, function_arn: str) -> bool:
    """Return whether an ARN is a function's, perhaps with a version or an alias."""
    return arn == function_arn or arn.startswith(f"{function_arn}:")


def _dns_suffix(partition: str) -> str:
    return "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"


def _accounts(resource: Resource) -> set[str]:
    """Return the accounts in the ARNs of a recorded resource."""
    arns = [value for value in resource.values() if str(value).startswith("arn:")]
    return {arn.split(":")[4] for arn in arns}
