"""What is stored in moto: read without calls, and put back as it was."""

import copy
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tests import cloud

QUEUE = f"tasks-{cloud.STAGE}"
DEAD_LETTERS = f"{QUEUE}-dead-letters"
SCHEDULE_DEAD_LETTERS = f"{QUEUE}-schedule-dead-letters"
QUEUES = (QUEUE, DEAD_LETTERS, SCHEDULE_DEAD_LETTERS)


class State(NamedTuple):
    """Everything that is stored at one moment."""

    now: datetime
    items: Any
    messages: dict[str, Any]
    schedules: dict[str, Any]


def save(now: datetime) -> State:
    """Return a copy of everything that is stored."""
    messages = {name: queue(name)._messages for name in QUEUES}
    return copy.deepcopy(State(now, cloud.table_items(), messages, cloud.stored_schedules()))


def restore(state: State) -> None:
    """Store what a copy has, and nothing else."""
    copied = copy.deepcopy(state)
    cloud.table_items().clear()
    cloud.table_items().update(copied.items)
    for name in QUEUES:
        queue(name)._messages = copied.messages[name]
        queue(name)._pending_messages = set()
        queue(name).deleted_messages = set()
    cloud.stored_schedules().clear()
    cloud.stored_schedules().update(copied.schedules)


def queue(name: str) -> Any:
    return sqs().queues[name]


def sqs() -> Any:
    return cloud.backend("sqs")


def schedules() -> Iterator[tuple[str, datetime, str]]:
    """Yield the name, the time and the message of every one-time schedule."""
    for name, schedule in [*cloud.stored_schedules().items()]:
        text = schedule.schedule_expression.removeprefix("at(").removesuffix(")")
        zone = ZoneInfo(schedule.schedule_expression_timezone)
        at = datetime.fromisoformat(text).replace(tzinfo=zone)
        yield name, at.astimezone(UTC), schedule.target["Input"]


def drop_schedule(name: str) -> None:
    del cloud.stored_schedules()[name]


def next_delivery(name: str) -> datetime | None:
    """Return when the next message of a queue can be received; None if it has none."""
    times = [max(one.visible_at, one.delayed_until) for one in queue(name)._messages]
    # moto shows a message after that millisecond.
    return datetime.fromtimestamp((min(times) + 1) / 1000, UTC) if times else None
