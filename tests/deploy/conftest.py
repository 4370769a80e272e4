"""The package of a stage, built by `make package` for this machine."""

import json
import platform
from pathlib import Path
from typing import Any

import pytest
from samtranslator.translator.transform import transform  # type: ignore[import-untyped]

from infra import package

STAGE = "prod"
Transform = Any


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with a package that can run here."""
    out = tmp_path_factory.mktemp("package") / STAGE
    machine = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    package.build(STAGE, out, architecture=machine)
    return out


class _Policies:
    """The managed policies that the translator looks up in IAM."""

    def load(self) -> dict[str, str]:
        return {"AWSCodeDeployRoleForLambda": "arn:aws:iam::aws:policy/CodeDeploy"}


@pytest.fixture
def transformed(built: Path, monkeypatch: pytest.MonkeyPatch) -> Transform:
    """`transformed(Canary="false")`: the resources of the package's stack."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    def transformed(memory: int = 512, **parameters: str) -> Any:
        template = json.loads((built / "sam.json").read_text())
        template["Resources"]["Worker"]["Properties"]["MemorySize"] = memory
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Serverless::Function":
                resource["Properties"]["CodeUri"] = "s3://bucket/code"
        return transform(template, parameters, _Policies())["Resources"]

    return transformed
