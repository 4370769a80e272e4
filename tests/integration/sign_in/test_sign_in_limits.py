"""Failed sign-ins are limited by username and by address."""

from tests.aws_calls import Calls
from tests.drivers import Api, Clock
from tests.integration.sign_in.tools import HERE, THERE, fail_to_sign_in, marks, register, sign_in
from tests.integration.tools import Rows

FULL_WIDTH_USER = "\uff55\uff53\uff45\uff52"


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
