"""Guesses in parallel, and sign-ins while AWS fails."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib import accounts, errors, security, times
from tests.aws_calls import Calls, running
from tests.drivers import Api, Clock
from tests.integration.sign_in.tools import HERE, THERE, fail_to_sign_in, marks, sign_in
from tests.integration.tools import OUTAGE, Fail, Rows

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
