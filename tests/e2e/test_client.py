"""The client as it is installed, in front of the running service."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Service, installing

ROOT = Path(__file__).parents[2]

#: `command("list")`: what a command printed as JSON, if it exits as expected.
Command = Callable[..., Any]


@pytest.fixture(scope="module")
def environment(service: Service, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which the client is installed."""
    environment = installing(tmp_path_factory.mktemp("client"), service.url)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "./client"]
    subprocess.run(pip, env=environment, cwd=ROOT, check=True)
    return environment


@pytest.fixture
def command(environment: dict[str, str], tmp_path: Path) -> Command:
    own = environment | {"XDG_CONFIG_HOME": str(tmp_path)}

    def command(*words: str, code: int = 0) -> Any:
        run = subprocess.run(
            ["moscow-tasks", *words, "--json"], env=own, capture_output=True, text=True, timeout=60
        )
        assert run.returncode == code, run.stderr
        return json.loads(run.stdout)

    return command


def test_a_user_runs_tasks_from_the_command_line(command: Command) -> None:
    command("list", code=4)
    assert command("register", "cli.ann")["username"] == "cli.ann"
    assert [one["task_type"] for one in command("types")] == ["countdown", "sum"]

    digits = "9" * 400
    assert command("run", "sum", digits, "1", "--wait")["result"] == 10**400
    countdown = command("run", "countdown", "seconds=2")
    assert command("watch", "last")["result"] == {"seconds": 2}
    assert command("again", countdown["id"], "--wait")["status"] == "success"

    waiting = [command("run", "sum", "1", "2", "--at", "+1h")["id"] for _ in range(5)]
    assert command("run", "sum", "1", code=3)["code"] == "active_task_limit"
    assert [task["id"] for task in command("list", "--status", "pending")] == waiting[::-1]
    for task in waiting:
        assert command("cancel", task)["status"] == "cancelled"
    assert command("watch", waiting[0], code=1)["status"] == "cancelled"
    assert len(command("list", "--all")) == 8

    command("logout")
    command("list", code=4)
    command("login", "cli.ann")
    assert command("show", countdown["id"])["events"]


def test_a_service_that_is_not_there_is_unavailable(command: Command) -> None:
    assert command("types", "--url", "http://127.0.0.1:9", code=5)["detail"]


def test_the_example_in_python_works_as_printed(
    environment: dict[str, str], service: Service
) -> None:
    readme = (ROOT / "client" / "README.md").read_text()
    [example] = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert "http://localhost:8000" in example
    program = example.replace("http://localhost:8000", service.url)
    run = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60
    )
    assert run.stderr == ""
    first, *statuses, last = run.stdout.splitlines()
    assert (first, statuses[-1], last) == ("16", "success", "2")
    assert set(statuses) <= {"pending", "started", "success"}
