from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import argon2.low_level
import pytest

from chalicelib.config import settings
from tests.aws_calls import Calls
from tests.drivers import Answer, Api

USER = {"username": "user", "password": "password"}
NO_ACCOUNT = "No active account found with the given credentials"
BAD_NAME = (
    "Enter a valid username. This value may contain only letters, numbers, "
    "and @/./+/-/_ characters."
)
TAKEN = "A user with that username already exists."
TOO_SHORT = "This password is too short. It must contain at least 8 characters."
TOO_LONG = "Ensure this field has no more than 128 characters."
SIMILAR = "The password is too similar to the username."
COMMON = "This password is too common."
NUMERIC = "This password is entirely numeric."
FULL_WIDTH_USER = "\uff55\uff53\uff45\uff52"
LONG_S_USER = "u\u017fer"
CYRILLIC = "пароль-ключ"


def register(api: Api, username: str = "user", password: str = USER["password"]) -> Answer:
    return api.post("/api/register/", {"username": username, "password": password})


def sign_in(api: Api, username: str = "user", password: str = USER["password"]) -> Answer:
    return api.post("/api/token/", {"username": username, "password": password})


def fail_to_sign_in(api: Api, times: int, username: str = "user") -> None:
    for _ in range(times):
        assert sign_in(api, username, "wrong password").status == 401


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


def test_a_new_user_gets_an_id_and_the_username_and_never_the_password(api: Api) -> None:
    answer = register(api)
    assert answer.status == 201
    assert answer.json == {"id": str(UUID(answer.json["id"])), "username": "user"}


def test_a_user_who_has_registered_can_sign_in_and_create_tasks(api: Api) -> None:
    register(api)
    api.token = sign_in(api).json["access"]
    assert api.create().status == 201


def test_two_users_have_two_ids(api: Api) -> None:
    assert register(api, "ann").json["id"] != register(api, "bob").json["id"]


def test_the_password_is_stored_only_as_its_argon2id_hash(
    api: Api, rows: Callable[[], list[dict[str, Any]]]
) -> None:
    register(api, password="correct horse")
    assert "correct horse" not in str(rows())
    [stored] = [row["password_hash"]["S"] for row in rows() if "password_hash" in row]
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_a_refused_registration_costs_no_aws_call(api: Api, calls: Calls) -> None:
    register(api, "no such name!", "short")
    assert calls == []


def test_other_fields_are_ignored(api: Api) -> None:
    answer = api.post("/api/register/", USER | {"email": "a@b.test", "id": "1", "is_staff": True})
    assert answer.status == 201
    assert answer.json.keys() == {"id", "username"}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "This field may not be null."),
        ("", "This field may not be blank."),
        (" \t\n", "This field may not be blank."),
        (12345678, "Not a valid string."),
        (1.5, "Not a valid string."),
        (True, "Not a valid string."),
        ([], "Not a valid string."),
        ({"a": 1}, "Not a valid string."),
        ("12345678\x00", "Null characters are not allowed."),
    ],
)
def test_a_field_that_is_not_text_is_refused(api: Api, value: Any, reason: str) -> None:
    for path in ("/api/register/", "/api/token/"):
        for field in ("username", "password"):
            answer = api.post(path, USER | {field: value})
            assert (answer.status, answer.json) == (400, {field: [reason]})


@pytest.mark.parametrize("path", ["/api/register/", "/api/token/"])
def test_every_missing_field_is_named(api: Api, path: str) -> None:
    required = ["This field is required."]
    for answer in (api.post(path, {}), api.post(path)):
        assert (answer.status, answer.json) == (400, {"username": required, "password": required})


def test_a_username_is_letters_digits_and_five_signs(api: Api) -> None:
    for username in [
        "a",
        "7",
        "ann@example.com",
        "a.b+c-d_e",
        "жанна",
        "李",
        "Ünal",
        "x" * 150,
        "user\u0301",
    ]:
        assert register(api, username, "correct horse").status == 201
        assert sign_in(api, username, "correct horse").status == 200


def test_any_other_character_in_a_username_is_refused(api: Api) -> None:
    for username in [
        "a b",
        "a#b",
        "a/b",
        "a:b",
        "<b>",
        "a,b",
        "a\nb",
        "😀",
        "a\u200bb",
        "name#user",
        "*",
    ]:
        answer = register(api, username)
        assert (answer.status, answer.json) == (400, {"username": [BAD_NAME]}), username


def test_a_username_of_151_characters_is_refused(api: Api) -> None:
    answer = register(api, "x" * 151)
    assert answer.json == {"username": ["Ensure this field has no more than 150 characters."]}


def test_every_fault_of_every_field_is_listed(api: Api) -> None:
    answer = register(api, "?" * 151, "?" * 129)
    assert answer.status == 400
    assert answer.json == {
        "username": [BAD_NAME, "Ensure this field has no more than 150 characters."],
        "password": [TOO_LONG],
    }


def test_a_taken_username_is_refused(api: Api) -> None:
    register(api)
    answer = register(api, password="another password")
    assert (answer.status, answer.json) == (400, {"username": [TAKEN]})


def test_a_refused_registration_does_not_change_the_account(api: Api) -> None:
    register(api)
    register(api, password="another password")
    assert sign_in(api).status == 200
    assert sign_in(api, password="another password").status == 401


@pytest.mark.parametrize(
    "same",
    [
        pytest.param(FULL_WIDTH_USER, id="full width"),
        pytest.param(LONG_S_USER, id="long s"),
        pytest.param(" user ", id="with spaces around"),
    ],
)
def test_usernames_are_the_same_when_nfkc_says_so(api: Api, same: str) -> None:
    assert register(api).status == 201
    assert register(api, same).json == {"username": [TAKEN]}
    assert sign_in(api, same).status == 200


def test_a_username_is_kept_in_its_normal_form(api: Api) -> None:
    assert register(api, FULL_WIDTH_USER).json["username"] == "user"


def test_usernames_are_case_sensitive(api: Api) -> None:
    assert register(api, "user").status == 201
    assert register(api, "USER").json["username"] == "USER"


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
