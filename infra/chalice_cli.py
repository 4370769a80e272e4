"""Chalice's commands, and the files in `.chalice` that they read and write."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from infra import ROOT, DeployError

CONFIG = ROOT / ".chalice" / "config.json"


def write_environment(stage: str, environment: dict[str, str]) -> None:
    """Write the environment variables of a stage to Chalice's configuration."""
    config = json.loads(CONFIG.read_text())
    try:
        settings = config["stages"][stage]
    except KeyError:
        raise DeployError(f"{CONFIG.name} has no stage {stage}: add it there.") from None
    settings["environment_variables"] = settings.get("environment_variables", {}) | environment
    CONFIG.write_text(json.dumps(config, indent=2) + "\n")


def run_chalice(command: str, stage: str) -> None:
    """Run a Chalice command for a stage. Raises DeployError if it fails."""
    run = subprocess.run(
        [Path(sys.executable).with_name("chalice"), command, "--stage", stage],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(run.stdout, end="", flush=True)
    if run.returncode or "Could not install dependencies" in run.stdout:
        raise DeployError(f"chalice {command} failed; its output is above.")


def read_deployed(stage: str) -> list[dict[str, Any]]:
    """Return the resources of a stage that Chalice has on record as deployed."""
    path = ROOT / ".chalice" / "deployed" / f"{stage}.json"
    if not path.exists():
        return []
    resources: list[dict[str, Any]] = json.loads(path.read_text())["resources"]
    return resources
