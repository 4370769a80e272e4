"""Look for known vulnerabilities in the pinned dependencies, by pip-audit.

Exits with 1 for a vulnerability, and for a dependency that could not be looked up: without the
database nothing is known. With --unreachable=warn only the former fails.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

#: What runs on AWS, and what develops and runs the service on one machine.
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make check", description=__doc__)
    parser.add_argument("--unreachable", choices=["fail", "warn"], default="fail")
    sys.exit(audit(REQUIREMENTS, parser.parse_args().unreachable == "fail"))


def audit(files: tuple[str, ...], needs_all: bool) -> int:
    """Print what was found in each file of requirements; return the exit code."""
    failures = 0
    for file in files:
        dependencies, reason = _look_up(file)
        vulnerable = [one for one in dependencies if one.get("vulns")]
        unknown = [one["skip_reason"] for one in dependencies if "skip_reason" in one]
        for one in vulnerable:
            ids = ", ".join(vulnerability["id"] for vulnerability in one["vulns"])
            print(f"{file}: {one['name']} {one['version']}: {ids}")
        audited = len(dependencies) - len(unknown)
        print(f"{file}: {audited} dependencies audited, {len(vulnerable)} vulnerable.")
        if unknown or reason:
            print(f"{file}: {len(unknown) or 'all'} NOT AUDITED: {reason or unknown[0]}")
        failures += bool(vulnerable) or (needs_all and bool(unknown or reason))
    return 1 if failures else 0


def _look_up(file: str) -> tuple[list[dict[str, Any]], str]:
    """Return the dependencies in a file with their vulnerabilities, and why there are none."""
    run = subprocess.run(
        [
            *(Path(sys.executable).with_name("pip-audit"), "--requirement", file),
            *("--disable-pip", "--no-deps", "--format", "json", "--progress-spinner", "off"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found: list[dict[str, Any]] = json.loads(run.stdout)["dependencies"]
    except ValueError:
        return [], (run.stderr.strip().splitlines() or ["pip-audit says nothing"])[-1]
    return found, ""


if __name__ == "__main__":
    main()
