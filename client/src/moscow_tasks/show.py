"""What people see: tasks on stdout, and on stderr what happens meanwhile."""

import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
from rich.progress import Task as Bar
from rich.table import Table
from rich.text import Text

from moscow_tasks import arguments, exact_json
from moscow_tasks.models import Event, Task, TaskType

_COLOURS = {
    "pending": "yellow",
    "started": "blue",
    "success": "green",
    "failure": "red",
    "cancelled": "bright_black",
}
#: How much of a result a list shows, in characters.
_GLIMPSE = 40


def console(*, stderr: bool = False) -> Console:
    """Return a console that leaves every character as it is: it never cuts an id or a number."""
    stream, width = (sys.stderr, None) if stderr else (sys.stdout, 10_000)
    return Console(
        file=stream, width=width, markup=False, emoji=False, highlight=False, soft_wrap=True
    )


def say(text: str) -> None:
    """Tell people something that is not the answer."""
    console(stderr=True).print(text)


def print_json(value: Any) -> None:
    sys.stdout.write(exact_json.dumps(value, indent=2) + "\n")


def print_task(task: Task) -> None:
    out = console()
    for name, value in _lines(task):
        style = _COLOURS[task.status] if name == "status" else ""
        out.print(Text.assemble((f"{name:<10}", "dim"), (value, style)))
    if task.events:
        out.print(Text("events", "dim"))
    for event in task.events:
        out.print(f"  {_moment(event.at)}  {_happened(event)}")


def print_tasks(tasks: Iterable[Task]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("id", "type", "status", "created", "starts", "result"):
        table.add_column(name, no_wrap=True)
    for task in tasks:
        table.add_row(
            task.id,
            task.task_type,
            Text(task.status, _COLOURS[task.status]),
            _moment(task.created_at),
            _moment(task.scheduled_at),
            _glimpse(task),
        )
    console().print(table)


def print_types(types: Iterable[TaskType]) -> None:
    out = console()
    for one in types:
        out.print(Text.assemble((one.task_type, "bold"), "  ", one.description))
        for usage in arguments.usages(one.input_schema):
            out.print(f"    moscow-tasks run {one.task_type} {usage}".rstrip())


class Watching:
    """Shows a task on its way: a line for each status, and in a terminal a bar that moves."""

    def __init__(self) -> None:
        err = console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), _Left())
        self.bars = Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
        self._bar = self.bars.add_task("", total=None)
        self._status = ""

    def __enter__(self) -> "Watching":
        self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def update(self, task: Task) -> None:
        if task.status != self._status:
            self._status = task.status
            self.bars.console.print(Text(_headline(task), _COLOURS[task.status]))
        passed, total = _times(task)
        since = self.bars.get_time() - passed
        self.bars.update(
            self._bar, description=task.status, visible=not task.is_finished, since=since
        )
        # Here None is "unknown"; in `update` it would be "as before".
        self.bars.tasks[0].total = total


class _Left(ProgressColumn):
    """The time that is left. Drawing it moves the bar on, several times per second."""

    max_refresh = None

    def render(self, task: Bar) -> Text:
        if task.total is None:
            return Text()
        task.completed = min(task.total, task.get_time() - task.fields["since"])
        minutes, seconds = divmod(round(task.total - task.completed), 60)
        return Text(f"{minutes // 60}:{minutes % 60:02}:{seconds:02} left")


def _times(task: Task) -> tuple[float, float | None]:
    """Return how long a task has waited or run so far, and how long it does so; in seconds."""
    now = datetime.now(UTC)
    if task.status == "pending" and task.scheduled_at:
        start, end = task.created_at, task.scheduled_at
        return (now - start).total_seconds(), (end - start).total_seconds()
    left = (task.progress or {}).get("remaining_seconds")
    if left is None or task.started_at is None:
        return 0, None
    # By how much the clocks here and there differ does not matter to what is left.
    passed = max(0.0, (now - task.started_at).total_seconds())
    return passed, passed + float(left)


def _headline(task: Task) -> str:
    if task.status == "pending" and task.scheduled_at:
        return f"pending: starts at {_moment(task.scheduled_at)}, Moscow time"
    return task.status


def _lines(task: Task) -> Iterator[tuple[str, str]]:
    yield "id", task.id
    yield "type", task.task_type
    yield "input", exact_json.dumps(task.input_data)
    yield "status", task.status
    if task.status == "success":
        yield "result", exact_json.dumps(task.result)
    if task.error:
        yield "error", f"{task.error.detail} ({task.error.code})"
    if task.progress:
        yield "progress", exact_json.dumps(task.progress)
    if task.attempts > 1:
        yield "attempts", str(task.attempts)
    for name, moment in (
        ("created", task.created_at),
        ("starts", task.scheduled_at),
        ("started", task.started_at),
        ("finished", task.finished_at),
    ):
        if moment:
            yield name, f"{_moment(moment)} Moscow time"


def _happened(event: Event) -> str:
    """Return what happened, in words."""
    words = event.event.replace("_", " ")
    if event.event == "finished":
        return f"{words}: {event.status}"
    if event.attempt and event.attempt > 1:
        words += f" (attempt {event.attempt})"
    if event.code:
        words += f": {event.code}"
    if event.next_try_at:
        words += f", next try at {_moment(event.next_try_at)}"
    if event.until:
        words += f" until {_moment(event.until)}"
    return words


def _glimpse(task: Task) -> str:
    if task.error:
        return task.error.code
    text = exact_json.dumps(task.result) if task.status == "success" else ""
    return text if len(text) <= _GLIMPSE else text[: _GLIMPSE - 1] + "…"


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""
