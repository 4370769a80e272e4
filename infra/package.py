"""Build the CloudFormation package of a stage: one SAM template and one zip, nothing deployed.

Chalice makes both; a merge template brings in `resources.yaml` and what Chalice cannot set.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import MISSING
from email import message_from_bytes
from pathlib import Path
from typing import Any

import cfnlint.decode  # type: ignore[import-untyped]
from cfnlint.decode.node import dict_node  # type: ignore[import-untyped]
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from chalicelib.config import Settings
from infra import gateway
from infra.deploy import BURST_LIMIT, PARTIAL_FAILURES, RATE_LIMIT
from infra.stack import TEMPLATE, variable_name

ROOT = Path(__file__).parents[1]
#: What Chalice needs of the project.
SOURCES = ("app.py", "chalicelib", "requirements.txt", ".chalice")

#: What follows `tasks-<stage>` in a function's name, as `chalice deploy` names it, by the
#: logical id that Chalice gives it. Alarms, log groups and policies go by these names.
FUNCTIONS = {
    "APIHandler": "",
    "Worker": "-worker",
    "DeadLetters": "-dead_letters",
    "Sweeper": "-sweeper",
}
#: The function's queue, by logical ids.
QUEUES = {"Worker": "Queue", "DeadLetters": "DeadLetterQueue"}

MAX_ZIP_BYTES = 20 * 2**20

Json = dict[str, Any]


class PackageError(Exception):
    """The package is not what it should be; the message says why."""


def build(stage: str, out: Path, architecture: str | None = None) -> None:
    """Write `sam.json` and `deployment.zip` of a stage into a folder, which is emptied first.

    The Python is the one that runs this, the architecture Chalice's configured one by default.

    Raises PackageError.
    """
    shutil.rmtree(out, ignore_errors=True)
    resources = read_resources(stage)
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "project")
        _copy_project(project, stage, architecture)
        merge_file = Path(folder, "merge.json")
        merge_file.write_text(json.dumps(merge_template(resources)))
        _run_chalice(project, stage, merge_file, out.absolute())
    template = json.loads((out / "sam.json").read_text())
    check_template(template, resources)
    normalize(out / "deployment.zip")
    check_zip(out / "deployment.zip", ROOT / "requirements.txt")


def read_template() -> Json:
    """Return resources.yaml with its short tags written out. Raises PackageError."""
    decoded, faults = cfnlint.decode.decode(str(TEMPLATE))
    if not isinstance(decoded, dict_node):
        raise PackageError(f"{TEMPLATE.name} cannot be read: {faults}")
    template: Json = json.loads(json.dumps(decoded))
    return template


def read_resources(stage: str) -> Json:
    """Return what resources.yaml is for this one stage. Raises PackageError."""
    resources = read_template()
    # The policies and the API's stage name it literally.
    resources["Parameters"]["Stage"] |= {"Default": stage, "AllowedValues": [stage]}
    return resources


def merge_template(resources: Json) -> Json:
    """Return what is merged into Chalice's template: `resources` and what Chalice cannot set."""
    environment = {
        variable_name(name): output["Value"] for name, output in resources["Outputs"].items()
    }
    # A function that runs before its log group is made makes it, and then the stack fails.
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
                    # Fn::Sub as in Chalice's own: a Fn::GetAtt would end up beside it.
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


def check_template(template: Json, resources: Json) -> None:
    """Make sure that all that was merged met what Chalice has made. Raises PackageError.

    A logical id that Chalice does not know would have become a resource of its own.
    """
    for name, part in _typed_parts(template["Resources"]):
        if "Type" not in part:
            raise PackageError(f"Chalice has made no {name}.")
    for section in ("Resources", "Outputs"):
        for name, value in resources[section].items():
            if template[section][name] != value:
                raise PackageError(f"Chalice has a {name} of its own in {section}.")
    functions = {
        name
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    if functions != set(FUNCTIONS):
        raise PackageError(f"These functions are not expected: {functions ^ set(FUNCTIONS)}.")


def _typed_parts(resources: Json) -> Iterator[tuple[str, Json]]:
    """Yield the resources and the functions' events, which Chalice all gives a type."""
    for name, resource in resources.items():
        yield name, resource
        for event, source in resource.get("Properties", {}).get("Events", {}).items():
            yield f"{name}.{event}", source


def normalize(path: Path) -> None:
    """Write a zip anew so that its bytes depend on nothing but the files in it."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in sorted(files.items()):
            if name.endswith("/") or "__pycache__" in name.split("/"):
                continue
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=9)


def check_zip(path: Path, requirements: Path) -> None:
    """Make sure that a zip has what requirements.txt lists, no more, and is small enough.

    Raises PackageError.
    """
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        shipped = {_distribution(archive, name) for name in names if name.endswith("/METADATA")}
        recorded = {
            line.rsplit(",", 2)[0]
            for name in names
            if name.endswith(".dist-info/RECORD")
            for line in archive.read(name).decode().splitlines()
        }
    listed = _listed(requirements)
    if shipped != listed:
        raise PackageError(
            f"Not in {requirements.name}: {sorted(shipped - listed) or 'nothing'}; "
            f"not in the package: {sorted(listed - shipped) or 'nothing'}."
        )
    own = re.compile(r"app\.py|chalicelib/.*|chalice/(__init__|app)\.py")
    if strangers := {name for name in names - recorded if not own.fullmatch(name)}:
        raise PackageError(f"These files are nobody's: {sorted(strangers)[:10]}.")
    if path.stat().st_size > MAX_ZIP_BYTES:
        raise PackageError(f"{path.name} has {_mib(path)}, more than {MAX_ZIP_BYTES // 2**20} MiB.")


def _distribution(archive: zipfile.ZipFile, name: str) -> str:
    metadata = message_from_bytes(archive.read(name))
    return f"{canonicalize_name(metadata['Name'])}=={metadata['Version']}"


def _listed(requirements: Path) -> set[str]:
    lines = (line.split("#")[0].strip() for line in requirements.read_text().splitlines())
    wanted = [Requirement(line) for line in lines if line]
    return {
        f"{canonicalize_name(one.name)}{one.specifier}"
        for one in wanted
        if one.marker is None or one.marker.evaluate()
    }


def _copy_project(project: Path, stage: str, architecture: str | None) -> None:
    """Copy what Chalice needs, so that nothing of the developer's gets in or changes."""
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


def _run_chalice(project: Path, stage: str, merge_file: Path, out: Path) -> None:
    # Chalice imports the app, which wants its settings; the template has the real ones.
    placeholders = {
        name.upper(): f"arn:aws:sqs:::tasks-{stage}"
        for name, setting in Settings.__dataclass_fields__.items()
        if setting.default is MISSING
    }
    run = subprocess.run(
        [
            *(Path(sys.executable).with_name("chalice"), "package", "--stage", stage),
            *("--merge-template", merge_file, out),
        ],
        cwd=project,
        env={"AWS_DEFAULT_REGION": "us-east-1"}
        | os.environ
        | placeholders
        | {"PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if run.returncode or "Could not install dependencies" in run.stdout:
        raise PackageError(f"chalice package failed:\n{run.stdout}")


def _mib(path: Path) -> str:
    return f"{path.stat().st_size / 2**20:.2f} MiB"


def main() -> None:
    parser = argparse.ArgumentParser(prog="make package", description=__doc__)
    parser.add_argument("--stage", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--architecture", choices=["arm64", "x86_64"])
    arguments = parser.parse_args()
    try:
        build(arguments.stage, arguments.out, arguments.architecture)
    except PackageError as error:
        raise SystemExit(str(error)) from None
    archive = arguments.out / "deployment.zip"
    print(f"{arguments.out / 'sam.json'}, {archive} ({_mib(archive)})")


if __name__ == "__main__":
    main()
