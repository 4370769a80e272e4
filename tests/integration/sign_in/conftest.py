"""Passwords that are checked, and a user."""

import pytest

from chalicelib import security
from tests.drivers import Api
from tests.integration.sign_in.tools import HERE, register


@pytest.fixture(autouse=True)
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were checked; hashing them would take most of the time."""
    verified: list[str] = []

    def verify(password: str, password_hash: str | None) -> bool:
        verified.append(password)
        return password == password_hash

    monkeypatch.setattr(security, "hash_password", lambda password: password)
    monkeypatch.setattr(security, "verify_password", verify)
    return verified


@pytest.fixture
def user(api: Api) -> Api:
    """A client at an address; the account "user" exists."""
    assert register(api.at("203.0.113.99")).status == 201
    return api.at(HERE)
