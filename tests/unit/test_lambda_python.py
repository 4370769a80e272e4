"""The Lambdas get a Python that AWS supports for years."""

import json
import os
import subprocess
from importlib import resources
from pathlib import Path

import pytest

from infra import ROOT, DeployError, lambda_python

MAKE = ["make", "--dry-run", "package", "STAGE=dev"]


@pytest.mark.parametrize("version", [(3, 12), (3, 13)])
def test_a_python_with_years_ahead_is_taken(version: tuple[int, int]) -> None:
    lambda_python.check(version)


@pytest.mark.parametrize("version", [(3, 10), (3, 11), (3, 14)])
def test_another_python_is_refused_with_what_to_do(version: tuple[int, int]) -> None:
    with pytest.raises(DeployError, match=rf"Python 3\.{version[1]}.*Install Python 3\.13"):
        lambda_python.check(version)


@pytest.mark.parametrize(("minor", "is_taken"), [(10, False), (11, False), (12, True), (13, True)])
def test_a_python_is_taken_if_aws_supports_it_until_2028_at_least(
    minor: int, is_taken: bool
) -> None:
    data = resources.files("cfnlint.data.AdditionalSpecs") / "LmbdRuntimeLifecycle.json"
    end = json.loads(data.read_text())[f"python3.{minor}"]["deprecated"]
    assert (end >= "2028") == is_taken == ((3, minor) >= lambda_python.OLDEST)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with pyenv's Python 3.13, and on the PATH a shim of pyenv that fails."""
    real = tmp_path / ".pyenv/versions/3.13.9/bin/python3.13"
    for path, script in ((real, "exit 0"), (tmp_path / "bin/python3.13", "exit 127")):
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    return tmp_path


def make(home: Path, *more: str) -> str:
    """Return what make would run."""
    path = f"{home / 'bin'}:/usr/bin:/bin"
    environment = {"HOME": str(home), "PATH": path}
    run = subprocess.run(
        [*MAKE, *more], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return run.stdout


def test_python_3_13_is_found_where_pyenv_has_it(home: Path) -> None:
    printed = make(home, "-W", "requirements-run.txt")
    assert f"{home}/.pyenv/versions/3.13.9/bin/python3.13 -m venv .venv-3.13" in printed
    assert ".venv-3.13/bin/python -m infra.package" in printed


def test_a_python_that_is_named_is_taken(home: Path) -> None:
    assert ".venv-x/bin/python -m infra.package" in make(home, "VENV=.venv-x")


def test_without_python_3_13_the_usual_one_decides(tmp_path: Path) -> None:
    assert ".venv/bin/python -m infra.package" in make(tmp_path)


def test_the_scripts_can_be_run() -> None:
    assert os.access(ROOT / "infra" / "find-python-3.13", os.X_OK)
