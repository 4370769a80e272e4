"""How many accounts may come from one address."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import security
from chalicelib.config import settings
from tests.aws_calls import Calls
from tests.drivers import Api, Clock
from tests.integration.sign_in.tools import (
    THERE,
    marks,
    register,
    sign_in,
)
from tests.integration.tools import Rows


@pytest.fixture
def per_hour(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`per_hour(3)`: the setting REGISTRATIONS_PER_HOUR."""

    def per_hour(number: int) -> None:
        monkeypatch.setenv("REGISTRATIONS_PER_HOUR", str(number))
        settings.cache_clear()

    yield per_hour
    settings.cache_clear()


def test_twenty_accounts_an_hour_come_from_one_address(api: Api, clock: Clock) -> None:
    for number in range(20):
        assert register(api, f"user{number}").status == 201
        clock.advance(seconds=10)
    answer = register(api, "user20")
    assert (answer.status, answer.json["code"]) == (429, "throttled")
    assert answer.headers["retry-after"] == str(3600 - 200)
    assert register(api.at(THERE), "user20").status == 201
    clock.advance(seconds=3600 - 200)
    assert register(api, "user21").status == 201


def test_a_throttled_registration_hashes_no_password_and_writes_nothing(
    api: Api, calls: Calls, per_hour: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    per_hour(1)
    register(api, "ann")
    calls.clear()
    monkeypatch.setattr(security, "hash_password", None)
    assert register(api, "bob").status == 429
    assert calls.operations == ["BatchGetItem"]


def test_a_refused_registration_does_not_count(api: Api, per_hour: Callable[[int], None]) -> None:
    per_hour(2)
    register(api, "ann")
    assert register(api, "ann").status == 400
    assert register(api, "no such name!").status == 400
    assert register(api, "bob").status == 201


def test_registrations_in_parallel_do_not_pass_the_limit(
    api: Api, calls: Calls, per_hour: Callable[[int], None]
) -> None:
    per_hour(1)
    calls.before("TransactWriteItems", lambda: register(api, "ann"))
    assert register(api, "bob").status == 429
    assert sign_in(api, "bob").status == 401


def test_a_name_that_is_taken_in_the_meantime_is_refused(api: Api, calls: Calls) -> None:
    calls.before("TransactWriteItems", lambda: register(api, "ann"))
    assert register(api, "ann").json == {"username": ["A user with that username already exists."]}


def test_registrations_may_be_unlimited(
    api: Api, rows: Rows, per_hour: Callable[[int], None]
) -> None:
    per_hour(0)
    for number in range(25):
        assert register(api, f"user{number}").status == 201
    assert marks(rows) == []
