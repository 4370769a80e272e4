from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from chalicelib import accounts, passwords
from chalicelib.config import settings
from chalicelib.errors import InvalidFields

NOON = datetime(2026, 2, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The setting PASSWORD_POLICY=strict."""
    monkeypatch.setenv("PASSWORD_POLICY", "strict")
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_nobody_registers_with_a_password_against_the_rules() -> None:
    with pytest.raises(InvalidFields) as caught:
        accounts.register("user", "user", "192.0.2.1", NOON)
    assert caught.value.fields == {
        "password": [
            "This password is too short. It must contain at least 8 characters.",
            "The password is too similar to the username.",
        ]
    }


def test_a_password_of_8_to_128_characters_is_accepted() -> None:
    assert passwords.faults("x" * 8, "user") == passwords.faults("x" * 128, "user") == []


@pytest.mark.usefixtures("strict")
def test_an_unknown_username_is_not_similar_to_any_password() -> None:
    assert passwords.faults("correct horse battery", "") == []


@pytest.mark.usefixtures("strict")
def test_the_strict_policy_lists_every_reason_in_djangos_order() -> None:
    assert passwords.faults("12345", "12345") == [
        "This password is too short. It must contain at least 8 characters.",
        "The password is too similar to the username.",
        "This password is too common.",
        "This password is entirely numeric.",
    ]
