"""infra/resources.yaml and .chalice/config.json, as the unit tests read them."""

import json
from pathlib import Path
from typing import Any

from tests import cloud

ROOT = Path(__file__).parents[2]
CONFIG = json.loads((ROOT / ".chalice" / "config.json").read_text())
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
RESOURCES: dict[str, Any] = cloud.template()["Resources"]
OUTPUTS: dict[str, Any] = cloud.template()["Outputs"]
STAGES = list(CONFIG["stages"])
#: Logical names of Chalice's functions, and the suffix after `tasks-<stage>` in AWS's names.
FUNCTIONS = {
    "api_handler": "",
    "worker": "-worker",
    "dead_letters": "-dead_letters",
    "sweeper": "-sweeper",
}

# AWS accepts longer templates only from S3.
LONGEST_TEMPLATE = 51_200


def properties(name: str) -> dict[str, Any]:
    found: dict[str, Any] = RESOURCES[name]["Properties"]
    return found


def text(value: Any, stage: str) -> str:
    """Resolve a string, a Fn::Sub of the stage or a Ref to it."""
    if value == {"Ref": "Stage"}:
        return stage
    if isinstance(value, dict) and set(value) == {"Fn::Sub"}:
        value = value["Fn::Sub"].replace("${Stage}", stage)
    assert isinstance(value, str)
    return value


def name_of(value: Any, stage: str) -> str:
    """Return the name of the resource that a Ref or Fn::GetAtt refers to, or resolve a text."""
    target = ""
    if isinstance(value, dict) and value != {"Ref": "Stage"}:
        target = value.get("Ref") or (value.get("Fn::GetAtt") or [""])[0]
    if not target:
        return text(value, stage)
    [name] = [
        value
        for key, value in properties(target).items()
        if key in {"TableName", "QueueName", "Name", "RoleName"}
    ]
    return text(name, stage)


def of_type(kind: str) -> dict[str, Any]:
    return {name: one for name, one in RESOURCES.items() if one["Type"] == kind}


def timeout(function: str) -> int:
    seconds: int = CONFIG["lambda_functions"][function]["lambda_timeout"]
    return seconds
