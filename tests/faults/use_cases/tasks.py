"""Use cases of tasks: create, show, list, cancel; and the health of the service."""

from typing import Any
from uuid import uuid4

from tests.faults.use_cases.base import Given, ahead, use_case
from tests.faults.use_cases.given import (
    a_task,
    cancel,
    cancelled,
    finished,
    forget_the_keys,
    in_2_days,
    in_10_minutes,
    in_a_long_snooze,
    in_a_short_snooze,
    started,
    waiting_for_a_retry,
)
from tests.faults.world import World

# -- create


def with_a_key(world: World) -> Any:
    return world.create(world.ann, key="k")


def at_the_limit(world: World) -> None:
    for _ in range(5):
        world.create(world.ann, scheduled_at=ahead(world, hours=1))


def with_stale_slots(world: World) -> None:
    """The slots are held by tasks that are gone."""
    from chalicelib.models import User

    User(f"user#{world.ann.user_id}", "user").update(
        [User.active.add({str(uuid4()) for _ in range(5)})]
    )


def with_a_key_whose_time_has_passed(world: World) -> str:
    at = ahead(world, seconds=70)
    world.create(world.ann, key="k", scheduled_at=at)
    world.settle()
    return at


@use_case("create", ends=["success"], answers=[201], may_double=True)
def create_now(world: World, _: None) -> None:
    world.create(world.ann)


@use_case("create", ends=["success"], answers=[201], may_double=True)
def create_in_a_new_lambda(world: World, _: None) -> None:
    forget_the_keys()
    world.create(world.ann)


@use_case("create", ends=["success"], answers=[201], may_double=True)
def create_a_countdown(world: World, _: None) -> None:
    world.create(world.ann, "countdown", input_data={"seconds": 90})


@use_case("create", ends=["success"], answers=[201], may_double=True)
def create_in_70_seconds(world: World, _: None) -> None:
    world.create(world.ann, scheduled_at=ahead(world, seconds=70))


@use_case("create", ends=["success"], answers=[201], may_double=True)
def create_in_10_minutes(world: World, _: None) -> None:
    world.create(world.ann, scheduled_at=ahead(world, minutes=10))


@use_case("create", ends=["success"], answers=[201], may_double=True)
def create_in_2_days(world: World, _: None) -> None:
    world.create(world.ann, scheduled_at=ahead(world, days=2))


@use_case("create", ends=["success"], answers=[201])
def create_with_a_key(world: World, _: None) -> None:
    world.create(world.ann, key="k")


@use_case("create", ends=["success"], answers=[201])
def create_in_2_days_with_a_key(world: World, _: None) -> None:
    world.create(world.ann, key="k", scheduled_at=ahead(world, days=2))


@use_case("create", with_a_key, ends=["success"], answers=[201])
def replay_a_key(world: World, task: Any) -> None:
    assert world.create(world.ann, key="k")["id"] == task["id"]


@use_case("create", with_a_key_whose_time_has_passed, ends=["success"], answers=[201])
def replay_a_key_whose_time_has_passed(world: World, at: str) -> None:
    world.create(world.ann, key="k", scheduled_at=at)


@use_case("create", with_a_key, ends=["success"], answers=[422])
def reuse_a_key(world: World, _: Any) -> None:
    world.create(world.ann, key="k", input_data={"values": [1]})


@use_case("create", at_the_limit, ends=["success"] * 5, answers=[429])
def create_at_the_limit(world: World, _: None) -> None:
    world.create(world.ann)


@use_case("create", at_the_limit, ends=["success"] * 5, answers=[429])
def create_at_the_limit_with_a_key(world: World, _: None) -> None:
    world.create(world.ann, key="k")


@use_case("create", with_stale_slots, ends=["success"], answers=[201], may_double=True)
def create_with_stale_slots(world: World, _: None) -> None:
    world.create(world.ann)


# -- reads


def with_two_pages(world: World) -> None:
    """Some of them pending, most of them finished."""
    for _ in range(4):
        for _ in range(5):
            world.create(world.ann)
            world.clock.advance(seconds=1)
        world.settle()
    for _ in range(3):
        world.create(world.ann)


@use_case("show and list", a_task, ends=["success"], answers=[200])
def show(world: World, task: Any) -> None:
    world.ask(world.ann, "GET", f"/api/tasks/{task['id']}/")


@use_case("show and list", answers=[404])
def show_what_does_not_exist(world: World, _: None) -> None:
    world.ask(world.ann, "GET", f"/api/tasks/{uuid4()}/")


@use_case("show and list", with_two_pages, ends=["success"] * 23, answers=[200] * 5)
def list_pages(world: World, _: None) -> None:
    for query in ("", "?page=2", "?page=last", "?status=success", "?status=pending"):
        world.ask(world.ann, "GET", f"/api/tasks/{query}")


@use_case("health", answers=[200])
def health(world: World, _: None) -> None:
    world.ask(None, "GET", "/api/health/")


# -- cancel


def _cancels(name: str, given: Given, end: str = "cancelled", answer: int = 200) -> None:
    def act(world: World, task: Any) -> None:
        cancel(world, task)

    act.__name__ = f"cancel_{name}"
    use_case("cancel", given, ends=[end], answers=[answer])(act)


_cancels("a pending task", a_task)
_cancels("a task in 10 minutes", in_10_minutes)
_cancels("a task in 2 days", in_2_days)
_cancels("a started task", started)
_cancels("a task that waits for a retry", waiting_for_a_retry)
_cancels("a task in a short snooze", in_a_short_snooze)
_cancels("a task in a long snooze", in_a_long_snooze)
_cancels("a finished task", finished, "success", 409)
_cancels("a cancelled task", cancelled)
