"""Write the numbers of the last run into docs/reliability.md: `make reliability-report`."""

import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.faults.report import FILE

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- numbers -->\n", "<!-- /numbers -->\n"


def main() -> None:
    before, rest = DOCUMENT.read_text().split(BEGIN)
    _, after = rest.split(END)
    numbers = json.loads(FILE.read_text())
    DOCUMENT.write_text(before + BEGIN + table(numbers, datetime.now(UTC)) + END + after)


def table(numbers: dict[str, Any], now: datetime) -> str:
    """Return the numbers as a table, with when and where they were measured."""
    rows = [
        "| {} | {cases:,} | {survived:,} | {slowest_recovery_seconds} s |".format(group, **one)
        for group, one in numbers["groups"].items()
    ]
    rows.append(f"| **in all** | **{numbers['cases']:,}** | **{numbers['survived']:,}** | |")
    lines = [
        f"{now:%Y-%m-%d}, Python {platform.python_version()}, moto.",
        "",
        "| what goes wrong | cases | survived | slowest recovery |",
        "| --- | --- | --- | --- |",
        *rows,
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
