"""Refresh tokens rotate; a copy of one ends the session, a lost answer does not."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import jwt
import pytest

from chalicelib import security
from chalicelib.config import settings
from tests import cloud
from tests.aws_calls import Calls
from tests.drivers import Answer, Api, Clock
from tests.integration.tools import OUTAGE, TIMEOUT, Fail, Rows

BLACKLISTED = {"detail": "Token is blacklisted", "code": "token_not_valid"}
EXPIRED = {"detail": "Token is expired", "code": "token_not_valid"}


@pytest.fixture
def token(ann: Api) -> str:
    """The refresh token of a new session."""
    from chalicelib import accounts, times

    pair = accounts._token_pair(ann.user_id, times.now(), accounts._first_jti(), times.now())
    return pair["refresh"]


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The setting REFRESH_GRACE_SECONDS=0."""
    monkeypatch.setenv("REFRESH_GRACE_SECONDS", "0")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def shorten(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """`shorten()`: from now on the setting REFRESH_TOKEN_DAYS is 1 instead of 7."""

    def shorten() -> None:
        monkeypatch.setenv("REFRESH_TOKEN_DAYS", "1")
        settings.cache_clear()

    yield shorten
    settings.cache_clear()


def delete_expired_rows(clock: Clock) -> None:
    """Do what DynamoDB does with rows whose `expires_at` is over; moto does not."""
    dynamodb = boto3.client("dynamodb", region_name=cloud.REGION)
    table = cloud.ENVIRONMENT["TABLE_NAME"]
    for row in dynamodb.scan(TableName=table)["Items"]:
        if "expires_at" in row and int(row["expires_at"]["N"]) <= clock.now.timestamp():
            dynamodb.delete_item(TableName=table, Key={"pk": row["pk"], "sk": row["sk"]})


def refresh(api: Api, token: str) -> Answer:
    return api.post("/api/token/refresh/", {"refresh": token})


def refreshed(api: Api, token: str) -> str:
    answer = refresh(api, token)
    assert answer.status == 200, answer.text
    new: str = answer.json["refresh"]
    return new


def sign_out(api: Api, token: str) -> Answer:
    return api.post("/api/token/blacklist/", {"refresh": token})


def verify(api: Api, token: str) -> Answer:
    return api.post("/api/token/verify/", {"token": token})


def assert_refused(answer: Answer) -> None:
    assert (answer.status, answer.json) == (401, BLACKLISTED)


def claims(token: str) -> dict[str, Any]:
    read: dict[str, Any] = jwt.decode(token, cloud.SIGNING_KEYS["k1"], algorithms=["HS256"])
    return read


def test_a_rotated_token_does_not_verify(api: Api, token: str) -> None:
    new = refreshed(api, token)
    assert_refused(verify(api, token))
    assert verify(api, new).status == 200


def test_a_chain_of_rotations_goes_on(api: Api, token: str, clock: Clock) -> None:
    for _ in range(20):
        token = refreshed(api, token)
        clock.advance(minutes=15)
    assert verify(api, token).status == 200


@pytest.mark.parametrize("reuse", [refresh, sign_out])
def test_a_rotated_token_that_comes_again_later_ends_the_session(
    api: Api, token: str, clock: Clock, reuse: Callable[[Api, str], Answer]
) -> None:
    new = refreshed(api, token)
    clock.advance(seconds=10)
    assert_refused(reuse(api, token))
    assert_refused(refresh(api, new))
    assert_refused(verify(api, new))


def test_the_reuse_of_any_older_token_ends_the_session(api: Api, token: str, clock: Clock) -> None:
    first, newest = token, refreshed(api, refreshed(api, token))
    clock.advance(minutes=1)
    assert_refused(refresh(api, first))
    assert_refused(refresh(api, newest))


def test_the_reuse_of_a_token_leaves_other_sessions_alone(
    api: Api, token: str, ann: Api, clock: Clock
) -> None:
    from chalicelib import accounts, times

    other = accounts._token_pair(ann.user_id, times.now(), accounts._first_jti(), times.now())
    refreshed(api, token)
    clock.advance(minutes=1)
    assert_refused(refresh(api, token))
    assert refresh(api, other["refresh"]).status == 200


def test_verifying_a_rotated_token_does_not_end_the_session(
    api: Api, token: str, clock: Clock
) -> None:
    new = refreshed(api, token)
    clock.advance(minutes=1)
    assert_refused(verify(api, token))
    assert refresh(api, new).status == 200


# -- the grace


def test_a_token_that_comes_again_within_10_seconds_gets_the_same_refresh_token(
    api: Api, token: str, clock: Clock
) -> None:
    new = refreshed(api, token)
    clock.advance(seconds=9.9)
    again = refresh(api, token)
    assert (again.status, again.json["refresh"]) == (200, new)
    assert api.get("/api/tasks/", headers={"Authorization": f"Bearer {again.json['access']}"})
    assert refresh(api, new).status == 200


def test_the_grace_ends_when_the_new_token_is_used(api: Api, token: str) -> None:
    newest = refreshed(api, refreshed(api, token))
    assert_refused(refresh(api, token))
    assert_refused(refresh(api, newest))


@pytest.mark.usefixtures("no_grace")
def test_the_grace_can_be_turned_off(api: Api, token: str) -> None:
    new = refreshed(api, token)
    assert_refused(refresh(api, token))
    assert_refused(refresh(api, new))


def test_a_client_without_the_answer_to_its_refresh_can_sign_out(api: Api, token: str) -> None:
    new = refreshed(api, token)
    assert sign_out(api, token).status == 200
    assert_refused(refresh(api, new))
    assert_refused(refresh(api, token))


def test_there_is_no_grace_after_a_sign_out(api: Api, token: str) -> None:
    assert sign_out(api, token).status == 200
    assert_refused(sign_out(api, token))
    assert_refused(refresh(api, token))


# -- when AWS fails


@pytest.mark.usefixtures("no_grace")
@pytest.mark.parametrize("use", [refresh, sign_out])
def test_a_call_that_botocore_repeats_succeeds(
    api: Api, token: str, calls: Calls, use: Callable[[Api, str], Answer]
) -> None:
    calls.repeat("UpdateItem")
    assert use(api, token).status == 200


@pytest.mark.usefixtures("no_grace")
def test_a_token_used_by_two_at_once_works_for_one(api: Api, token: str, calls: Calls) -> None:
    calls.before("UpdateItem", lambda: refreshed(api, token))
    assert_refused(refresh(api, token))


@pytest.mark.parametrize("use", [refresh, sign_out, verify])
@pytest.mark.parametrize("error", [OUTAGE, TIMEOUT], ids=["down", "hanging"])
@pytest.mark.parametrize("after", [False, True], ids=["before its effect", "after its effect"])
def test_an_outage_is_a_503(
    api: Api,
    token: str,
    fail: Fail,
    use: Callable[[Api, str], Answer],
    error: Exception,
    after: bool,
) -> None:
    fail("UpdateItem", error, after=after)
    fail("GetItem", error, after=after)
    answer = use(api, token)
    assert (answer.status, answer.json["code"]) == (503, "unavailable")


def test_a_client_that_got_503_can_refresh_again(api: Api, token: str, fail: Fail) -> None:
    fail("UpdateItem", OUTAGE, after=True, times=1)
    assert refresh(api, token).status == 503
    assert refresh(api, token).status == 200


def test_a_reuse_is_refused_only_once_the_session_has_ended(
    api: Api, token: str, calls: Calls, clock: Clock
) -> None:
    new = refreshed(api, token)
    clock.advance(minutes=1)

    def is_revocation(operation: str, parameters: Any) -> bool:
        names = parameters.get("ExpressionAttributeNames", {}).values()
        return operation == "UpdateItem" and "written_by" not in names

    calls.fail(is_revocation, OUTAGE, times=1)
    assert refresh(api, token).status == 503
    assert_refused(refresh(api, token))
    assert_refused(refresh(api, new))


# -- the row


def test_a_session_has_one_row_that_goes_when_its_last_token_has_expired(
    api: Api, token: str, clock: Clock, rows: Rows
) -> None:
    clock.advance(days=6)
    newest = refreshed(api, refreshed(api, token))
    [row] = [row for row in rows() if row["pk"]["S"].startswith("token#")]
    assert int(row["expires_at"]["N"]) == claims(newest)["exp"]


def test_a_row_outlives_an_old_token_when_the_lifetime_was_shortened(
    api: Api, token: str, shorten: Callable[[], None], rows: Rows
) -> None:
    shorten()
    refreshed(api, token)
    [row] = [row for row in rows() if row["pk"]["S"].startswith("token#")]
    assert int(row["expires_at"]["N"]) == claims(token)["exp"]


@pytest.mark.parametrize("use", [refresh, verify, sign_out])
def test_no_used_token_works_again_when_the_lifetime_was_shortened_and_its_row_has_gone(
    api: Api,
    token: str,
    clock: Clock,
    shorten: Callable[[], None],
    use: Callable[[Api, str], Answer],
) -> None:
    shorten()
    refreshed(api, refreshed(api, token))
    clock.advance(days=1)
    delete_expired_rows(clock)
    answer = use(api, token)
    assert (answer.status, answer.json) == (401, EXPIRED)


def test_a_refresh_token_with_an_id_that_is_not_ours_is_invalid(api: Api, ann: Api) -> None:
    from chalicelib import times

    forged = security.issue_token(security.REFRESH, ann.user_id, times.now(), "another")
    for use in (refresh, sign_out, verify):
        answer = use(api, forged)
        assert (answer.status, answer.json["detail"]) == (401, "Token is invalid")
