"""The SAM template of a package: Chalice's, `resources.yaml`, and what Chalice cannot set."""

import copy
from collections.abc import Iterator

from infra import PackageError, sam_api, stage_settings
from infra.event_sources import PARTIAL_FAILURES
from infra.stage_settings import StageSettings
from infra.template import Json, read_template, variable_name

#: The suffix of each function's name after `tasks-<stage>`, as `chalice deploy` names it, by
#: the logical id that Chalice gives the function. Alarms, log groups and policies use these names.
FUNCTIONS = {
    "APIHandler": "",
    "Worker": "-worker",
    "DeadLetters": "-dead_letters",
    "Sweeper": "-sweeper",
}
#: The alias that queues, rules and the API call, so that a version can replace another.
ALIAS = "live"
#: The functions that get new code step by step, and the alarms that end that.
CANARIES = {
    "APIHandler": ["ApiFaultsAlarm", "FunctionErrorsAlarm"],
    "Worker": ["FunctionErrorsAlarm"],
}
#: The queue of a function, by logical ids.
QUEUES = {"Worker": "Queue", "DeadLetters": "DeadLetterQueue"}


def read_resources(stage: str) -> Json:
    """Return resources.yaml for one stage. Raises PackageError."""
    resources = read_template()
    # The policies and the API's stage contain its name literally.
    resources["Parameters"]["Stage"] |= {"Default": stage, "AllowedValues": [stage]}
    for name, value in stage_settings.of(stage).parameters.items():
        resources["Parameters"][name]["Default"] = value
    return resources


def merge(resources: Json, stage: str) -> Json:
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
    settings = stage_settings.of(stage)
    own: Json = sam_api.resources(stage, settings)
    for function, suffix in FUNCTIONS.items():
        own[function] = {
            "Properties": {
                "FunctionName": {"Fn::Sub": "tasks-${Stage}" + suffix},
                "Environment": {"Variables": environment},
                "Tracing": "Active" if settings.tracing else "PassThrough",
                "AutoPublishAlias": ALIAS,
                # Otherwise a new setting or variable would never reach the alias.
                "AutoPublishAliasAllProperties": True,
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
    # Lambda refuses a reservation that leaves less than 100 to other functions.
    own["APIHandler"]["Properties"]["ReservedConcurrentExecutions"] = {
        "Fn::If": ["HasApiConcurrency", {"Ref": "ApiConcurrency"}, {"Ref": "AWS::NoValue"}]
    }
    if settings.canary:
        for function, alarms in CANARIES.items():
            own[function]["Properties"]["DeploymentPreference"] = {
                "Type": settings.canary,
                "Enabled": {"Ref": "Canary"},
                "Alarms": [{"Ref": alarm} for alarm in alarms],
            }
    return {
        **resources,
        "Parameters": {**resources["Parameters"], **_parameters(settings)},
        "Conditions": {**resources["Conditions"], **_CONDITIONS},
        "Resources": {**resources["Resources"], **own},
    }


_CONDITIONS = {
    "HasApiConcurrency": {"Fn::Not": [{"Fn::Equals": [{"Ref": "ApiConcurrency"}, "0"]}]},
    "SetsLogRole": {"Fn::Equals": [{"Ref": "SetLogRole"}, "true"]},
}


def _parameters(settings: StageSettings) -> Json:
    """Return the parameters that only the package has, because `make deploy` looks instead."""
    switch = {"Type": "String", "AllowedValues": ["true", "false"]}
    parameters: Json = {
        "ApiConcurrency": {
            "Type": "Number",
            "Default": settings.api_concurrency,
            "Description": "Concurrency reserved for the API; 0 where the quota is too small.",
        },
        "SetLogRole": switch
        | {
            "Default": "true",
            "Description": "Whether to give API Gateway a role for logs; all APIs share one.",
        },
    }
    if settings.canary:
        parameters["Canary"] = switch | {
            "Default": "true",
            "Description": "false sends all traffic to new code at once, without a rollback.",
        }
    return parameters


def point_at_alias(template: Json) -> Json:
    """Return a template whose API calls the alias. SAM does that for queues and rules only."""
    template = copy.deepcopy(template)
    alias = {"Ref": "APIHandler.Alias"}
    resources = template["Resources"]
    resources["APIHandlerInvokePermission"]["Properties"]["FunctionName"] = alias
    for methods in resources["RestAPI"]["Properties"]["DefinitionBody"]["paths"].values():
        for method in methods.values():
            if uri := method.get("x-amazon-apigateway-integration", {}).get("uri"):
                text = uri["Fn::Sub"].replace("${APIHandler.Arn}", "${Alias}")
                uri["Fn::Sub"] = [text, {"Alias": alias}]
    return template


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
