"""Build the CloudFormation package of a stage: one SAM template and one zip. Deploys nothing.

Chalice creates both; a merge template adds `resources.yaml` and what Chalice cannot set.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from infra import (
    ROOT,
    DeployError,
    PackageError,
    deployment_zip,
    lambda_python,
    policies,
    sam_template,
    stage_settings,
)
from infra.template import Json, placeholders

#: The parts of the project that Chalice needs.
SOURCES = ("app.py", "chalicelib", "requirements.txt", ".chalice")


def build(stage: str, out: Path, architecture: str | None = None) -> None:
    """Write `sam.json` and `deployment.zip` of a stage to a folder, which is emptied first.

    The package is for the Python that runs this, and by default for the architecture in
    Chalice's configuration.

    Raises PackageError.
    """
    shutil.rmtree(out, ignore_errors=True)
    resources = sam_template.read_resources(stage)
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "project")
        _copy_project(project, stage, architecture)
        _run_chalice(project, stage, resources, out.absolute())
    template = sam_template.point_at_alias(json.loads((out / "sam.json").read_text()))
    (out / "sam.json").write_text(json.dumps(template, indent=2) + "\n")
    sam_template.check(template, resources)
    deployment_zip.finish(out / "deployment.zip", sam_template.architecture(template))


def _copy_project(project: Path, stage: str, architecture: str | None) -> None:
    """Copy what Chalice needs: the developer's own files stay out of the package and unchanged."""
    project.mkdir()
    for source in SOURCES:
        if (ROOT / source).is_dir():
            unwanted = shutil.ignore_patterns("__pycache__", "deployed", "deployments")
            shutil.copytree(ROOT / source, project / source, ignore=unwanted)
        else:
            shutil.copy(ROOT / source, project / source)
    path = project / ".chalice" / "config.json"
    config = json.loads(path.read_text())
    if stage not in config["stages"]:
        raise PackageError(f"{path.name} has no stage {stage}.")
    if architecture:
        config["lambda_architecture"] = architecture
        config["stages"][stage].pop("lambda_architecture", None)
    path.write_text(json.dumps(config))
    tracing = stage_settings.of(stage).tracing
    for function, document in policies.policies(stage, tracing=tracing).items():
        policy = project / ".chalice" / policies.policy_file(function, stage).name
        policy.write_text(policies.to_json(document))


def _run_chalice(project: Path, stage: str, resources: Json, out: Path) -> None:
    merge_file = project.with_name("merge.json")
    merge_file.write_text(json.dumps(sam_template.merge(resources, stage)))
    run = subprocess.run(
        [
            *(Path(sys.executable).with_name("chalice"), "package", "--stage", stage),
            *("--merge-template", merge_file, out),
        ],
        cwd=project,
        env={"AWS_DEFAULT_REGION": "us-east-1"}
        | os.environ
        | placeholders(stage)
        | {"PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if run.returncode or "Could not install dependencies" in run.stdout:
        raise PackageError(f"chalice package failed:\n{run.stdout}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make package", description=__doc__)
    parser.add_argument("--stage", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--architecture", choices=["arm64", "x86_64"])
    arguments = parser.parse_args()
    try:
        lambda_python.check()
        build(arguments.stage, arguments.out, arguments.architecture)
    except (DeployError, PackageError) as error:
        raise SystemExit(str(error)) from None
    archive = arguments.out / "deployment.zip"
    print(f"{arguments.out / 'sam.json'}, {archive} ({deployment_zip.mebibytes(archive)})")


if __name__ == "__main__":
    main()
