"""The commands of the READMEs work exactly as printed."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import Service, installing

ROOT = Path(__file__).parents[2]
READMES = ["README.md", "README.ru.md"]


def section(readme: str, number: int) -> str:
    """Return the commands of a section, the first one being 1."""
    text = (ROOT / readme).read_text().split("\n## ")[number]
    return "\n".join(re.findall(r"```bash\n(.*?)```", text, re.DOTALL))


def run(script: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    return ran


@pytest.mark.parametrize("readme", READMES)
def test_the_five_commands_work_as_printed(readme: str, service: Service, tmp_path: Path) -> None:
    first, *commands = section(readme, 1).splitlines()
    # The service that the fixture has started.
    assert first == "make run"
    commands.remove("")
    assert commands[0] == "pip install ./client"
    script = "\n".join(commands).replace("register user", f"register {readme}")
    ran = run(script, installing(tmp_path, service.url))
    for promise in (
        "result    16\n",
        'result    {"seconds": 5}\n',
        "status    pending\n",
        "status    cancelled\n",
    ):
        assert promise in ran.stdout, ran.stdout
    assert "started\nsuccess\n" in ran.stderr


@pytest.mark.parametrize("readme", READMES)
def test_the_same_over_http_works_as_printed(readme: str, service: Service, tmp_path: Path) -> None:
    script = section(readme, 2)
    assert "curl" in script
    script = script.replace("http://localhost:8000", service.url).replace(
        '"ann"', f'"ann.{readme}"'
    )
    ran = run(script, installing(tmp_path, service.url))
    for promise in (
        '"status": "success"',
        '"result": 16',
        '"event":"created"',
        '"status": "cancelled"',
        '"count": 1',
    ):
        assert promise in ran.stdout, ran.stdout
    assert "\nretry-after: " in ran.stdout.lower()


@pytest.mark.parametrize("readme", READMES)
def test_nobody_has_to_sleep(readme: str) -> None:
    assert "sleep " not in (ROOT / readme).read_text()


def test_both_readmes_have_the_same_commands() -> None:
    english, russian = ([section(readme, number) for number in (1, 2)] for readme in READMES)
    assert english == russian


@pytest.mark.parametrize("readme", READMES)
def test_local_links_lead_somewhere(readme: str) -> None:
    text = (ROOT / readme).read_text()
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
