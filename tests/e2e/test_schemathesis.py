"""The service does what its OpenAPI document says, whatever is sent."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import LocalService

ROOT = Path(__file__).parents[2]


def test_schemathesis_finds_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    # A service of its own: so many failed sign-ins would end those of other tests, too.
    with LocalService(tmp_path_factory.mktemp("schemathesis")).run() as service:
        token = service.sign_up("ann").headers["Authorization"]
        run = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli"),
                *("--config-file", "tests/e2e/schemathesis.toml"),
                *("run", f"{service.url}/api/openapi.json"),
                *("--header", f"Authorization: {token}"),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
    assert run.returncode == 0, run.stdout + run.stderr
    [generated] = re.findall(r"(\d+) generated, \1 passed", run.stdout)
    assert int(generated) >= 3000
