"""infra/resources.yaml, read: what the stack of a stage consists of."""

import re
from pathlib import Path
from typing import Any

from chalice.package import YAMLTemplateSerializer

TEMPLATE = Path(__file__).with_name("resources.yaml")

#: The logical ids of what outlives the stack.
DATA = ("Table", "SigningKeys")

Json = dict[str, Any]


def read_template() -> Json:
    """Return resources.yaml with its short tags expanded."""
    template: Json = YAMLTemplateSerializer().load_template(TEMPLATE.read_text())
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
