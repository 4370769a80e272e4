"""What several use cases are given."""

from typing import Any

from tests.faults.use_cases.base import ahead
from tests.faults.world import World


def forget_the_keys() -> None:
    from chalicelib import security

    security._keys.cache_clear()


def a_task(world: World) -> Any:
    return world.create(world.ann)


def in_2_days(world: World) -> Any:
    return world.create(world.ann, scheduled_at=ahead(world, days=2))


def in_10_minutes(world: World) -> Any:
    return world.create(world.ann, scheduled_at=ahead(world, minutes=10))


def started(world: World) -> Any:
    """A worker has died with the task."""
    task = world.create(world.ann, "probe", input_data={"do": "always die"})
    world.deliver()
    return task


def started_once(world: World) -> Any:
    """A worker has died with the task; the next one will not."""
    task = world.create(world.ann, "probe", input_data={"do": "die"})
    world.deliver()
    return task


def waiting_for_a_retry(world: World) -> Any:
    task = world.create(world.ann, "probe", input_data={"do": "break"})
    world.deliver()
    return task


def in_a_short_snooze(world: World) -> Any:
    task = world.create(world.ann, "countdown", input_data={"seconds": 90})
    world.deliver()
    return task


def in_a_long_snooze(world: World) -> Any:
    task = world.create(world.ann, "countdown", input_data={"seconds": 1200})
    world.deliver()
    return task


def finished(world: World) -> Any:
    task = world.create(world.ann)
    world.deliver()
    return task


def cancelled(world: World) -> Any:
    task = in_2_days(world)
    cancel(world, task)
    return task


def cancel(world: World, task: Any) -> None:
    world.ask(world.ann, "POST", f"/api/tasks/{task['id']}/cancel/")


def no_tries_left(world: World) -> Any:
    """Five workers have died with the task."""
    task = world.create(world.ann, "probe", input_data={"do": "always die"})
    for _ in range(5):
        world.deliver()
        world.clock.advance(minutes=7)
    return task
