"""The task type `countdown`: lets some seconds pass, at nobody's cost."""

import math
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from chalicelib.task_types import Run, TaskInput, WaitUntil, task_type

#: The longest countdown, in seconds: a day.
LONGEST = 86_400


def _whole(value: object) -> object:
    """JSON has one kind of number: 5.0 is a whole one."""
    # Beyond the first condition an int of a million digits could come of it.
    if isinstance(value, Decimal) and abs(value.adjusted()) < 9 and value == int(value):
        return int(value)
    return value


class Input(TaskInput):
    """How long to wait."""

    seconds: Annotated[int, Field(strict=True, ge=0, le=LONGEST), BeforeValidator(_whole)]


def _remaining(countdown: Input, run: Run) -> timedelta:
    return run.started_at + timedelta(seconds=countdown.seconds) - run.now


def progress(countdown: Input, run: Run) -> dict[str, Any]:
    return {"remaining_seconds": max(0, math.ceil(_remaining(countdown, run).total_seconds()))}


@task_type("countdown", Input, progress=progress)
def count_down(countdown: Input, run: Run) -> dict[str, int] | WaitUntil:
    """Waits for 0 to 86,400 seconds."""
    remaining = _remaining(countdown, run)
    if remaining > timedelta():
        return WaitUntil(run.now + remaining)
    return {"seconds": countdown.seconds}
