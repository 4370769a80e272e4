"""One message to its end: claim the task, run it, record the outcome."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from aws_lambda_powertools import Logger

from chalicelib import dispatch, exact_json, moscow, task_types
from chalicelib.errors import TaskError
from chalicelib.models import FAILURE, LOST_AFTER, MAX_TRIES, SUCCESS, Task
from chalicelib.task_types import Run, WaitUntil

log = Logger(service="tasks", child=True)

#: How long a worker has a task to itself: the timeout of its Lambda, after which it is
#: surely gone, and a little more.
LEASE = timedelta(seconds=65)
#: The largest result, in bytes of JSON: DynamoDB's rows end at 400 KB.
MAX_RESULT = 256 * 1024
#: The pause before the second try; it doubles with each one.
RETRY_PAUSE = timedelta(seconds=10)


def work(record: Mapping[str, Any]) -> None:
    """Deal with one record of an SQS event.

    Returns when the message is done with: the task has ended, waits for its moment, or has
    no need of it. Raises when the queue is to deliver it again.
    """
    user_id, task_id = dispatch.read(record["body"])
    with log.append_context_keys(task_id=task_id, user_id=user_id):
        _work(user_id, task_id, record["receiptHandle"])


def _work(user_id: str, task_id: str, receipt_handle: str) -> None:
    now = moscow.now()
    task, is_mine = Task.claim(
        user_id, task_id, lease=str(uuid4()), now=now, lease_until=now + LEASE
    )
    if task and is_mine:
        _run(task, receipt_handle)
    elif task is None:
        log.warning("a message for a task that is not there")
    elif not task.is_active:
        log.info("a message for a task that has ended", status=task.status)
    elif task.due > now:
        # It came early, or somebody is at it: the message comes back when it is time.
        dispatch.send(user_id, task_id, task.due - now)
    elif task.tries >= MAX_TRIES:
        _give_up(task, now)
    else:
        # It became free after the claim was refused.
        dispatch.send(user_id, task_id)


def bury(record: Mapping[str, Any]) -> None:
    """Deal with one record of the dead-letter queue: what is left of it ends in failure."""
    try:
        user_id, task_id = dispatch.read(record["body"])
    except ValueError:
        log.error("a dead letter that names no task", message_id=record.get("messageId"))
        return
    with log.append_context_keys(task_id=task_id, user_id=user_id):
        now = moscow.now()
        task = Task.find(user_id, task_id)
        if task is None or not task.is_active or task.due > now:
            # Whoever is at it, or its time to come, brings a message of its own.
            log.warning("a dead letter of a task that has no need of it")
        else:
            _give_up(task, now)


def _give_up(task: Task, now: datetime) -> None:
    """End in failure a task that was tried often enough."""
    error = _error("retries_exhausted", "The task was given up after several failed attempts.")
    if task.give_up(now, error):
        log.error("task given up", attempts=int(task.attempts))


def _run(task: Task, receipt_handle: str) -> None:
    try:
        outcome = _outcome(task)
    except TaskError as fault:
        _finish(task, FAILURE, error=_error(fault.code, fault.detail))
    except (ValueError, ArithmeticError):
        log.exception("the type refused its input")
        detail = "The task type could not process the input."
        _finish(task, FAILURE, error=_error("invalid_input", detail))
    except Exception:
        _try_again_later(task, receipt_handle)
        raise
    else:
        if isinstance(outcome, WaitUntil):
            _wait(task, outcome.moment)
        else:
            _finish(task, SUCCESS, result=outcome)


def _outcome(task: Task) -> str | WaitUntil:
    """Run the task's type; return its result as JSON, or until when it waits."""
    task_type = task_types.get(task.task_type)
    if task_type is None:
        raise TaskError(f'There is no task type "{task.task_type}" any more.', "unknown_task_type")
    task_input = task_type.read(exact_json.loads(task.input_data))
    now = moscow.now()
    outcome = task_type.run(task_input, Run(started_at=task.started_at or now, now=now))
    if isinstance(outcome, WaitUntil):
        return outcome
    result = exact_json.dumps(outcome)
    if len(result.encode()) > MAX_RESULT:
        raise TaskError("The result is larger than 256 KiB.", "result_too_large")
    return result


def _finish(
    task: Task, status: str, *, result: str | None = None, error: str | None = None
) -> None:
    if task.finish(status, moscow.now(), result=result, error=error):
        log.info("task finished", status=status, attempts=int(task.attempts))
    else:
        log.warning("outcome dropped: the task was cancelled or taken over", status=status)


def _wait(task: Task, until: datetime) -> None:
    delay = until - moscow.now()
    by_queue = delay <= dispatch.LONGEST_DELAY
    watch_at = until + LOST_AFTER if by_queue else until - dispatch.SENT_AHEAD
    if task.wait(until, watch_at) and by_queue:
        dispatch.send(task.user_id, task.task_id, delay)


def _try_again_later(task: Task, receipt_handle: str) -> None:
    """Free the task for the next delivery of its message, and plan that one."""
    tries = int(task.tries)
    log.exception("attempt failed", tries=tries)
    # After the last try the queue moves the message to the dead letters at once.
    pause = RETRY_PAUSE * 2 ** (tries - 1) if tries < MAX_TRIES else timedelta()
    now = moscow.now()
    if task.release(now + pause, now + pause + dispatch.LONGEST_DELAY):
        dispatch.show_again(receipt_handle, pause)


def _error(code: str, detail: str) -> str:
    return exact_json.dumps({"code": code, "detail": detail})
