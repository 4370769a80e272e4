import re

import pytest

from chalicelib import security
from chalicelib.security import hash_password, verify_password

# argon2id, 19 MiB, 2 iterations, 1 lane.
PARAMETERS = re.compile(r"\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]{43}")


@pytest.fixture(scope="module")
def hashed() -> str:
    return hash_password("correct horse")


def test_passwords_are_hashed_with_argon2id_as_owasp_asks(hashed: str) -> None:
    assert PARAMETERS.fullmatch(hashed)


def test_the_hash_for_unknown_users_costs_as_much_as_any(hashed: str) -> None:
    assert PARAMETERS.fullmatch(security._NOBODYS_HASH)
    assert len(security._NOBODYS_HASH) == len(hashed)


def test_the_same_password_has_another_hash_each_time(hashed: str) -> None:
    assert hash_password("correct horse") != hashed


def test_the_right_password_matches_its_hash(hashed: str) -> None:
    assert verify_password("correct horse", hashed)


@pytest.mark.parametrize(
    "password", ["", "Correct horse", "correct horse ", "correct", "пароль", "x" * 4096]
)
def test_no_other_password_matches(hashed: str, password: str) -> None:
    assert not verify_password(password, hashed)


def test_the_password_of_the_hash_for_unknown_users_signs_nobody_in(
    hashed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(security, "_NOBODYS_HASH", hashed)
    assert not verify_password("correct horse", None)


@pytest.mark.parametrize("length", [4097, 65_000])
def test_a_wrong_password_may_have_any_length(hashed: str, length: int) -> None:
    assert not verify_password("x" * length, hashed)
    assert not verify_password("x" * length, None)
