"""One message to its end: claim the task, run it, record the outcome."""

from datetime import datetime, timedelta
from uuid import uuid4

from aws_lambda_powertools import Logger

from chalicelib import dispatch, logs, metrics, runner, task_types, times
from chalicelib.dispatch import Message
from chalicelib.lifecycle import (
    DEAD_LETTER_DELAY,
    DEFAULT_MAX_TRIES,
    DEFAULT_TIMEOUT,
    TIME_RESERVE,
    Status,
    retry_pause,
)
from chalicelib.models import Task, events, transitions
from chalicelib.runner import End
from chalicelib.task_types import Retry, Snooze
from chalicelib.time_limit import TimeLimitExceeded

log = Logger(service="tasks", child=True)

_RETRIES_EXHAUSTED = runner.failure(
    "retries_exhausted", "The task was given up after several failed attempts."
)


def handle_message(message: Message) -> None:
    """Bring one message to its end.

    Returns when the message is not needed any more: the task has ended, waits for its moment,
    or has a new message. Raises if the queue must deliver it again.
    """
    now = times.now()
    max_tries = _max_tries(message)
    task, is_mine = transitions.claim(
        message.user_id, message.task_id, lease_id=str(uuid4()), now=now, max_tries=max_tries
    )
    if task and is_mine:
        if task.attempts == 1:
            metrics.task_started(task.created_at, task.scheduled_at, now)
        _run(task)
    elif task is None:
        log.warning("message_without_task")
    elif not task.is_active:
        log.info("message_of_finished_task", status=task.status)
    elif task.due_at > now:
        # It came early, or another worker runs the task. If the schedule of a long wait exists,
        # this drops the message; if the worker died before it made one, this makes it.
        dispatch.send_later(task, task.due_at, now)
    elif task.attempts_since_progress >= max_tries:
        _discard(task, now, max_tries)
    else:
        # The task became free right after the claim was refused.
        dispatch.send(task)


def handle_dead_letter(message: Message) -> None:
    """Deal with a message that the queue gave up on. The tries on the row alone decide.

    A task that nobody tried is never discarded: it is sent again.
    """
    metrics.count("DeadLetters")
    now = times.now()
    task = Task.find(message.user_id, message.task_id)
    if task is None or not task.is_active:
        log.info("dead_letter_dropped")
    elif task.due_at <= now and task.attempts_since_progress >= _max_tries(message):
        _discard(task, now, _max_tries(message))
    else:
        log.warning("dead_letter_sent_again", status=task.status)
        dispatch.send(task, max(task.due_at - now, DEAD_LETTER_DELAY))


def _run(task: Task) -> None:
    try:
        end = runner.run(task)
    except TimeLimitExceeded as error:
        _fail_attempt(task, error, "timeout")
    except Retry as retry:
        _fail_attempt(task, retry, retry.code, retry.after)
    except Exception as error:
        _fail_attempt(task, error, "unexpected_error")
    else:
        if isinstance(end, Snooze):
            _snooze(task, end.until)
        else:
            _finish(task, end)


def _fail_attempt(
    task: Task, error: BaseException, code: str, after: timedelta | None = None
) -> None:
    """Plan the next try of a task; after the last one, end it."""
    task_type = task_types.get(task.task_type)
    assert task_type  # noqa: S101  # nosec B101  # a task without a type ends with a TaskError
    now, tries = times.now(), task.attempts_since_progress
    log.error(
        "attempt_failed",
        code=code,
        tries=tries,
        task_type=task.task_type,
        **logs.exception_keys(error),
    )
    if tries >= task_type.max_tries:
        event = events.attempt_failed(now, code, None)
        _finish(task, _RETRIES_EXHAUSTED, event)
        return
    next_try_at = now + (retry_pause(tries, task_type.backoff) if after is None else after)
    if transitions.schedule_retry(task, now, next_try_at, code):
        metrics.count("Retries")
        dispatch.send_later(task, next_try_at, now)
    else:
        log.warning("lease_lost", outcome="retry")


def _snooze(task: Task, until: datetime) -> None:
    now = times.now()
    if transitions.snooze(task, now, until):
        dispatch.send_later(task, until, now)
    else:
        log.warning("lease_lost", outcome="snooze")


def _finish(task: Task, end: End, event: str | None = None) -> None:
    status, result, error = end
    if transitions.finish(task, status, times.now(), result=result, error=error, event=event):
        metrics.task_finished(status)
        log.info("task_finished", status=status, attempts=task.attempts)
    else:
        # It was cancelled, or another worker took it up after this one's lease.
        log.warning("lease_lost", outcome=status)


def _discard(task: Task, now: datetime, max_tries: int) -> None:
    """End in failure a task whose worker died during its last try."""
    if transitions.discard(task, now, _RETRIES_EXHAUSTED.error, max_tries):
        metrics.task_finished(Status.FAILURE)
        log.error("task_discarded", attempts=task.attempts)


def time_needed(message: Message) -> timedelta:
    """Return how much time a Lambda needs to bring a message to its end."""
    task_type = task_types.get(message.task_type)
    return (task_type.timeout if task_type else DEFAULT_TIMEOUT) + TIME_RESERVE


def _max_tries(message: Message) -> int:
    task_type = task_types.get(message.task_type)
    return task_type.max_tries if task_type else DEFAULT_MAX_TRIES
