"""The version is in one place."""

import re
from pathlib import Path

from chalicelib import VERSION

CHANGELOG = (Path(__file__).parents[2] / "CHANGELOG.md").read_text()


def test_the_newest_release_in_the_changelog_is_the_version() -> None:
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", CHANGELOG, re.MULTILINE)
    assert released[0] == VERSION


def test_the_changelog_has_room_for_what_is_not_released() -> None:
    assert re.findall(r"^## (\S+)", CHANGELOG, re.MULTILINE)[0] == "[Unreleased]"
