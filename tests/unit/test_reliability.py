"""docs/reliability.md names the tests that show its promises."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

NAMED = re.findall(r"`(test_\w+)`", (ROOT / "docs" / "reliability.md").read_text())
TESTS = {
    name
    for file in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
}


@pytest.mark.parametrize("name", NAMED)
def test_every_test_that_shows_a_promise_exists(name: str) -> None:
    assert name in TESTS


def test_every_promise_is_shown() -> None:
    assert len(NAMED) > 10
