"""Use cases of the worker and of the dead-letter handler."""

from typing import Any
from uuid import uuid4

from tests.faults import emulated
from tests.faults.use_cases.base import Given, use_case
from tests.faults.use_cases.given import (
    a_task,
    cancelled,
    finished,
    in_2_days,
    in_10_minutes,
    in_a_long_snooze,
    in_a_short_snooze,
    no_tries_left,
    started,
    waiting_for_a_retry,
)
from tests.faults.world import World, message_of

# -- the worker


def _works(name: str, given: Given, *ends: str) -> None:
    def act(world: World, _: Any) -> None:
        world.deliver()

    act.__name__ = f"worker: {name}"
    use_case("worker", given, ends=ends or ["success"])(act)


def _probe(what: str) -> Given:
    return lambda world: world.create(world.ann, "probe", input_data={"do": what})


def a_countdown(seconds: int) -> Given:
    return lambda world: world.create(world.ann, "countdown", input_data={"seconds": seconds})


def a_countdown_that_is_over(world: World) -> None:
    in_a_short_snooze(world)
    world.clock.advance(seconds=91)


def a_duplicate_message(world: World) -> None:
    world.send(message_of(finished(world), world.ann))


def a_message_of_a_started_task(world: World) -> None:
    world.send(message_of(started(world), world.ann))


def an_early_message(world: World) -> None:
    world.send(message_of(in_10_minutes(world), world.ann))


def a_very_early_message(world: World) -> None:
    world.send(message_of(in_2_days(world), world.ann))


def a_message_of_a_long_snooze(world: World) -> None:
    world.send(message_of(in_a_long_snooze(world), world.ann))


def a_message_of_a_cancelled_task(world: World) -> None:
    world.send(message_of(cancelled(world), world.ann))


def a_message_without_task(world: World) -> None:
    world.send(message_of({"id": str(uuid4()), "task_type": "sum"}, world.ann))


def a_malformed_message(world: World) -> None:
    world.send("not ours")


def a_last_try(world: World) -> None:
    """Four tries have failed."""
    world.create(world.ann, "probe", input_data={"do": "always break"})
    for _ in range(4):
        world.deliver()
        world.clock.advance(minutes=3)


def a_batch(world: World) -> None:
    for what in ("nothing", "break", "refuse"):
        world.create(world.ann, "probe", input_data={"do": what})


_works("sum", a_task)
_works("a short countdown", a_countdown(90))
_works("a short countdown that is over", a_countdown_that_is_over)
_works("a countdown of 20 minutes", a_countdown(1200))
_works("input that is at fault", _probe("refuse"), "failure")
_works("a retry after a short pause", _probe("break"))
_works("a retry after a long pause", _probe("retry later"))
_works("a timeout", _probe("take too long"))
_works("a last try", a_last_try, "failure")
_works("no tries left", no_tries_left, "failure")
_works("a duplicate message", a_duplicate_message)
_works("a message of a started task", a_message_of_a_started_task, "failure")
_works("an early message", an_early_message)
_works("a very early message", a_very_early_message)
_works("a message of a long snooze", a_message_of_a_long_snooze)
_works("a message of a cancelled task", a_message_of_a_cancelled_task, "cancelled")
_works("a batch of three", a_batch, "success", "success", "failure")


@use_case("worker", a_message_without_task)
def a_message_of_nothing(world: World, _: None) -> None:
    world.deliver()


@use_case("worker", a_malformed_message)
def a_message_that_cannot_be_read(world: World, _: None) -> None:
    world.deliver()


# -- the dead letters


def _becomes_a_dead_letter(name: str, given: Given, end: str = "success") -> None:
    def a_dead_letter(world: World) -> None:
        task = given(world)
        emulated.queue(emulated.QUEUE)._messages.clear()
        world.send(message_of(task, world.ann), emulated.DEAD_LETTERS)

    def act(world: World, _: None) -> None:
        world.deliver(emulated.DEAD_LETTERS)

    act.__name__ = f"dead letter of {name}"
    use_case("dead letters", a_dead_letter, ends=[end])(act)


_becomes_a_dead_letter("a pending task", a_task)
_becomes_a_dead_letter("a task in 10 minutes", in_10_minutes)
_becomes_a_dead_letter("a started task", started, "failure")
_becomes_a_dead_letter("a task that waits", waiting_for_a_retry)
_becomes_a_dead_letter("a task in a long snooze", in_a_long_snooze)
_becomes_a_dead_letter("a task without tries", no_tries_left, "failure")
_becomes_a_dead_letter("a finished task", finished)
