"""The service, its client and the changelog have one version."""

import re
from pathlib import Path

from chalicelib import VERSION

CHANGELOG = (Path(__file__).parents[2] / "CHANGELOG.md").read_text()


def test_the_newest_release_in_the_changelog_is_the_version() -> None:
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", CHANGELOG, re.MULTILINE)
    assert released[0] == VERSION


def test_the_changelog_has_room_for_what_is_not_released() -> None:
    assert re.findall(r"^## (\S+)", CHANGELOG, re.MULTILINE)[0] == "[Unreleased]"


def test_the_client_has_the_version_of_the_service() -> None:
    client = Path(__file__).parents[2] / "client" / "src" / "moscow_tasks" / "version.py"
    assert f'VERSION = "{VERSION}"' in client.read_text()
