"""infra/resources.yaml, read: what the stack of a stage consists of."""

import json
import re
from pathlib import Path
from typing import Any

import cfnlint.decode  # type: ignore[import-untyped]
from cfnlint.decode.node import dict_node  # type: ignore[import-untyped]

from infra import PackageError

TEMPLATE = Path(__file__).with_name("resources.yaml")

#: The logical ids of what outlives the stack.
DATA = ("Table", "SigningKeys")

Json = dict[str, Any]


def read_template() -> Json:
    """Return resources.yaml with its short tags expanded. Raises PackageError."""
    decoded, faults = cfnlint.decode.decode(str(TEMPLATE))
    if not isinstance(decoded, dict_node):
        raise PackageError(f"{TEMPLATE.name} cannot be read: {faults}")
    template: Json = json.loads(json.dumps(decoded))
    return template


def variable_name(output: str) -> str:
    """Return the environment variable for an output of the stack."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", output).upper()


def placeholders(stage: str) -> dict[str, str]:
    """Return values for the settings that the stack's outputs provide.

    Chalice imports the app, which needs its settings, even where nothing runs with them.
    """
    outputs = read_template()["Outputs"]
    return {variable_name(output): f"arn:aws:sqs:::tasks-{stage}" for output in outputs}
