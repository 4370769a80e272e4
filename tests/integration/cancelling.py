"""What the tests of cancelling have in common."""

from collections.abc import Callable
from typing import Any

from tests.drivers import Answer, Api

#: How long a cancelled task that may have a schedule stays in the sweeper's index, in seconds:
#: until every Lambda that may still be creating the schedule has ended.
GRACE = 110

Schedules = Callable[[], list[str]]


def cancel(user: Api, task: dict[str, Any]) -> Answer:
    return user.post(f"/api/tasks/{task['id']}/cancel/")
