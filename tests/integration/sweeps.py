"""What the tests of sweeps have in common."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.drivers import Api
from tests.integration.tools import OUTAGE, Fail

Metrics = Callable[[], dict[str, int]]


def reports(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return what was printed in CloudWatch's embedded metric format."""
    lines = capsys.readouterr().out.splitlines()
    printed = [json.loads(line) for line in lines if line.startswith("{")]
    return [one for one in printed if "_aws" in one]


def lost(api: Api, fail: Fail) -> dict[str, Any]:
    """Create a task that is stored but whose message is never sent."""
    fail("SendMessage", OUTAGE, times=1)
    return api.created()
