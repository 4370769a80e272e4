"""Use cases of accounts and tokens."""

from typing import Any

from tests.faults.use_cases.base import PASSWORD, use_case
from tests.faults.use_cases.given import forget_the_keys
from tests.faults.world import World


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
