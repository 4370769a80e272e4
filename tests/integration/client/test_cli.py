"""The command line in front of the real app: what it prints where, and how it exits."""

import io
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from moscow_tasks import Client, Task, cli, show
from tests.drivers import Clock
from tests.integration.client.conftest import PASSWORD, Network, Sleep
from tests.integration.tools import Define, doing


class Run:
    """A command that has ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Run]


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """The user's file."""
    return tmp_path / "moscow-tasks" / "settings.json"


@pytest.fixture
def command(
    network: Network, sleep: Sleep, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> Command:
    """`command("list")`: run it as someone without a terminal."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(settings.parents[1]))
    monkeypatch.delenv("MOSCOW_TASKS_URL", raising=False)
    monkeypatch.delenv("MOSCOW_TASKS_PASSWORD", raising=False)
    # The service is in this process and would write its metrics between the command's lines.
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
    monkeypatch.setattr(cli, "Client", partial(Client, transport=network, sleep=sleep))

    def command(*words: str, stdin: str = "") -> Run:
        ran = CliRunner().invoke(cli.app, words, input=stdin)
        assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exc_info
        return Run(ran.exit_code, ran.stdout, ran.stderr)

    return command


@pytest.fixture
def ann(command: Command, network: Network) -> Command:
    """`ann("list")`: run it as Ann, who is signed in."""
    assert command("register", "ann", "--password-stdin", stdin=PASSWORD).code == 0
    network.sent()
    return command


def created(run: Command, *words: str) -> str:
    """Create a task and return its id."""
    made = run("run", *words, "--json")
    assert made.code == 0, made.err
    return str(made.json["id"])


def test_registering_signs_in(command: Command) -> None:
    registered = command("register", "ann", "--password-stdin", stdin=PASSWORD + "\n")
    assert (registered.code, registered.out) == (0, "")
    assert registered.err == "Signed in to http://localhost:8000 as ann.\n"
    assert command("list").code == 0


def test_signing_out_and_in(ann: Command, settings: Path) -> None:
    assert ann("logout").err == "Signed out.\n"
    assert "access" not in settings.read_text()
    refused = ann("list")
    assert refused.code == 4
    assert refused.err.splitlines() == [
        "Error: Authentication credentials were not provided.",
        "Sign in with `moscow-tasks login`.",
    ]
    assert ann("login", "ann", "--password-stdin", stdin=PASSWORD).code == 0
    assert ann("list").code == 0
    assert settings.stat().st_mode & 0o777 == 0o600


def test_a_wrong_password_is_not_a_sign_in(ann: Command) -> None:
    refused = ann("login", "ann", "--password-stdin", stdin="wrong")
    assert refused.code == 4
    assert "moscow-tasks register" in refused.err


def test_a_password_comes_from_the_environment(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOSCOW_TASKS_PASSWORD", PASSWORD)
    assert command("register", "ann").code == 0


@pytest.mark.parametrize("words", [["login"], ["login", "ann"], ["register", "ann"]])
def test_without_a_terminal_nothing_is_asked(
    command: Command, network: Network, words: list[str]
) -> None:
    refused = command(*words, stdin="some\nthing\n")
    assert refused.code == 2
    assert "there is no terminal to ask at" in " ".join(refused.err.replace("│", "").split())
    assert network.requests == []


def test_at_a_terminal_the_username_and_the_password_are_asked(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []
    answers = iter(["ann", PASSWORD])

    def prompt(text: str, **options: Any) -> str:
        asked.append((text, options))
        return next(answers)

    monkeypatch.setattr(typer, "prompt", prompt)
    monkeypatch.setattr(cli, "_has_terminal", lambda: True)
    assert command("register").code == 0
    assert asked == [
        ("Username", {"err": True}),
        ("Password", {"err": True, "hide_input": True, "confirmation_prompt": True}),
    ]


def test_types_show_what_they_take(command: Command) -> None:
    shown = command("types")
    assert shown.out.splitlines() == [
        "countdown  Waits for 0 to 86,400 seconds.",
        "    moscow-tasks run countdown seconds=INTEGER",
        "sum  Adds 1 to 1,000 numbers in decimal arithmetic.",
        "    moscow-tasks run sum NUMBER...",
        "    moscow-tasks run sum a=NUMBER b=NUMBER",
    ]
    assert [one["task_type"] for one in command("types", "--json").json] == ["countdown", "sum"]


def test_a_sum_is_run_and_waited_for(ann: Command, network: Network) -> None:
    done = ann("run", "sum", "1", "2", "3", "10", "--wait")
    assert done.code == 0
    lines = dict(line.split(maxsplit=1) for line in done.out.splitlines())
    assert (lines["type"], lines["status"], lines["result"]) == ("sum", "success", "16")
    assert lines["input"] == '{"values": [1, 2, 3, 10]}'
    assert lines["created"] == "2026-02-02 12:00:00 Moscow time"
    assert network.sent() == ["GET /api/task-types/", "POST /api/tasks/"]


def test_negative_numbers_are_no_options(ann: Command) -> None:
    assert ann("run", "sum", "-5", "-0.5", "--wait", "--json").json["result"] == -5.5


def test_a_countdown_is_followed_to_its_end(ann: Command, sleep: Sleep) -> None:
    done = ann("run", "countdown", "seconds=30", "--wait")
    assert done.code == 0
    assert done.err.splitlines() == ["pending", "started", "success"]
    assert 'result    {"seconds": 30}' in done.out
    assert sleep.pauses == [1, 30]


def test_a_task_starts_at_a_time_in_moscow(ann: Command) -> None:
    made = ann("run", "countdown", "seconds=30", "--at", "2026-02-20 15:30")
    assert (made.code, made.err) == (0, "")
    assert "starts    2026-02-20 15:30:00 Moscow time" in made.out


@pytest.mark.parametrize(
    ("ahead", "at"),
    [("+90s", "12:01:30"), ("+5m", "12:05:00"), ("+2h", "14:00:00"), ("+0d", "12:00:00")],
)
def test_a_time_can_be_given_from_now(ann: Command, ahead: str, at: str) -> None:
    made = ann("run", "sum", "1", "--at", ahead, "--json").json
    assert made["scheduled_at"] in (f"2026-02-02T{at}+03:00", None)


def test_json_is_one_document_with_every_digit(ann: Command) -> None:
    digits = "1" * 400
    done = ann("run", "sum", digits, "0.10", "--wait", "--json")
    assert (done.code, done.err) == (0, "")
    assert f'"result": {digits}.10,' in done.out
    assert done.json["status"] == "success"
    assert f"result    {digits}.10\n" in ann("show", "last").out


def test_the_whole_input_can_be_json(ann: Command) -> None:
    assert ann("run", "sum", "--input", '{"a": 1, "b": 2}', "--wait", "--json").json["result"] == 3
    piped = ann("run", "sum", "--input", "-", "--wait", "--json", stdin='{"values": [5]}')
    assert piped.json["result"] == 5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sum", "two"], 'values takes number, not "two".'),
        (["sum", "1", "--wiat"], 'There is no option "--wiat".'),
        (["summ", "1"], 'There is no task type "summ". There are: countdown, sum.'),
        (["sum", "--input", "{"], "--input is not JSON"),
        (["sum", "1", "--input", "{}"], "Give either --input or values, not both."),
        (["sum", "1", "--at", "tomorrow"], "scheduled_at: Datetime has wrong format."),
        (["countdown", "-1"], "input_data.seconds:"),
        (["countdown", "1", "--at", "+999999999d"], "scheduled_at:"),
    ],
)
def test_wrong_usage_exits_with_2(ann: Command, words: list[str], message: str) -> None:
    refused = ann("run", *words)
    assert (refused.code, refused.out) == (2, "")
    assert message in " ".join(refused.err.replace("│", "").split())


def test_a_failed_task_exits_with_1(ann: Command, define: Define) -> None:
    from chalicelib.errors import TaskError

    define(doing(TaskError("The page is empty.", "empty_page")))
    failed = ann("run", "probe", "--input", "{}", "--wait")
    assert failed.code == 1
    assert "error     The page is empty. (empty_page)" in failed.out
    assert "empty_page" in ann("list").out


def test_the_sixth_active_task_exits_with_3(ann: Command) -> None:
    for _ in range(5):
        created(ann, "countdown", "60")
    refused = ann("run", "sum", "1")
    assert refused.code == 3
    assert refused.err.splitlines()[1].startswith("Wait for one with `moscow-tasks watch ID`")


def test_an_error_is_the_document_too(ann: Command, network: Network) -> None:
    unknown = ann("show", "x", "--json")
    assert unknown.code == 1
    assert unknown.json["code"] == "not_found"
    network.break_down(httpx.ConnectError("refused"), times=4)
    assert "refused" in ann("list", "--json").json["detail"]


def test_a_service_that_is_down_exits_with_5(ann: Command, network: Network) -> None:
    network.break_down(httpx.ConnectError("refused"), times=4)
    refused = ann("list")
    assert refused.code == 5
    assert "Start the service with `make run`" in refused.err
    network.answer(503)
    assert ann("list").code == 5


def test_a_bug_of_the_service_is_reported_with_its_request_id(
    ann: Command, network: Network
) -> None:
    network.answer(
        500, '{"detail": "Internal server error.", "code": "internal"}', {"X-Request-Id": "r1"}
    )
    refused = ann("list")
    assert refused.code == 1
    assert "Report this with the request id r1." in refused.err


def test_another_service_is_told_by_its_answer(ann: Command, network: Network) -> None:
    network.answer(200, "<html>")
    refused = ann("list")
    assert refused.code == 1
    assert "Check the URL" in refused.err


def test_a_list_shows_the_newest_20(ann: Command, clock: Clock) -> None:
    for number in range(21):
        clock.advance(seconds=1)
        created(ann, "sum", str(number), "--wait")
    newest = ann("list")
    assert len(newest.out.splitlines()) == 21
    assert newest.out.splitlines()[1].rstrip().endswith("20")
    assert newest.err == "These are 20 of 21 tasks; --all shows the others.\n"
    everything = ann("list", "--all", "--json")
    assert [task["result"] for task in everything.json] == [*range(20, -1, -1)]
    assert everything.err == ""


def test_a_list_of_one_status(ann: Command) -> None:
    created(ann, "sum", "1", "--wait")
    waiting = created(ann, "countdown", "60")
    assert [one["id"] for one in ann("list", "--status", "pending", "--json").json] == [waiting]
    none = ann("list", "--status", "failure")
    assert (none.code, none.out) == (0, "")
    assert none.err.startswith("No tasks.")
    assert ann("list", "--status", "done").code == 2


def test_long_results_are_cut_in_a_list_only(ann: Command) -> None:
    created(ann, "sum", "1" * 100, "--wait")
    assert "1" * 39 + "…" in ann("list").out
    assert "1" * 100 in ann("show", "last").out


def test_a_task_is_shown_with_what_has_happened_to_it(ann: Command) -> None:
    task = created(ann, "countdown", "5")
    ann("watch", task)
    shown = ann("show", task)
    assert [line.strip() for line in shown.out.partition("events")[2].splitlines()] == [
        "",
        "2026-02-02 12:00:00  created",
        "2026-02-02 12:00:01  started",
        "2026-02-02 12:00:01  snoozed until 2026-02-02 12:00:06",
        "2026-02-02 12:00:06  started (attempt 2)",
        "2026-02-02 12:00:06  finished: success",
    ]
    assert ann("show", task, "--json").json["events"][0]["event"] == "created"


def test_failed_attempts_are_shown_with_the_next_one(ann: Command, define: Define) -> None:
    define(doing(OSError(), 1), max_tries=2)
    assert ann("run", "probe", "--input", "{}", "--wait").code == 0
    shown = ann("show", "last").out
    assert "attempts  2" in shown
    assert "attempt failed (" not in shown
    assert "attempt failed: unexpected_error, next try at 2026-02-02 12:00:" in shown
    assert "started (attempt 2)" in shown


def test_a_scheduled_task_is_watched_until_it_has_run(ann: Command) -> None:
    task = created(ann, "sum", "1", "--at", "2026-02-02 12:02")
    watched = ann("watch", task)
    assert watched.code == 0
    assert watched.err.splitlines() == [
        "pending: starts at 2026-02-02 12:02:00, Moscow time",
        "success",
    ]


def test_a_cancelled_task_is_no_success(ann: Command) -> None:
    created(ann, "countdown", "60")
    assert ann("cancel", "last", "--json").json["status"] == "cancelled"
    assert ann("watch", "last").code == 1


def test_a_finished_task_cannot_be_cancelled(ann: Command) -> None:
    created(ann, "sum", "1", "--wait")
    refused = ann("cancel", "last")
    assert refused.code == 1
    assert "shows how it ended" in refused.err


def test_again_runs_the_same(ann: Command) -> None:
    task = created(ann, "sum", "1", "2")
    assert ann("again", task, "--wait", "--json").json["result"] == 3
    assert "starts    2026-02-02 15:00:00" in ann("again", task, "--at", "2026-02-02 15:00").out


def test_the_last_task_needs_a_task(ann: Command) -> None:
    refused = ann("show", "last")
    assert refused.code == 2
    assert "You have no tasks yet" in refused.err


def test_the_url_comes_from_the_option_the_environment_or_the_sign_in(
    command: Command, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    def host() -> str:
        return network.requests[-1].url.host

    command("types")
    assert host() == "localhost"
    elsewhere = ("--password-stdin", "--url", "http://one.test/")
    assert command("register", "ann", *elsewhere, stdin=PASSWORD).code == 0
    command("types")
    assert host() == "one.test"
    monkeypatch.setenv("MOSCOW_TASKS_URL", "http://two.test")
    command("types")
    assert host() == "two.test"
    command("types", "--url", "http://three.test")
    assert host() == "three.test"


def test_tokens_are_not_sent_to_another_service(ann: Command, network: Network) -> None:
    assert ann("list", "--url", "http://other.test").code == 4
    assert "Authorization" not in network.requests[-1].headers


def test_an_impossible_url_is_wrong_usage(command: Command) -> None:
    refused = command("types", "--url", "localhost:8000")
    assert refused.code == 2
    assert "must start with http://" in " ".join(refused.err.replace("│", "").split())


def test_signing_in_and_out_print_one_document(ann: Command) -> None:
    assert ann("logout", "--json").json == {}
    signed_in = ann("login", "ann", "--password-stdin", "--json", stdin=PASSWORD)
    assert signed_in.json == {"username": "ann"}


def test_the_shell_completes_task_types(
    command: Command, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    def complete(words: str) -> list[str]:
        monkeypatch.setenv("_MOSCOW_TASKS_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", f"moscow-tasks {words}")
        monkeypatch.setenv("COMP_CWORD", str(len(words.split())))
        ran = CliRunner().invoke(cli.app, [], prog_name="moscow-tasks")
        return ran.stdout.split()

    assert complete("run c") == ["countdown"]
    assert complete("can") == ["cancel"]
    network.break_down(httpx.ConnectError("refused"), times=4)
    assert complete("run c") == []


def test_the_version_is_shown(command: Command) -> None:
    assert command("--version").out.startswith("moscow-tasks 1.")


def test_a_bar_moves_from_look_to_look(ann: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def update(watching: show.Watching, task: Task) -> None:
        real(watching, task)
        screen = Console(file=io.StringIO(), width=80)
        screen.print(watching.bars)
        drawn.append(screen.file.getvalue().strip())  # type: ignore[attr-defined]

    real = show.Watching.update
    monkeypatch.setattr(show.Watching, "update", update)
    task = created(ann, "countdown", "30", "--at", "+2m")
    ann("watch", task)
    first, *_, running, finished = drawn
    assert first.startswith("pending")
    assert first.endswith("0:02:00 left")
    assert running.startswith("started")
    assert running.endswith("0:00:30 left")
    assert finished == ""
