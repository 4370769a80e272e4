"""Counts the cases and the survivors, in all processes of xdist; `build/reliability.json`."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parents[2] / "build" / "reliability.json"

#: The cases by group, and whether they survived.
_cases: Counter[str] = Counter()
_survived: Counter[str] = Counter()
#: The slowest recovery by group, in seconds of the test's clock.
_slowest: dict[str, float] = {}


def record(group: str, survived: bool, recovery: float, cases: int = 1) -> None:
    """Count a case, with how much later than without a fault everything was done."""
    _cases[group] += cases
    _survived[group] += cases * survived
    _slowest[group] = max(recovery, _slowest.get(group, 0))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a process of xdist: hand over what was counted."""
    if hasattr(session.config, "workeroutput"):
        counted = [dict(_cases), dict(_survived), _slowest]
        session.config.workeroutput["reliability"] = counted


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """In xdist's main process: take it."""
    output = getattr(node, "workeroutput", {})
    cases, survived, slowest = output.get("reliability", [{}, {}, {}])
    _cases.update(cases)
    _survived.update(survived)
    for group, recovery in slowest.items():
        _slowest[group] = max(recovery, _slowest.get(group, 0))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the numbers and write them."""
    if not _cases:
        return
    groups = {
        group: {
            "cases": _cases[group],
            "survived": _survived[group],
            "slowest_recovery_seconds": round(_slowest[group]),
        }
        for group in sorted(_cases)
    }
    terminalreporter.section("reliability")
    for group, numbers in groups.items():
        terminalreporter.line(
            f"{group}: {numbers['survived']} of {numbers['cases']} cases survived, "
            f"slowest recovery {numbers['slowest_recovery_seconds']} s"
        )
    total, survived = _cases.total(), _survived.total()
    terminalreporter.line(f"In all: {survived} of {total} cases survived.")
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps({"cases": total, "survived": survived, "groups": groups}, indent=2))
