"""Failed sign-ins and registrations are limited by username and by address."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib import accounts, errors, security, times
from chalicelib.config import settings
from tests.aws_calls import Calls, running
from tests.drivers import Answer, Api, Clock
from tests.integration.tools import OUTAGE, Fail, Rows

PASSWORD = "correct horse"
FULL_WIDTH_USER = "\uff55\uff53\uff45\uff52"
HERE, THERE = "192.0.2.1", "198.51.100.7"


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


@pytest.fixture
def per_hour(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`per_hour(3)`: the setting REGISTRATIONS_PER_HOUR."""

    def per_hour(number: int) -> None:
        monkeypatch.setenv("REGISTRATIONS_PER_HOUR", str(number))
        settings.cache_clear()

    yield per_hour
    settings.cache_clear()


def register(api: Api, username: str = "user") -> Answer:
    return api.post("/api/register/", {"username": username, "password": PASSWORD})


def sign_in(api: Api, username: str = "user", password: str = PASSWORD) -> Answer:
    return api.post("/api/token/", {"username": username, "password": password})


def fail_to_sign_in(api: Api, times: int, username: str = "user") -> None:
    for _ in range(times):
        assert sign_in(api, username, "wrong password").status == 401


def marks(rows: Rows) -> list[int]:
    """Return how many attempts each row counts."""
    return [len(row["marks"]["SS"]) for row in rows() if "marks" in row]


# -- failures of one username from one address


def test_ten_failures_are_answered_and_the_eleventh_attempt_is_throttled(user: Api) -> None:
    fail_to_sign_in(user, 10)
    answer = sign_in(user, password="wrong password")
    assert answer.status == 429
    assert answer.json["code"] == "throttled"
    assert answer.json["detail"] == "Request was throttled. Expected available in 900 seconds."
    assert answer.headers["retry-after"] == "900"


def test_the_right_password_does_not_help_where_ten_failures_came_from(user: Api) -> None:
    fail_to_sign_in(user, 10)
    assert sign_in(user).status == 429


def test_a_stranger_cannot_lock_a_user_out_from_elsewhere(user: Api) -> None:
    fail_to_sign_in(user.at(THERE), 10)
    assert sign_in(user.at(THERE)).status == 429
    assert sign_in(user).status == 200


def test_a_header_does_not_change_the_address(user: Api) -> None:
    for number in range(10):
        headers = {"X-Forwarded-For": f"192.0.2.{number}", "Forwarded": f"for=192.0.2.{number}"}
        body = {"username": "user", "password": "wrong password"}
        assert user.post("/api/token/", body, headers=headers).status == 401
    assert sign_in(user).status == 429


def test_the_addresses_of_an_ipv6_network_count_as_one(user: Api) -> None:
    for number in range(10):
        fail_to_sign_in(user.at(f"2001:db8:1:2::{number:x}"), 1)
    assert sign_in(user.at("2001:db8:1:2:ffff::1")).status == 429
    assert sign_in(user.at("2001:db8:1:3::1")).status == 200


def test_an_ipv4_address_counts_as_one_in_either_notation(user: Api) -> None:
    fail_to_sign_in(user, 10)
    assert sign_in(user.at(f"::ffff:{HERE}")).status == 429
    assert sign_in(user.at(f"::ffff:{THERE}")).status == 200


def test_the_right_password_works_after_nine_failures(user: Api) -> None:
    fail_to_sign_in(user, 9)
    assert sign_in(user).status == 200


def test_a_success_does_not_forgive_failures(user: Api) -> None:
    fail_to_sign_in(user, 9)
    assert sign_in(user).status == 200
    fail_to_sign_in(user, 1)
    assert sign_in(user).status == 429


def test_successes_do_not_count(user: Api, rows: Rows) -> None:
    for _ in range(12):
        assert sign_in(user).status == 200
    assert marks(rows) == [1]  # the registration


def test_a_throttled_attempt_verifies_no_password_and_writes_nothing(
    user: Api, calls: Calls, verified: list[str]
) -> None:
    fail_to_sign_in(user, 10)
    calls.clear()
    verified.clear()
    sign_in(user)
    assert (calls.operations, verified) == (["BatchGetItem"], [])


def test_an_unknown_user_is_throttled_just_the_same(user: Api) -> None:
    fail_to_sign_in(user, 10, "user")
    fail_to_sign_in(user, 10, "nobody")
    assert sign_in(user, "nobody").json == sign_in(user, "user").json
    assert sign_in(user, "nobody").status == 429


def test_attempts_for_names_that_are_too_long_are_limited_too(
    user: Api, verified: list[str]
) -> None:
    for number in range(12):
        sign_in(user, "x" * 151 + str(number), "wrong password")
    assert len(verified) == 10


def test_other_users_sign_in_while_one_is_throttled(user: Api) -> None:
    fail_to_sign_in(user, 10, "ann")
    assert sign_in(user, "ann").status == 429
    assert sign_in(user, "user").status == 200


def test_failures_under_every_spelling_of_a_username_count_together(user: Api) -> None:
    fail_to_sign_in(user, 5, "user")
    fail_to_sign_in(user, 5, FULL_WIDTH_USER)
    assert sign_in(user).status == 429


def test_the_user_may_sign_in_after_retry_after_and_no_sooner(user: Api, clock: Clock) -> None:
    for _ in range(10):
        fail_to_sign_in(user, 1)
        clock.advance(seconds=7)
    wait = int(sign_in(user).headers["retry-after"])
    assert wait == 15 * 60 - 70
    clock.advance(seconds=wait - 1)
    assert sign_in(user).status == 429
    clock.advance(seconds=1)
    assert sign_in(user).status == 200


def test_failures_count_for_15_minutes_each(user: Api, clock: Clock) -> None:
    fail_to_sign_in(user, 5)
    clock.advance(minutes=10)
    fail_to_sign_in(user, 5)
    assert sign_in(user).status == 429
    clock.advance(minutes=5, seconds=1)
    assert sign_in(user).status == 200
    fail_to_sign_in(user, 5)
    assert sign_in(user).status == 429


def test_attempts_while_throttled_do_not_prolong_it(user: Api, clock: Clock) -> None:
    fail_to_sign_in(user, 10)
    for _ in range(5):
        clock.advance(minutes=2)
        assert sign_in(user, password="wrong password").status == 429
    clock.advance(minutes=5, seconds=1)
    assert sign_in(user).status == 200


def test_ten_failures_spread_over_more_than_15_minutes_throttle_nobody(
    user: Api, clock: Clock
) -> None:
    for _ in range(12):
        fail_to_sign_in(user, 1)
        clock.advance(seconds=100)
    assert sign_in(user).status == 200


def test_a_throttled_user_keeps_working_with_existing_tokens(user: Api) -> None:
    tokens = sign_in(user).json
    fail_to_sign_in(user, 10)
    assert user.post("/api/token/refresh/", {"refresh": tokens["refresh"]}).status == 200
    assert Api(user._client, tokens["access"]).get("/api/tasks/").status == 200


def test_failures_expire_from_the_table(api: Api, clock: Clock, rows: Rows) -> None:
    fail_to_sign_in(api, 1)
    expiries = [int(row["expires_at"]["N"]) for row in rows()]
    assert expiries == [int(clock.now.timestamp()) + 15 * 60] * 3


# -- failures from one address, and of one username


def test_a_hundred_failures_from_one_address_throttle_it_for_every_username(user: Api) -> None:
    for number in range(100):
        fail_to_sign_in(user, 1, f"user{number}")
    assert sign_in(user).status == 429
    assert sign_in(user.at(THERE)).status == 200


def test_a_hundred_failures_of_one_username_throttle_it_from_everywhere(user: Api) -> None:
    for number in range(10):
        fail_to_sign_in(user.at(f"198.51.100.{number}"), 10)
    assert sign_in(user).status == 429
    register(user, "ann")
    assert sign_in(user, "ann").status == 200


def test_an_attempt_that_one_limit_refuses_counts_against_no_other(user: Api, rows: Rows) -> None:
    fail_to_sign_in(user, 10)
    before = marks(rows)
    for _ in range(5):
        assert sign_in(user).status == 429
    assert marks(rows) == before


# -- guesses in parallel


def test_a_guess_is_counted_before_its_password_is_checked(
    user: Api, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[list[int]] = []

    def verify(password: str, password_hash: str | None) -> bool:
        counted.append(marks(rows))
        return True

    monkeypatch.setattr(security, "verify_password", verify)
    assert sign_in(user).status == 200
    assert counted == [[1, 1, 1, 1]]  # three limits and the registration
    assert marks(rows) == [1]


def test_sixty_guesses_in_parallel_check_ten_passwords(
    user: Api, calls: Calls, verified: list[str]
) -> None:
    def guess(_number: int) -> str:
        with running("api_handler"):
            try:
                accounts.sign_in("user", "wrong password", HERE, times.now())
            except errors.ServiceError as error:
                return error.code
        return "signed in"

    with ThreadPoolExecutor(32) as threads:
        outcomes = list(threads.map(guess, range(60)))
    assert len(verified) == outcomes.count("no_active_account") == 10
    assert outcomes.count("throttled") == 50


def test_a_guess_that_others_overtake_is_throttled_all_the_same(user: Api, calls: Calls) -> None:
    fail_to_sign_in(user, 9)
    calls.before("TransactWriteItems", lambda: fail_to_sign_in(user, 1))
    assert sign_in(user).status == 429


def test_old_failures_do_not_keep_a_guess_out_when_others_overtake_it(
    user: Api, calls: Calls, clock: Clock
) -> None:
    fail_to_sign_in(user, 9)
    clock.advance(minutes=16)
    calls.before("TransactWriteItems", lambda: fail_to_sign_in(user, 1))
    assert sign_in(user).status == 200


# -- when AWS fails


@pytest.mark.parametrize("operation", ["BatchGetItem", "TransactWriteItems"])
@pytest.mark.parametrize("after", [False, True], ids=["before its effect", "after its effect"])
def test_without_dynamodb_no_password_is_checked(
    user: Api, fail: Fail, verified: list[str], operation: str, after: bool
) -> None:
    fail(operation, OUTAGE, after=after)
    answer = sign_in(user)
    assert (answer.status, answer.json["code"], verified) == (503, "unavailable", [])


def test_a_user_whose_success_cannot_be_noted_is_signed_in(
    user: Api, calls: Calls, rows: Rows
) -> None:
    # The first transaction counts the attempt, the second one takes it back.
    transactions: list[Any] = []

    def is_second(operation: str, _parameters: Any) -> bool:
        if operation != "TransactWriteItems":
            return False
        transactions.append(operation)
        return len(transactions) == 2

    calls.fail(is_second, OUTAGE)
    assert sign_in(user).status == 200
    assert marks(rows) == [1, 1, 1, 1]


def test_a_repeated_call_counts_and_takes_back_once(user: Api, calls: Calls, rows: Rows) -> None:
    calls.repeat("TransactWriteItems")
    fail_to_sign_in(user, 9)
    fail_to_sign_in(user, 1)
    assert max(marks(rows)) == 10
    assert sign_in(user.at(THERE)).status == 200
    assert max(marks(rows)) == 10


# -- registrations


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
