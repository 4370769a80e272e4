"""The metrics of the service, written to the log as EMF, from which CloudWatch makes them.

What happens is collected here and written at the end of each invocation, if anything happened.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, TypeVar

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from chalicelib.config import settings

NAMESPACE = "Tasks"

#: Every metric, with its unit. Each has the dimension `service`.
UNITS = {
    "TasksCreated": MetricUnit.Count,
    #: Has the dimension `status`, too.
    "TasksFinished": MetricUnit.Count,
    #: From its creation, or from its time, until a worker first takes a task up.
    "QueueWaitMs": MetricUnit.Milliseconds,
    #: From its time until a worker first takes a task up; only of tasks with a time.
    "LatenessMs": MetricUnit.Milliseconds,
    #: Of one run of a type.
    "RunTimeMs": MetricUnit.Milliseconds,
    #: Failed attempts that are tried again.
    "Retries": MetricUnit.Count,
    "SweepRescued": MetricUnit.Count,
    #: Due tasks that a sweep had no time for, or could not send.
    "SweepLeftOver": MetricUnit.Count,
    "DeadLetters": MetricUnit.Count,
    #: Messages whose handling failed; the queue delivers them again.
    "RecordsFailed": MetricUnit.Count,
}

_F = TypeVar("_F", bound=Callable[..., Any])

#: What happened in this invocation: name, value, status. Appending is safe in any thread.
_happened: list[tuple[str, float, str | None]] = []


def count(name: str, number: int = 1) -> None:
    """Count something that happened."""
    if number:
        _happened.append((name, number, None))


def task_finished(status: str) -> None:
    """Count a task that ended."""
    _happened.append(("TasksFinished", 1, status))


def task_started(created_at: datetime, scheduled_at: datetime | None, now: datetime) -> None:
    """Note that a worker took a task up for the first time."""
    duration("QueueWaitMs", now - (scheduled_at or created_at))
    if scheduled_at:
        duration("LatenessMs", now - scheduled_at)


def duration(name: str, passed: timedelta) -> None:
    """Note how long something took."""
    _happened.append((name, passed / timedelta(milliseconds=1), None))


def flush() -> None:
    """Write what happened, one document for each set of dimensions; nothing if nothing did."""
    happened, _happened[:] = list(_happened), []
    documents: dict[str | None, EphemeralMetrics] = {}
    for name, value, status in happened:
        if status not in documents:
            documents[status] = EphemeralMetrics(namespace=NAMESPACE, service=settings().service)
            if status:
                documents[status].add_dimension("status", status)
        documents[status].add_metric(name, UNITS[name], value)
    for document in documents.values():
        document.flush_metrics()


def flushed(function: _F) -> _F:
    """Flush after each call of a Lambda's function, even if it raises."""

    @wraps(function)
    def flushing(*args: Any) -> Any:
        try:
            return function(*args)
        finally:
            flush()

    return flushing  # type: ignore[return-value]
