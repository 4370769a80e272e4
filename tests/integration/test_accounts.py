"""POST /api/register: what is accepted and stored, and what is refused."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from tests.aws_calls import Calls
from tests.drivers import Api
from tests.integration.registering import TOO_LONG, USER, register, sign_in

BAD_NAME = (
    "Enter a valid username. This value may contain only letters, numbers, "
    "and @/./+/-/_ characters."
)
TAKEN = "A user with that username already exists."
FULL_WIDTH_USER = "\uff55\uff53\uff45\uff52"
LONG_S_USER = "u\u017fer"


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
