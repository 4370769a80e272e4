"""The task type `countdown`: lets some seconds pass without a Lambda that waits."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field

from chalicelib.task_types import Run, Snooze, TaskInput, task_type

#: The longest countdown, in seconds: a day.
LONGEST = 86_400


def _whole(value: object) -> object:
    """Take 5.0 for 5: JSON has one kind of number."""
    # Without the first condition, int() could make a number of a million digits.
    if isinstance(value, Decimal) and abs(value.adjusted()) < 9 and value == int(value):
        return int(value)
    return value


class Input(TaskInput):
    """How long to wait."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"seconds": 5}]})

    seconds: Annotated[int, Field(strict=True, ge=0, le=LONGEST), BeforeValidator(_whole)]


def _end(seconds: int, run: Run) -> datetime:
    return run.started_at + timedelta(seconds=seconds)


def progress(input_data: Mapping[str, Any], run: Run) -> dict[str, Any]:
    remaining = _end(int(input_data["seconds"]), run) - run.now
    return {"remaining_seconds": max(0, math.ceil(remaining.total_seconds()))}


@task_type("countdown", Input, progress=progress)
def count_down(countdown: Input, run: Run) -> dict[str, int] | Snooze:
    """Waits for 0 to 86,400 seconds."""
    end = _end(countdown.seconds, run)
    if end > run.now:
        return Snooze(end)
    return {"seconds": countdown.seconds}
