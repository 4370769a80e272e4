"""The project that Chalice deploys for a stage: this one, with what the stack's outputs say.

Chalice reads environment variables from `.chalice/config.json` and nowhere else. The values of a
deployment contain the account's id, so they do not belong into the repository. `.deploy/<stage>/`
is a Chalice project with its own `config.json`; everything else in it is a link to this project,
the record of what is deployed (`.chalice/deployed/`) too.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra import ROOT, DeployError

CONFIG = ROOT / ".chalice" / "config.json"
RECORDS = ROOT / ".chalice" / "deployed"
PROJECTS = ROOT / ".deploy"

_SOURCES = ("app.py", "chalicelib", "requirements.txt")


def read_config(stage: str) -> dict[str, Any]:
    """Return Chalice's configuration from the repository. Raises DeployError."""
    config: dict[str, Any] = json.loads(CONFIG.read_text())
    if stage not in config["stages"]:
        raise DeployError(f"{CONFIG.name} has no stage {stage}: add it there.")
    return config


def write_project(stage: str, environment: Mapping[str, str]) -> Path:
    """Write the Chalice project of a stage and return its folder. Raises DeployError."""
    config = read_config(stage)
    settings = config["stages"][stage]
    settings["environment_variables"] = settings.get("environment_variables", {}) | environment
    project = PROJECTS / stage
    remove_project(stage)
    (project / ".chalice").mkdir(parents=True)
    RECORDS.mkdir(exist_ok=True)
    for name in _SOURCES:
        (project / name).symlink_to(ROOT / name)
    for path in CONFIG.parent.iterdir():
        # A zip that plain `chalice deploy` has made is not compiled.
        if path not in (CONFIG, CONFIG.parent / "deployments"):
            (project / ".chalice" / path.name).symlink_to(path)
    (project / ".chalice" / CONFIG.name).write_text(json.dumps(config, indent=2) + "\n")
    return project


def remove_project(stage: str) -> None:
    """Remove the Chalice project of a stage; the record is elsewhere."""
    shutil.rmtree(PROJECTS / stage, ignore_errors=True)


def run_chalice(command: str, stage: str, *arguments: str) -> None:
    """Run a Chalice command in the project of a stage. Raises DeployError if it fails."""
    run = subprocess.run(
        [Path(sys.executable).with_name("chalice"), command, "--stage", stage, *arguments],
        cwd=PROJECTS / stage,
        # What Python compiles in the project would be sources of the zip.
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(run.stdout, end="", flush=True)
    if run.returncode or "Could not install dependencies" in run.stdout:
        raise DeployError(f"chalice {command} failed; its output is above.")


def read_record(stage: str) -> list[dict[str, Any]]:
    """Return the resources of a stage that Chalice has on record as deployed."""
    path = RECORDS / f"{stage}.json"
    if not path.exists():
        return []
    resources: list[dict[str, Any]] = json.loads(path.read_text())["resources"]
    return resources


def write_record(stage: str, resources: list[dict[str, Any]]) -> None:
    """Write what Chalice takes for deployed, as Chalice 1.34 writes it."""
    RECORDS.mkdir(exist_ok=True)
    record = {"resources": resources, "schema_version": "2.0", "backend": "api"}
    (RECORDS / f"{stage}.json").write_text(json.dumps(record, indent=2) + "\n")
