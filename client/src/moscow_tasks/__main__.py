"""The command line, as `python -m moscow_tasks`."""

from moscow_tasks.cli import app

app(prog_name="moscow-tasks")
