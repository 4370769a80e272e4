"""A task with a time of its own: what makes sure that it runs then.

The sweeper needs this and no other use case, so it does not import theirs.
"""

from datetime import datetime

from chalicelib import dispatch
from chalicelib.lifecycle import next_sweep
from chalicelib.models import Task, transitions


def schedule(task: Task, now: datetime) -> None:
    """Make sure that a task whose time is to come is sent then."""
    dispatch.send_scheduled(task, task.due_at, now)
    transitions.move_sweep(task, next_sweep(now, task.due_at))
