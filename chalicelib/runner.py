"""One run of a task's type, from the stored input to the end that is recorded."""

from datetime import timedelta
from typing import NamedTuple

from pydantic import ValidationError

from chalicelib import exact_json, metrics, task_types, times
from chalicelib.errors import TaskError
from chalicelib.lifecycle import MAX_TIMEOUT, Status
from chalicelib.models import Task
from chalicelib.task_types import Run, Snooze
from chalicelib.time_limit import time_limit

#: The largest result, in bytes of JSON: an item of DynamoDB ends at 400 KB.
MAX_RESULT = 256 * 1024


class End(NamedTuple):
    """How a task ends, as its row has it."""

    status: Status
    result: str | None = None
    error: str | None = None


def failure(code: str, detail: str) -> End:
    """Return the end of a task that failed."""
    return End(Status.FAILURE, error=exact_json.dumps({"code": code, "detail": detail}))


def run(task: Task, limit: timedelta = MAX_TIMEOUT) -> End | Snooze:
    """Run a task, for as long as its type may take, and for `limit` at most.

    Raises TimeLimitExceeded, and what the type raises, except TaskError: that is an end.
    """
    try:
        outcome = _outcome(task, limit)
    except TaskError as fault:
        return failure(fault.code, fault.detail)
    return outcome if isinstance(outcome, Snooze) else End(Status.SUCCESS, result=outcome)


def _outcome(task: Task, limit: timedelta) -> str | Snooze:
    """Run a task's type; return its result as JSON, or until when it snoozes."""
    task_type = task_types.get(task.task_type)
    if task_type is None:
        raise TaskError(f'There is no task type "{task.task_type}" any more.', "unknown_task_type")
    try:
        task_input = task_type.read(exact_json.loads(task.input_data))
    except ValidationError:
        # The type has changed since it accepted this input.
        raise TaskError("The task type no longer accepts this input.") from None
    now = times.now()
    try:
        with time_limit(min(task_type.timeout, limit)):
            outcome = task_type.run(task_input, Run(started_at=task.started_at or now, now=now))
    finally:
        metrics.duration("RunTimeMs", times.now() - now)
    if isinstance(outcome, Snooze):
        return outcome
    result = exact_json.dumps(outcome)
    if len(result.encode()) > MAX_RESULT:
        raise TaskError("The result is larger than 256 KiB.", "result_too_large")
    return result
