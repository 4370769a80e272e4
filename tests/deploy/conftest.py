"""The package of a stage, built by `make package` for this machine."""

import platform
from pathlib import Path

import pytest

from infra import package

STAGE = "prod"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with a package that can run here."""
    out = tmp_path_factory.mktemp("package") / STAGE
    machine = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    package.build(STAGE, out, architecture=machine)
    return out
