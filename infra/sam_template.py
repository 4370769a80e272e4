"""The SAM template of a package: Chalice's, `resources.yaml`, and what Chalice cannot set."""

from collections.abc import Iterator

from infra import PackageError, gateway
from infra.api_stage import BURST_LIMIT, RATE_LIMIT
from infra.event_sources import PARTIAL_FAILURES
from infra.template import Json, read_template, variable_name

#: The suffix of each function's name after `tasks-<stage>`, as `chalice deploy` names it, by
#: the logical id that Chalice gives the function. Alarms, log groups and policies use these names.
FUNCTIONS = {
    "APIHandler": "",
    "Worker": "-worker",
    "DeadLetters": "-dead_letters",
    "Sweeper": "-sweeper",
}
#: The queue of a function, by logical ids.
QUEUES = {"Worker": "Queue", "DeadLetters": "DeadLetterQueue"}


def read_resources(stage: str) -> Json:
    """Return resources.yaml for one stage. Raises PackageError."""
    resources = read_template()
    # The policies and the API's stage contain its name literally.
    resources["Parameters"]["Stage"] |= {"Default": stage, "AllowedValues": [stage]}
    return resources


def merge(resources: Json) -> Json:
    """Return the template to merge into Chalice's: `resources` and what Chalice cannot set."""
    environment = {
        variable_name(name): output["Value"] for name, output in resources["Outputs"].items()
    }
    # A function that runs before its log group exists creates it, and then the stack fails.
    log_groups = [
        name
        for name, resource in resources["Resources"].items()
        if resource["Type"] == "AWS::Logs::LogGroup"
    ]
    own: Json = {"RestAPI": {"Properties": _api()}}
    for function, suffix in FUNCTIONS.items():
        own[function] = {
            "Properties": {
                "FunctionName": {"Fn::Sub": "tasks-${Stage}" + suffix},
                "Environment": {"Variables": environment},
            }
        }
        if log_groups:
            own[function]["DependsOn"] = log_groups
    for function, queue in QUEUES.items():
        own[function]["Properties"]["Events"] = {
            f"{function}SqsEventSource": {
                "Properties": {
                    # Fn::Sub as in Chalice's template: a Fn::GetAtt would be added to it.
                    "Queue": {"Fn::Sub": f"${{{queue}.Arn}}"},
                    "FunctionResponseTypes": PARTIAL_FAILURES,
                }
            }
        }
    return {**resources, "Resources": {**resources["Resources"], **own}}


def _api() -> Json:
    responses: Json = {}
    for response_type, response in gateway.RESPONSES.items():
        headers = {
            name.removeprefix("gatewayresponse.header."): value
            for name, value in response.parameters.items()
        }
        responses[response_type] = {
            "ResponseParameters": {"Headers": headers},
            "ResponseTemplates": response.templates,
        }
        if response.status:
            responses[response_type]["StatusCode"] = response.status
    return {
        "Name": "tasks",
        "TracingEnabled": True,
        "GatewayResponses": responses,
        "MethodSettings": [
            {
                "ResourcePath": "/*",
                "HttpMethod": "*",
                "MetricsEnabled": True,
                "ThrottlingRateLimit": RATE_LIMIT,
                "ThrottlingBurstLimit": BURST_LIMIT,
            }
        ],
    }


def check(template: Json, resources: Json) -> None:
    """Check that everything merged landed in a resource of Chalice's. Raises PackageError.

    A logical id that Chalice does not use would have become a resource of its own.
    """
    for name, part in _typed_parts(template["Resources"]):
        if "Type" not in part:
            raise PackageError(f"Chalice created no {name}.")
    for section in ("Resources", "Outputs"):
        for name, value in resources[section].items():
            if template[section][name] != value:
                raise PackageError(f"Chalice has its own {name} in {section}.")
    functions = {
        name
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    if functions != set(FUNCTIONS):
        raise PackageError(f"Unexpected or missing functions: {functions ^ set(FUNCTIONS)}.")


def architecture(template: Json) -> str:
    """Return the architecture of the functions."""
    name: str = template["Resources"]["APIHandler"]["Properties"]["Architectures"][0]
    return name


def _typed_parts(resources: Json) -> Iterator[tuple[str, Json]]:
    """Yield the resources and the functions' events: Chalice gives each a type."""
    for name, resource in resources.items():
        yield name, resource
        for event, source in resource.get("Properties", {}).get("Events", {}).items():
            yield f"{name}.{event}", source
