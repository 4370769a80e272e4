"""The stack's template for clouds on one machine, which lack alarms with metric math."""

import json

from infra.change_set import Template
from infra.template import Json, read_template


def template() -> Template:
    """Return resources.yaml as an emulator takes it."""
    whole = reduced(read_template())
    text = json.dumps(whole, separators=(",", ":"))
    return Template(text, parameters=frozenset(whole["Parameters"]))


def reduced(template: Json) -> Json:
    """Return a template without the alarms that MiniStack refuses. Nobody reads them there."""
    resources = {
        name: resource
        for name, resource in template["Resources"].items()
        if not (
            resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"]
        )
    }
    return {**template, "Resources": resources}
