"""`make check`: what is not known is not a pass."""

import json
import subprocess
from typing import Any

import pytest

from infra import audit

GOOD = {"name": "good", "version": "1.0", "vulns": []}
BAD = {"name": "bad", "version": "2.0", "vulns": [{"id": "CVE-2026-1"}]}
UNKNOWN = {"name": "unknown", "skip_reason": "Dependency not found: unknown (3.0)"}


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`says(GOOD, BAD)`: what pip-audit finds; `says()`: it fails."""

    def says(*dependencies: dict[str, Any]) -> None:
        stdout = json.dumps({"dependencies": dependencies}) if dependencies else ""
        run = subprocess.CompletedProcess([], 1, stdout, "ERROR: no connection\n")
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: run)

    return says


@pytest.mark.parametrize("needs_all", [True, False])
def test_dependencies_without_vulnerabilities_pass(says: Any, needs_all: bool) -> None:
    says(GOOD)
    assert audit.audit(("r.txt",), needs_all) == 0


@pytest.mark.parametrize("needs_all", [True, False])
def test_a_vulnerability_fails_and_is_named(
    says: Any, needs_all: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    says(GOOD, BAD)
    assert audit.audit(("r.txt",), needs_all) == 1
    assert "r.txt: bad 2.0: CVE-2026-1" in capsys.readouterr().out


@pytest.mark.parametrize("found", [(GOOD, UNKNOWN), ()], ids=["one unknown", "no answer"])
def test_what_could_not_be_looked_up_fails_unless_that_is_allowed(
    says: Any, found: tuple[dict[str, Any], ...], capsys: pytest.CaptureFixture[str]
) -> None:
    says(*found)
    assert audit.audit(("r.txt",), needs_all=True) == 1
    assert audit.audit(("r.txt",), needs_all=False) == 0
    assert "NOT AUDITED" in capsys.readouterr().out
