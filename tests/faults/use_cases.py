"""All that the service does, one use case each: what is given, and what is done.

In every use case AWS is called, or may be. `ends` are the statuses of all tasks when everything
is quiet; `answers` are those of the last answer to each request. Where a client that got no answer
repeats what took effect, more than one is right.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from tests.faults import emulated
from tests.faults.world import World, message_of

Given = Callable[[World], Any]
Act = Callable[..., Any]

PASSWORD = {"username": "eve", "password": "a long one"}


@dataclass(frozen=True)
class UseCase:
    """One thing that the service does."""

    name: str
    group: str
    given: Given
    act: Act
    #: The statuses of all tasks in the end, by their ids.
    ends: tuple[str, ...]
    #: What the last answer may be.
    answers: tuple[int, ...]
    #: Whether a client that got no answer makes a second task when it asks again.
    may_double: bool


USE_CASES: list[UseCase] = []


def nothing(world: World) -> None:
    """Nothing is given but a user."""


def use_case(
    group: str,
    given: Given = nothing,
    *,
    ends: Sequence[str] = (),
    answers: Sequence[int] = (),
    may_double: bool = False,
) -> Callable[[Act], Act]:
    def register(act: Act) -> Act:
        name = act.__name__.replace("_", " ")
        USE_CASES.append(UseCase(name, group, given, act, tuple(ends), tuple(answers), may_double))
        return act

    return register


def ahead(world: World, **parts: float) -> str:
    return (world.clock.now + timedelta(**parts)).isoformat()


# -- accounts


def registered(world: World) -> None:
    assert world.ask(None, "POST", "/api/register/", PASSWORD).status == 201


def signed_in(world: World) -> Any:
    registered(world)
    return world.ask(None, "POST", "/api/token/", PASSWORD).json


def refreshed(world: World) -> Any:
    """Return the old pair; the new one is not used yet."""
    pair = signed_in(world)
    rotate(world, pair)
    world.clock.advance(seconds=5)
    return pair


def refreshed_twice(world: World) -> Any:
    pair = signed_in(world)
    return rotate(world, rotate(world, pair).json).json


def rotate(world: World, pair: Any) -> Any:
    return world.ask(None, "POST", "/api/token/refresh/", {"refresh": pair["refresh"]})


# A client that registered and did not hear of it is told that the name is taken.
@use_case("accounts", answers=[201, 400])
def register(world: World, _: None) -> None:
    world.ask(None, "POST", "/api/register/", PASSWORD)
    world.attempts.stop()
    # Whatever was answered: the account works.
    assert world.ask(None, "POST", "/api/token/", PASSWORD).status == 200
    world.answers.pop()


@use_case("accounts", registered, answers=[400])
def register_a_name_that_is_taken(world: World, _: None) -> None:
    world.ask(None, "POST", "/api/register/", PASSWORD)


@use_case("accounts", registered, answers=[200])
def sign_in(world: World, _: None) -> None:
    world.ask(None, "POST", "/api/token/", PASSWORD)


@use_case("accounts", registered, answers=[401])
def sign_in_with_a_wrong_password(world: World, _: None) -> None:
    world.ask(None, "POST", "/api/token/", PASSWORD | {"password": "wrong"})


@use_case("accounts", answers=[401])
def sign_in_of_an_unknown_user(world: World, _: None) -> None:
    world.ask(None, "POST", "/api/token/", PASSWORD)


@use_case("accounts", signed_in, answers=[200])
def refresh(world: World, pair: Any) -> None:
    new = rotate(world, pair).json
    world.attempts.stop()
    assert rotate(world, new).status == 200


# A fault may last until the 10 seconds are over. Then it is the reuse of an old token.
@use_case("accounts", refreshed, answers=[200, 401])
def refresh_again_within_10_seconds(world: World, pair: Any) -> None:
    new = rotate(world, pair)
    world.attempts.stop()
    assert new.status == 401 or rotate(world, new.json).status == 200


@use_case("accounts", refreshed_twice, answers=[200])
def refresh_for_the_third_time(world: World, pair: Any) -> None:
    new = rotate(world, pair).json
    world.attempts.stop()
    assert rotate(world, new).status == 200


@use_case("accounts", refreshed, answers=[401])
def refresh_with_a_stolen_token(world: World, pair: Any) -> None:
    world.clock.advance(seconds=60)
    rotate(world, pair)
    world.attempts.stop()
    # The session is over, for the thief and for the user.
    assert world.ask(None, "POST", "/api/token/verify/", {"token": pair["refresh"]}).status == 401


@use_case("accounts", signed_in, answers=[200, 401])
def sign_out(world: World, pair: Any) -> None:
    world.ask(None, "POST", "/api/token/blacklist/", {"refresh": pair["refresh"]})
    world.attempts.stop()
    assert rotate(world, pair).status == 401
    world.answers.pop()


@use_case("accounts", refreshed_twice, answers=[200, 401])
def sign_out_after_a_refresh(world: World, pair: Any) -> None:
    world.ask(None, "POST", "/api/token/blacklist/", {"refresh": pair["refresh"]})
    world.attempts.stop()
    assert rotate(world, pair).status == 401
    world.answers.pop()


@use_case("accounts", refreshed_twice, answers=[200])
def verify_a_refresh_token(world: World, pair: Any) -> None:
    world.ask(None, "POST", "/api/token/verify/", {"token": pair["refresh"]})


@use_case("accounts", answers=[200])
def verify_an_access_token_in_a_new_lambda(world: World, _: None) -> None:
    forget_the_keys()
    world.ask(None, "POST", "/api/token/verify/", {"token": world.ann.token})


@use_case("accounts", registered, answers=[200])
def sign_in_when_the_keys_are_read_again(world: World, _: None) -> None:
    world.clock.advance(minutes=31)
    world.ask(None, "POST", "/api/token/", PASSWORD)


def forget_the_keys() -> None:
    from chalicelib import security

    security._keys.cache_clear()


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


def a_task(world: World) -> Any:
    return world.create(world.ann)


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


def no_tries_left(world: World) -> Any:
    """Five workers have died with the task."""
    task = world.create(world.ann, "probe", input_data={"do": "always die"})
    for _ in range(5):
        world.deliver()
        world.clock.advance(minutes=7)
    return task


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


def _buries(name: str, given: Given, end: str = "success") -> None:
    def a_dead_letter(world: World) -> None:
        task = given(world)
        emulated.queue(emulated.QUEUE)._messages.clear()
        world.send(message_of(task, world.ann), emulated.DEAD_LETTERS)

    def act(world: World, _: None) -> None:
        world.deliver(emulated.DEAD_LETTERS)

    act.__name__ = f"dead letter of {name}"
    use_case("dead letters", a_dead_letter, ends=[end])(act)


_buries("a pending task", a_task)
_buries("a task in 10 minutes", in_10_minutes)
_buries("a started task", started, "failure")
_buries("a task that waits", waiting_for_a_retry)
_buries("a task in a long snooze", in_a_long_snooze)
_buries("a task without tries", no_tries_left, "failure")
_buries("a finished task", finished)


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
