"""A task type that does what its input says."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from chalicelib import task_types
from chalicelib.errors import TaskError
from chalicelib.task_types import Retry, Run
from chalicelib.time_limit import TimeLimitExceeded
from tests.integration.tools import LambdaDied


def probe(what: dict[str, str], run: Run) -> str:
    """Fails in one way or another; what can be tried again succeeds at the second try."""
    is_first = run.now == run.started_at
    match what["do"]:
        case "refuse":
            raise TaskError("No.")
        case "always break":
            raise OSError
        case "always die":
            raise LambdaDied
        case "die" if is_first:
            raise LambdaDied
        case "break" if is_first:
            raise OSError
        case "take too long" if is_first:
            raise TimeLimitExceeded
        case "retry later" if is_first:
            raise Retry(timedelta(minutes=20))
    return "done"


@contextmanager
def registered() -> Iterator[None]:
    """Let the service know the type."""
    register: Any = task_types.task_type("probe", dict[str, Any], max_tries=5)
    register(probe)
    try:
        yield
    finally:
        del task_types._types["probe"]
