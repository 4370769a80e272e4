"""Use cases of the sweeper and of one-time schedules."""

from datetime import timedelta
from typing import Any

from tests.faults import emulated
from tests.faults.use_cases.base import Given, use_case
from tests.faults.use_cases.given import (
    cancelled,
    finished,
    in_2_days,
    in_10_minutes,
    in_a_long_snooze,
    in_a_short_snooze,
    no_tries_left,
    started_once,
    waiting_for_a_retry,
)
from tests.faults.world import World

# -- the sweeper


def lost(given: Given, **later: float) -> Given:
    """Messages and schedules are lost, and the sweeper ticks this much later."""

    def losing(world: World) -> Any:
        task = given(world)
        emulated.queue(emulated.QUEUE)._messages.clear()
        for name, _, _ in emulated.schedules():
            emulated.drop_schedule(name)
        world.clock.advance(**(later or {"minutes": 1}))
        return task

    return losing


def not_dispatched(**parts: float) -> Given:
    """The API's Lambda died between the write and the dispatch."""

    def storing(world: World) -> None:
        from chalicelib import times
        from chalicelib.models import Task, transitions
        from chalicelib.tasks import _new_id

        now = times.now()
        task = Task.new(
            world.ann.user_id,
            _new_id(now),
            task_type="sum",
            input_data='{"values":[16]}',
            scheduled_at=now + timedelta(**parts) if parts else None,
            now=now,
        )
        transitions.create(task, None)
        world.clock.advance(minutes=1)

    return storing


def three_tasks(world: World) -> None:
    for _ in range(3):
        world.create(world.ann)


def cancelled_with_a_schedule(world: World) -> None:
    """The schedule was created after the cancel."""
    task = cancelled(world)
    from chalicelib import dispatch
    from chalicelib.models import Task

    row = Task.find(world.ann.user_id, task["id"])
    assert row
    dispatch._create_schedule(row, world.clock.now + timedelta(days=2))
    world.clock.advance(minutes=2)


def _sweeps(name: str, given: Given, *ends: str) -> None:
    def act(world: World, _: Any) -> None:
        world.tick()

    act.__name__ = f"sweep: {name}"
    use_case("sweeper", given, ends=ends or ["success"])(act)


_sweeps("a task that was not sent", not_dispatched())
_sweeps("a task in 10 minutes that was not sent", not_dispatched(minutes=10))
_sweeps("a task in 2 days that was not sent", not_dispatched(days=2))
_sweeps("a lost schedule, in its time", lost(in_2_days, days=2, minutes=1))
_sweeps("a worker that died, before its lease ends", lost(started_once))
_sweeps("a worker that died, after its lease", lost(started_once, minutes=3))
_sweeps("a lost retry", lost(waiting_for_a_retry))
_sweeps("a lost message of a short snooze", lost(in_a_short_snooze, minutes=3))
_sweeps("a lost schedule of a long snooze", lost(in_a_long_snooze, minutes=21))
_sweeps("a task without tries", lost(no_tries_left, minutes=16), "failure")
_sweeps("three lost tasks", lost(three_tasks), *["success"] * 3)
_sweeps("a schedule left by a cancel", cancelled_with_a_schedule, "cancelled")
_sweeps("nothing", finished)


# -- the schedules


def _fires(name: str, given: Given, end: str = "success", **later: float) -> None:
    def act(world: World, _: Any) -> None:
        world.clock.advance(**later)
        world.fire()
        world.deliver()

    act.__name__ = f"schedule of {name}"
    use_case("schedules", given, ends=[end])(act)


_fires("a task in 2 days", in_2_days, days=2)
_fires("a long snooze", in_a_long_snooze, minutes=20)
_fires("a task in 10 minutes", in_10_minutes, minutes=10)
