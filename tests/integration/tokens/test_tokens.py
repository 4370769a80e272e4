"""Tokens in the normal case: their claims, lifetimes, rotation, sign-out and verification."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import jwt
import pytest

from chalicelib.config import settings
from tests.drivers import Api, Clock
from tests.integration.tokens.tools import (
    USER,
    assert_access_refused,
    assert_refused,
    claims,
    refresh,
    sign_out,
    use,
    verify,
)


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    def configure(name: str, value: str) -> None:
        monkeypatch.setenv(name, value)
        settings.cache_clear()

    yield configure
    settings.cache_clear()


@pytest.mark.parametrize(
    ("kind", "lifetime"), [("access", timedelta(minutes=15)), ("refresh", timedelta(days=7))]
)
def test_a_token_has_the_claims_of_simplejwt(
    pair: dict[str, str], clock: Clock, kind: str, lifetime: timedelta
) -> None:
    said = claims(pair[kind])
    assert said.keys() == {"token_type", "exp", "iat", "jti", "user_id"}
    assert said["token_type"] == kind
    assert said["iat"] == int(clock.now.timestamp())
    assert said["exp"] - said["iat"] == lifetime.total_seconds()
    assert bytes.fromhex(said["jti"]).hex() == said["jti"]
    assert len(said["jti"]) == 32


def test_the_user_id_in_a_token_is_the_one_from_the_registration(api: Api) -> None:
    user_id = api.post("/api/register/", USER).json["id"]
    tokens = api.post("/api/token/", USER).json
    assert claims(tokens["access"])["user_id"] == user_id
    assert claims(tokens["refresh"])["user_id"] == user_id


def test_a_token_says_which_key_signed_it(pair: dict[str, str]) -> None:
    for token in pair.values():
        assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT", "kid": "k1"}


def test_no_two_tokens_have_the_same_id(api: Api, pair: dict[str, str]) -> None:
    tokens = [*pair.values(), *api.post("/api/token/", USER).json.values()]
    assert len({claims(token)["jti"] for token in tokens}) == 4


def test_both_lifetimes_are_settings(api: Api, configure: Callable[[str, str], None]) -> None:
    configure("ACCESS_TOKEN_MINUTES", "3")
    configure("REFRESH_TOKEN_DAYS", "2")
    api.post("/api/register/", USER)
    tokens = api.post("/api/token/", USER).json
    access, refresh_token = claims(tokens["access"]), claims(tokens["refresh"])
    assert access["exp"] - access["iat"] == 3 * 60
    assert refresh_token["exp"] - refresh_token["iat"] == 2 * 24 * 60 * 60


def test_an_access_token_opens_the_task_routes_until_it_expires(
    api: Api, pair: dict[str, str], clock: Clock
) -> None:
    clock.advance(minutes=14, seconds=59)
    assert use(api, pair["access"]).status == 200
    clock.advance(seconds=1)
    assert_access_refused(use(api, pair["access"]), "Token is expired")


def test_a_refresh_token_works_until_it_expires(
    api: Api, pair: dict[str, str], clock: Clock
) -> None:
    clock.advance(days=7, seconds=-1)
    assert verify(api, pair["refresh"]).status == 200
    clock.advance(seconds=1)
    assert_refused(verify(api, pair["refresh"]), "Token is expired")
    assert_refused(refresh(api, pair["refresh"]), "Token is expired")
    assert_refused(sign_out(api, pair["refresh"]), "Token is expired")


def test_a_shorter_lifetime_applies_to_tokens_that_were_issued_before(
    api: Api, pair: dict[str, str], clock: Clock, configure: Callable[[str, str], None]
) -> None:
    configure("ACCESS_TOKEN_MINUTES", "3")
    configure("REFRESH_TOKEN_DAYS", "2")
    clock.advance(minutes=3, seconds=-1)
    assert use(api, pair["access"]).status == 200
    clock.advance(seconds=1)
    assert_access_refused(use(api, pair["access"]), "Token is expired")
    assert_refused(verify(api, pair["access"]), "Token is expired")
    clock.advance(days=2, minutes=-3, seconds=-1)
    assert verify(api, pair["refresh"]).status == 200
    clock.advance(seconds=1)
    assert_refused(verify(api, pair["refresh"]), "Token is expired")


def test_a_longer_lifetime_does_not_apply_to_tokens_that_were_issued_before(
    api: Api, pair: dict[str, str], clock: Clock, configure: Callable[[str, str], None]
) -> None:
    configure("REFRESH_TOKEN_DAYS", "14")
    clock.advance(days=7)
    assert_refused(refresh(api, pair["refresh"]), "Token is expired")


def test_a_longer_lifetime_does_not_apply_to_a_token_that_was_used_before(
    api: Api, pair: dict[str, str], clock: Clock, configure: Callable[[str, str], None]
) -> None:
    configure("ACCESS_TOKEN_MINUTES", "30")
    clock.advance(minutes=15, seconds=-1)
    assert use(api, pair["access"]).status == 200
    clock.advance(seconds=1)
    assert_access_refused(use(api, pair["access"]), "Token is expired")


def test_refreshing_gives_a_new_pair_for_the_same_user(api: Api, pair: dict[str, str]) -> None:
    answer = refresh(api, pair["refresh"])
    assert answer.status == 200
    assert answer.json.keys() == {"access", "refresh"}
    assert use(api, answer.json["access"]).status == 200
    assert claims(answer.json["access"])["user_id"] == claims(pair["access"])["user_id"]


def test_a_rotated_refresh_token_lives_its_full_time(
    api: Api, pair: dict[str, str], clock: Clock
) -> None:
    clock.advance(days=6)
    rotated = refresh(api, pair["refresh"]).json["refresh"]
    clock.advance(days=6)
    assert refresh(api, rotated).status == 200


def test_refreshing_leaves_the_access_token_alone(api: Api, pair: dict[str, str]) -> None:
    refresh(api, pair["refresh"])
    assert use(api, pair["access"]).status == 200


def test_a_user_who_signed_out_cannot_refresh(api: Api, pair: dict[str, str]) -> None:
    answer = sign_out(api, pair["refresh"])
    assert (answer.status, answer.json) == (200, {})
    assert_refused(refresh(api, pair["refresh"]), "Token is blacklisted")


def test_signing_out_twice_is_refused(api: Api, pair: dict[str, str]) -> None:
    sign_out(api, pair["refresh"])
    assert_refused(sign_out(api, pair["refresh"]), "Token is blacklisted")


def test_signing_out_ends_one_session_only(api: Api, pair: dict[str, str]) -> None:
    other = api.post("/api/token/", USER).json
    sign_out(api, pair["refresh"])
    assert refresh(api, other["refresh"]).status == 200


def test_a_token_of_either_type_can_be_verified(api: Api, pair: dict[str, str]) -> None:
    for token in pair.values():
        answer = verify(api, token)
        assert (answer.status, answer.json) == (200, {})


def test_verifying_does_not_use_up_a_token(api: Api, pair: dict[str, str]) -> None:
    verify(api, pair["refresh"])
    assert refresh(api, pair["refresh"]).status == 200


def test_a_revoked_token_does_not_verify(api: Api, pair: dict[str, str]) -> None:
    sign_out(api, pair["refresh"])
    assert_refused(verify(api, pair["refresh"]), "Token is blacklisted")


def test_a_revocation_leaves_the_table_when_the_token_has_expired(
    api: Api, pair: dict[str, str], rows: Callable[[], list[dict[str, Any]]]
) -> None:
    sign_out(api, pair["refresh"])
    [revoked] = [row for row in rows() if row["pk"]["S"].startswith("token#")]
    assert int(revoked["expires_at"]["N"]) == claims(pair["refresh"])["exp"]
