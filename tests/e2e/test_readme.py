"""The README's walk-through works exactly as printed."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import Service

ROOT = Path(__file__).parents[2]


def walk_through(readme: str, user: str, url: str) -> str:
    """Return the commands of the walk-through, for another port and user."""
    section = (ROOT / readme).read_text().split("\n## ")[2]
    commands = "\n".join(re.findall(r"```bash\n(.*?)```", section, re.DOTALL))
    assert "curl" in commands
    return commands.replace("http://localhost:8000", url).replace('"user"', f'"{user}"')


@pytest.mark.parametrize("readme", ["README.md", "README.ru.md"])
def test_the_walk_through_works_as_printed(readme: str, service: Service) -> None:
    script = walk_through(readme, readme.replace(".md", ""), service.url)
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    for promise in (
        '"status": "success"',
        '"result": 16',
        '"status": "started"',
        '"remaining_seconds":',
        '"count": 1',
        '"status": "cancelled"',
    ):
        assert promise in run.stdout, run.stdout
