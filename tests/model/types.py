"""The types that the service does not have itself."""

from datetime import timedelta
from typing import Any

from chalicelib import task_types
from chalicelib.errors import TaskError
from chalicelib.task_types import Retry, Run
from tests.model.reference import MAX_TRIES, PAUSES


def define_types() -> None:
    """Register the types that the service does not have itself, once."""
    if task_types.get("refusing"):
        return

    @task_types.task_type("refusing", dict[str, Any])
    def _refuse(_input: Any, _run: Run) -> None:
        raise TaskError("No.")

    @task_types.task_type(
        "failing", dict[str, Any], max_tries=MAX_TRIES["failing"], backoff=PAUSES["failing"]
    )
    def _fail(_input: Any, _run: Run) -> None:
        raise OSError

    @task_types.task_type("retrying", dict[str, Any], max_tries=MAX_TRIES["retrying"])
    def _retry(asked: dict[str, Any], run: Run) -> Any:
        if run.now - run.started_at < timedelta(seconds=int(asked["seconds"])):
            raise Retry(PAUSES["retrying"])
        return asked
