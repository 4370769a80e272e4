"""The command line."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from moscow_tasks import arguments, errors, exact_json, models, show
from moscow_tasks.client import DEFAULT_URL, Client
from moscow_tasks.tokens import FileStore, Settings
from moscow_tasks.version import VERSION

_, FAILURE, USAGE, REFUSED, NOT_SIGNED_IN, UNAVAILABLE = range(6)

#: The exit code of each kind of error, and what to do next; the first kind that fits counts.
_ADVICE: dict[type[errors.TasksError], tuple[int, str]] = {
    errors.InvalidFields: (USAGE, "See `moscow-tasks types` for what each type takes."),
    errors.WrongCredentials: (
        NOT_SIGNED_IN,
        "Check the username and the password, or create an account with `moscow-tasks register`.",
    ),
    errors.NotSignedIn: (NOT_SIGNED_IN, "Sign in with `moscow-tasks login`."),
    errors.ActiveTaskLimit: (
        REFUSED,
        "Wait for one with `moscow-tasks watch ID`, or stop one with `moscow-tasks cancel ID`.",
    ),
    errors.Throttled: (REFUSED, "Try again later."),
    errors.Unreachable: (
        UNAVAILABLE,
        "Start the service with `make run`, or name another one with --url.",
    ),
    errors.Unavailable: (UNAVAILABLE, "Try again in a minute."),
    errors.InternalError: (FAILURE, "Report this with the request id."),
    errors.NotFound: (FAILURE, "`moscow-tasks list` shows your tasks."),
    errors.AlreadyFinished: (FAILURE, "`moscow-tasks show ID` shows how it ended."),
    errors.TasksError: (FAILURE, "Check the URL: --url or MOSCOW_TASKS_URL."),
}
_AHEAD = re.compile(r"\+([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass
class State:
    """What the options that all commands share were set to."""

    url: str | None = None
    as_json: bool = False


class _Commands(TyperGroup):
    """Tells people of every error, and programs by the exit code."""

    def invoke(self, ctx: Any) -> Any:
        ctx.obj = State()
        try:
            return super().invoke(ctx)
        except errors.TasksError as error:
            raise typer.Exit(_report(error, ctx.obj)) from error


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Run tasks now or at a time in Moscow.",
    epilog="Exit codes: 0 success, 1 failure, 2 usage, 3 refused by a limit, 4 not signed in, "
    "5 unavailable.",
)


def _set_url(ctx: typer.Context, url: str | None) -> str | None:
    if ctx.obj:
        ctx.obj.url = url
    return url


def _set_json(ctx: typer.Context, as_json: bool) -> bool:
    if ctx.obj:
        ctx.obj.as_json = as_json
    return as_json


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"moscow-tasks {VERSION}")
        raise typer.Exit


def _complete_type(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the task types that begin so; none while the service is not there."""
    url = Settings(_path()).url or DEFAULT_URL
    try:
        with Client(os.environ.get("MOSCOW_TASKS_URL") or url) as client:
            names = [one.task_type for one in client.task_types()]
    except (errors.TasksError, ValueError):
        return []
    return [name for name in names if name.startswith(incomplete)]


Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="MOSCOW_TASKS_URL",
        callback=_set_url,
        help="The service; the one of the last sign-in by default.",
    ),
]
Json = Annotated[
    bool, typer.Option("--json", callback=_set_json, help="Print one JSON document on stdout.")
]
Username = Annotated[str | None, typer.Argument(help="Asked for if it is missing.")]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from stdin.")
]
TaskId = Annotated[str, typer.Argument(metavar="ID", help="The id of a task, or `last`.")]
At = Annotated[
    str | None,
    typer.Option("--at", help='When to start: "2030-02-20 15:30" in Moscow, or "+90s", "+2h".'),
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until the task has finished.")]


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command()
def register(
    ctx: typer.Context,
    username: Username = None,
    password_stdin: PasswordStdin = False,
    url: Url = None,
    json: Json = False,
) -> None:
    """Create an account and sign in."""
    name = username or _ask("username", "Username")
    password = _password(password_stdin, is_new=True)
    with _client(ctx) as client:
        account = client.register(name, password)
        client.login(name, password)
    _signed_in(ctx, account.username, account.document())


@app.command()
def login(
    ctx: typer.Context,
    username: Username = None,
    password_stdin: PasswordStdin = False,
    url: Url = None,
    json: Json = False,
) -> None:
    """Sign in; the tokens are kept in a file that only you can read."""
    name = username or _ask("username", "Username")
    password = _password(password_stdin, is_new=False)
    with _client(ctx) as client:
        client.login(name, password)
    _signed_in(ctx, name, {"username": name})


@app.command()
def logout(ctx: typer.Context, url: Url = None, json: Json = False) -> None:
    """Sign out and forget the tokens."""
    with _client(ctx) as client:
        client.logout()
    if json:
        show.print_json({})
    show.say("Signed out.")


@app.command()
def types(ctx: typer.Context, url: Url = None, json: Json = False) -> None:
    """Show the task types and what they take."""
    with _client(ctx) as client:
        found = client.task_types()
    if json:
        show.print_json([one.document() for one in found])
    else:
        show.print_types(found)


@app.command(context_settings={"ignore_unknown_options": True})  # -5 is a number
def run(
    ctx: typer.Context,
    task_type: Annotated[
        str, typer.Argument(metavar="TYPE", autocompletion=_complete_type, help="A task type.")
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="VALUE|KEY=VALUE", help="What the type takes."),
    ] = None,
    at: At = None,
    wait: Wait = False,
    input_data: Annotated[
        str | None,
        typer.Option("--input", help="The whole input as JSON, or `-` to read it from stdin."),
    ] = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Create a task, for now or for later.

    `moscow-tasks run sum 1 2 3 10 --wait`

    `moscow-tasks run countdown seconds=30 --at "2030-02-20 15:30"`
    """
    moment = _moment(at)
    with _client(ctx) as client:
        found = _input(client, task_type, words or [], input_data)
        task = client.create(task_type, found, at=moment, prefer_wait=wait)
        _finish(ctx, client, task, wait=wait)


@app.command()
def again(
    ctx: typer.Context,
    task_id: TaskId,
    at: At = None,
    wait: Wait = False,
    url: Url = None,
    json: Json = False,
) -> None:
    """Create a task with the type and the input of another one."""
    moment = _moment(at)
    with _client(ctx) as client:
        task = client.again(_id(client, task_id), at=moment)
        _finish(ctx, client, task, wait=wait)


@app.command("list")
def list_tasks(
    ctx: typer.Context,
    status: Annotated[
        models.Status | None, typer.Option("--status", help="Only tasks of this status.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="More than the newest 20.")] = False,
    url: Url = None,
    json: Json = False,
) -> None:
    """Show your tasks, the newest first."""
    with _client(ctx) as client:
        pages = list(islice(client.pages(status), None if everything else 1))
    tasks = [task for page in pages for task in page.results]
    if json:
        show.print_json([task.document() for task in tasks])
    elif tasks:
        show.print_tasks(tasks)
    if not tasks:
        show.say("No tasks. Create one: moscow-tasks run sum 1 2 3 10")
    elif not everything and pages[0].next:
        show.say(f"These are {len(tasks)} of {pages[0].count} tasks; --all shows the others.")


@app.command("show")
def show_task(ctx: typer.Context, task_id: TaskId, url: Url = None, json: Json = False) -> None:
    """Show a task and what has happened to it."""
    with _client(ctx) as client:
        task = client.show(_id(client, task_id))
    _print(ctx, task)


@app.command()
def watch(ctx: typer.Context, task_id: TaskId, url: Url = None, json: Json = False) -> None:
    """Follow a task to its end; exits with 0 if it succeeds."""
    with _client(ctx) as client:
        task = _follow(client, _id(client, task_id))
    _print(ctx, task)
    _exit_as(task)


@app.command()
def cancel(ctx: typer.Context, task_id: TaskId, url: Url = None, json: Json = False) -> None:
    """Cancel a task that has not finished."""
    with _client(ctx) as client:
        task = client.cancel(_id(client, task_id))
    _print(ctx, task)


def _path() -> Path:
    return Path(typer.get_app_dir("moscow-tasks")) / "settings.json"


def _url(ctx: typer.Context) -> str:
    return (ctx.obj.url or Settings(_path()).url or DEFAULT_URL).rstrip("/")


@contextmanager
def _client(ctx: typer.Context) -> Iterator[Client]:
    """Return a client for the URL that was asked for."""
    url = _url(ctx)
    try:
        client = Client(url, store=FileStore(_path(), url))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    with client:
        yield client


def _signed_in(ctx: typer.Context, username: str, document: Mapping[str, Any]) -> None:
    Settings(_path()).remember(_url(ctx))
    if ctx.obj.as_json:
        show.print_json(document)
    show.say(f"Signed in to {_url(ctx)} as {username}.")


def _ask(name: str, prompt: str, **options: Any) -> str:
    """Ask at the terminal; without one, say what is missing instead of waiting for ever."""
    if not _has_terminal():
        raise typer.BadParameter(f"The {name} is missing, and there is no terminal to ask at.")
    return str(typer.prompt(prompt, err=True, **options))


def _has_terminal() -> bool:
    return sys.stdin.isatty()


def _password(from_stdin: bool, *, is_new: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    if password := os.environ.get("MOSCOW_TASKS_PASSWORD"):
        return password
    name = "password (--password-stdin or MOSCOW_TASKS_PASSWORD)"
    return _ask(name, "Password", hide_input=True, confirmation_prompt=is_new)


def _moment(text: str | None) -> str | None:
    """Return a time as the service reads it; `+90s` is 90 seconds from now."""
    ahead = _AHEAD.fullmatch(text or "")
    if ahead is None:
        return text
    return (datetime.now(UTC) + timedelta(**{_UNITS[ahead[2]]: int(ahead[1])})).isoformat()


def _input(client: Client, task_type: str, words: list[str], document: str | None) -> Any:
    """Return the input of a task from its words, or from a JSON document."""
    if document is not None:
        if words:
            raise typer.BadParameter("Give either --input or values, not both.")
        text = sys.stdin.read() if document == "-" else document
        try:
            return exact_json.loads(text)
        except ValueError as error:
            raise typer.BadParameter(f"--input is not JSON: {error}") from None
    known = {one.task_type: one for one in client.task_types()}
    if task_type not in known:
        names = ", ".join(known)
        raise typer.BadParameter(f'There is no task type "{task_type}". There are: {names}.')
    try:
        return arguments.parse(known[task_type].input_schema, words)
    except arguments.ArgumentError as error:
        raise typer.BadParameter(str(error)) from None


def _id(client: Client, task_id: str) -> str:
    """Return the id of a task; `last` is the one that was created last."""
    if task_id != "last":
        return task_id
    for task in client.tasks():
        return task.id
    raise typer.BadParameter("You have no tasks yet: moscow-tasks run sum 1 2 3 10")


def _finish(ctx: typer.Context, client: Client, task: models.Task, *, wait: bool) -> None:
    """Print a new task, when it has finished if that is asked for."""
    if wait and not task.is_finished:
        task = _follow(client, task.id)
    _print(ctx, task)
    if wait:
        _exit_as(task)


def _follow(client: Client, task_id: str) -> models.Task:
    with show.Watching() as watching:
        for task in client.watch(task_id):
            watching.update(task)
    return task


def _print(ctx: typer.Context, task: models.Task) -> None:
    if ctx.obj.as_json:
        show.print_json(task.document())
    else:
        show.print_task(task)


def _exit_as(task: models.Task) -> None:
    if task.status != "success":
        raise typer.Exit(FAILURE)


def _report(error: errors.TasksError, state: State) -> int:
    """Say what went wrong and what to do next; return the exit code."""
    code, advice = next(_ADVICE[kind] for kind in _ADVICE if isinstance(error, kind))
    reasons = error.reasons() if isinstance(error, errors.InvalidFields) else [str(error)]
    for reason in reasons:
        show.say(f"Error: {reason}")
    if isinstance(error, errors.InternalError):
        advice = f"Report this with the request id {error.request_id}."
    show.say(advice)
    if state.as_json:
        show.print_json(
            error.body if isinstance(error, errors.ServiceError) else {"detail": str(error)}
        )
    return code
