"""What each operation of an account costs in AWS calls and in DynamoDB's units, exactly."""

from collections.abc import Callable

import pytest

from tests.aws_calls import Calls
from tests.drivers import Api, Clock
from tests.meter import Meter

USER = {"username": "user", "password": "password"}
WRONG = USER | {"password": "wrong password"}


@pytest.fixture
def costs(api: Api, calls: Calls) -> Callable[..., None]:
    """`costs("token", calls=3, writes=12, reads=4)`: what was done since the last reading."""
    meter = Meter(calls)
    api.get("/api/token/")

    def costs(operation: str, **expected: int) -> None:
        found = dict(zip(("calls", "writes", "reads"), meter.read(), strict=True))
        columns = "".join(f"{found[name]:>12}" for name in found)
        print(f"\n{operation:44}{columns}", end="")  # noqa: T201  # for `make bench-calls`
        assert found == expected

    return costs


@pytest.fixture
def token(api: Api, costs: Callable[..., None]) -> str:
    """The refresh token of a user who registered and signed in."""
    api.post("/api/register/", USER)
    costs("register", calls=2, writes=6, reads=2)
    answer = api.post("/api/token/", USER)
    # The fourth call reads the signing keys, once per container.
    costs("token, first in its container", calls=4, writes=12, reads=4)
    refresh: str = answer.json["refresh"]
    return refresh


@pytest.mark.usefixtures("token")
def test_a_sign_in_is_one_read_and_two_transactions(
    api: Api, costs: Callable[..., None], calls: Calls
) -> None:
    calls.clear()
    assert api.post("/api/token/", USER).status == 200
    costs("token", calls=3, writes=12, reads=4)
    assert calls.operations == ["BatchGetItem", "TransactWriteItems", "TransactWriteItems"]


@pytest.mark.usefixtures("token")
def test_a_failed_sign_in_is_one_read_and_one_transaction(
    api: Api, costs: Callable[..., None]
) -> None:
    for _ in range(10):
        assert api.post("/api/token/", WRONG).status == 401
        costs("token, wrong password", calls=2, writes=6, reads=4)
    assert api.post("/api/token/", USER).status == 429
    costs("token, throttled", calls=1, writes=0, reads=4)


@pytest.mark.usefixtures("token")
def test_a_taken_name_is_one_read(api: Api, costs: Callable[..., None]) -> None:
    assert api.post("/api/register/", USER).status == 400
    costs("register, name taken", calls=1, writes=0, reads=2)


def test_a_refresh_is_one_write(api: Api, token: str, costs: Callable[..., None]) -> None:
    new = api.post("/api/token/refresh/", {"refresh": token}).json["refresh"]
    costs("token/refresh", calls=1, writes=1, reads=0)
    api.post("/api/token/refresh/", {"refresh": token})
    costs("token/refresh, the same again at once", calls=2, writes=1, reads=1)
    api.post("/api/token/verify/", {"token": new})
    costs("token/verify", calls=1, writes=0, reads=1)
    api.post("/api/token/blacklist/", {"refresh": new})
    costs("token/blacklist", calls=1, writes=1, reads=0)


def test_the_reuse_of_a_token_is_two_writes(
    api: Api, token: str, costs: Callable[..., None], clock: Clock
) -> None:
    api.post("/api/token/refresh/", {"refresh": token})
    costs("token/refresh", calls=1, writes=1, reads=0)
    clock.advance(minutes=1)
    api.post("/api/token/refresh/", {"refresh": token})
    costs("token/refresh, reuse: the session ends", calls=3, writes=2, reads=1)
    api.post("/api/token/refresh/", {"refresh": token})
    costs("token/refresh, reuse again", calls=2, writes=1, reads=1)
