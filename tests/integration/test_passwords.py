"""Which passwords are accepted, and how a user signs in with one."""

from collections.abc import Iterator
from typing import Any

import argon2.low_level
import pytest

from chalicelib.config import settings
from tests.aws_calls import Calls
from tests.drivers import Api
from tests.integration.registering import TOO_LONG, USER, register, sign_in

NO_ACCOUNT = "No active account found with the given credentials"
TOO_SHORT = "This password is too short. It must contain at least 8 characters."
SIMILAR = "The password is too similar to the username."
COMMON = "This password is too common."
NUMERIC = "This password is entirely numeric."
CYRILLIC = "пароль-ключ"


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that passwords were verified against, without salt and digest."""
    verified = []
    original = argon2.low_level.verify_secret

    def verify(password_hash: bytes, *args: Any) -> bool:
        verified.append(password_hash.decode().rsplit("$", 2)[0])
        return original(password_hash, *args)

    monkeypatch.setattr(argon2.low_level, "verify_secret", verify)
    return verified


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The setting PASSWORD_POLICY=strict."""
    monkeypatch.setenv("PASSWORD_POLICY", "strict")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.parametrize(
    ("username", "password", "reasons"),
    [
        ("user", "1234567", [TOO_SHORT]),
        ("user", "ключ123", [TOO_SHORT]),
        ("user", "x" * 129, [TOO_LONG]),
        ("username1", "username1", [SIMILAR]),
        ("user", "user", [TOO_SHORT, SIMILAR]),
        ("x" * 129, "x" * 129, [TOO_LONG, SIMILAR]),
    ],
)
def test_every_reason_against_a_password_is_listed(
    api: Api, username: str, password: str, reasons: list[str]
) -> None:
    answer = register(api, username, password)
    assert (answer.status, answer.json) == (400, {"password": reasons})


def test_by_default_any_password_of_8_to_128_characters_will_do(api: Api) -> None:
    passwords = ["password", "12345678", "username", "x" * 128, CYRILLIC, "😀" * 8, "a b\tc\nd e"]
    for number, password in enumerate(passwords):
        assert register(api, f"user{number}", password).status == 201
        assert sign_in(api, f"user{number}", password).status == 200


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize(
    ("username", "password", "reasons"),
    [
        ("ann", "password", [COMMON]),
        ("ann", "PassWord", [COMMON]),
        ("ann", "83650274619", [NUMERIC]),
        ("ann", "12345678", [COMMON, NUMERIC]),
        ("ann", "12345", [TOO_SHORT, COMMON, NUMERIC]),
        ("ekaterina", "ekaterina7", [SIMILAR]),
        ("ekaterina", "XEKATERINA", [SIMILAR]),
        ("ekaterina", "anireta3ke", [SIMILAR]),
        ("ekaterina@example.com", "ekaterina7", [SIMILAR]),
    ],
)
def test_the_strict_policy_refuses_weak_passwords_too(
    api: Api, username: str, password: str, reasons: list[str]
) -> None:
    answer = register(api, username, password)
    assert (answer.status, answer.json) == (400, {"password": reasons})


@pytest.mark.usefixtures("strict")
def test_the_strict_policy_accepts_a_good_password(api: Api) -> None:
    assert register(api, "ann", "correct horse battery").status == 201
    assert register(api, "bob", CYRILLIC).status == 201


@pytest.mark.usefixtures("strict")
def test_the_strict_policy_holds_for_new_passwords_only(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD_POLICY", "basic")
    settings.cache_clear()
    register(api)
    monkeypatch.setenv("PASSWORD_POLICY", "strict")
    settings.cache_clear()
    assert sign_in(api).status == 200


def test_signing_in_gives_an_access_and_a_refresh_token(api: Api) -> None:
    register(api)
    answer = sign_in(api)
    assert answer.status == 200
    assert answer.json.keys() == {"access", "refresh"}


@pytest.mark.parametrize(
    "password",
    ["wrong password", "Password", "password1", "p", "x" * 129, "x" * 4097, "x" * 60_000],
    ids=lambda text: f"{text[:9]}*{len(text)}",
)
def test_all_wrong_credentials_get_the_same_answer(api: Api, password: str) -> None:
    register(api)
    for username in ("user", "nobody"):
        answer = sign_in(api, username, password)
        assert answer.status == 401
        assert answer.json == {"detail": NO_ACCOUNT, "code": "no_active_account"}
        assert answer.headers["www-authenticate"] == 'Bearer realm="api"'


def test_an_impossible_username_is_simply_unknown(api: Api) -> None:
    for username in ("USER", "no such name!", "#", "x" * 151, "x" * 60_000, "\ufdfa" * 150):
        answer = sign_in(api, username)
        assert answer.status == 401
        assert answer.json == {"detail": NO_ACCOUNT, "code": "no_active_account"}


def test_an_unknown_user_and_a_wrong_password_take_the_same_work(
    api: Api, calls: Calls, verified: list[str]
) -> None:
    register(api)
    calls.clear()
    sign_in(api, "user", "wrong password")
    known_calls, known_work = calls.operations, list(verified)
    calls.clear()
    verified.clear()
    sign_in(api, "nobody", "wrong password")
    assert calls.operations == known_calls == ["BatchGetItem", "TransactWriteItems"]
    assert verified == known_work == ["$argon2id$v=19$m=19456,t=2,p=1"]


@pytest.mark.parametrize("username", ["nobody", "no such name!", "x" * 151])
def test_a_password_is_verified_even_if_there_is_no_such_user(
    api: Api, verified: list[str], username: str
) -> None:
    sign_in(api, username)
    assert verified == ["$argon2id$v=19$m=19456,t=2,p=1"]


def test_signing_in_does_not_end_earlier_sessions(api: Api) -> None:
    register(api)
    first = sign_in(api).json
    sign_in(api)
    assert api.post("/api/token/refresh/", {"refresh": first["refresh"]}).status == 200


def test_an_authorization_header_means_nothing_to_public_routes(api: Api) -> None:
    headers = {"Authorization": "Bearer nonsense"}
    assert api.post("/api/register/", USER, headers=headers).status == 201
    assert api.post("/api/token/", USER, headers=headers).status == 200
