"""The log for people: one line per event, coloured on a terminal, instead of AWS's JSON."""

import os
import sys
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

#: SGR codes (ECMA-48) by level: cyan, green, yellow, red.
_COLOURS = {"DEBUG": 36, "INFO": 32, "WARNING": 33, "ERROR": 31, "CRITICAL": 31}
#: Keys that have a place of their own in a line, or none.
_PLACED = {"level", "location", "message", "timestamp", "service", "exception", "exception_name"}


def install(log: Logger) -> None:
    """Let a logger and its children write lines."""
    formatter = log.registered_formatter
    assert isinstance(formatter, LambdaPowertoolsFormatter)  # noqa: S101  # nosec B101
    # https://no-color.org
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    formatter.json_serializer = lambda entry: line(entry, coloured=coloured)


def line(entry: Mapping[str, Any], *, coloured: bool) -> str:
    """Return a log entry as a line. An exception's own lines follow, indented."""
    level = str(entry["level"])
    event = f"{level:<8} {entry['message']}"
    if coloured:
        event = f"\x1b[{_COLOURS[level]}m{event}\x1b[0m"
    clock = str(entry["timestamp"])[11:19]
    keys = [f"{name}={value}" for name, value in entry.items() if name not in _PLACED]
    traceback = str(entry.get("exception", "")).splitlines()
    return "\n    ".join([" ".join([clock, event, *keys]), *traceback])
