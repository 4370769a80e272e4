"""What was lost is found again: tasks without a message, counters that drifted."""

from collections.abc import Callable
from datetime import datetime, timedelta

from aws_lambda_powertools import Logger

from chalicelib import dispatch, tasks
from chalicelib.models import LOST_AFTER, PENDING, WATCH_SHARDS, Row, Task, User, watched

log = Logger(service="tasks", child=True)

#: Rows of one partition of the index that one sweep looks at.
PER_SHARD = 1000
#: A task that was sent again is left alone for so long, so that a backlog of the queue
#: does not feed itself.
PATIENCE = timedelta(minutes=15)


def sweep(now: datetime, has_time: Callable[[], bool] = lambda: True) -> None:
    """Look after every row that is due for it, the longest overdue first.

    What `has_time` leaves undone the next sweep does.
    """
    for shard in range(WATCH_SHARDS):
        for row in watched(shard, now, PER_SHARD):
            if not has_time():
                log.warning("out of time, the next sweep goes on")
                return
            try:
                _look_after(row, now)
            except Exception:
                # One row must not keep the others from being looked after.
                log.exception("sweeping a row failed", pk=row.pk, sk=row.sk)


def _look_after(row: Row, now: datetime) -> None:
    if isinstance(row, User):
        _check_counter(row.user_id, now)
    elif isinstance(row, Task):
        # The index may lag behind the table, which has the last word.
        task = Task.find(row.user_id, row.task_id)
        if task and task.watch_at and task.watch_at <= now:
            _look_after_task(task, now)


def _look_after_task(task: Task, now: datetime) -> None:
    wait = task.due - now
    if not task.is_active:
        # Cancelled, but perhaps its one-shot is still there.
        dispatch.call_off(task.task_id)
        task.rewatch(None)
    elif wait <= timedelta():
        log.warning("a lost task is sent again", task_id=task.task_id, status=task.status)
        dispatch.send(task.user_id, task.task_id)
        task.rewatch(now + PATIENCE)
    elif task.status == PENDING:
        tasks.schedule(task, now)
    elif wait <= dispatch.LONGEST_DELAY:
        dispatch.send(task.user_id, task.task_id, wait)
        task.rewatch(task.due + LOST_AFTER)
    else:
        task.rewatch(task.due - dispatch.SENT_AHEAD)


def _check_counter(user_id: str, now: datetime) -> None:
    # The counters are read first: a change while the tasks are counted shows in them.
    user = User.find(user_id)
    if user is None:
        return
    active = len(Task.active_of(user_id))
    if active != user.active:
        log.error("a counter had drifted", user_id=user_id, stored=int(user.active), found=active)
    user.settle(active, now)
