"""The signing keys: when they are read, and how they are rotated."""

import json
from collections.abc import Callable

import boto3
import jwt
import pytest

from chalicelib import security
from tests import cloud
from tests.aws_calls import Calls
from tests.drivers import Api, Clock
from tests.integration.tokens.tools import (
    K1,
    K2,
    assert_access_refused,
    assert_refused,
    forge,
    refresh,
    use,
    verify,
)
from tests.integration.tools import OUTAGE, Fail


@pytest.fixture
def rotate(aws: None) -> Callable[..., None]:
    """`rotate("k2", k1=..., k2=...)`: store these keys, the first is the current one."""
    secrets = boto3.client("secretsmanager", region_name=cloud.REGION)

    def rotate(current: str, **keys: str) -> None:
        secrets.put_secret_value(
            SecretId=cloud.ENVIRONMENT["SIGNING_KEYS_ARN"],
            SecretString=json.dumps({"current": current, **keys}),
        )

    return rotate


def new_process() -> None:
    security._keys.cache_clear()


def test_the_keys_are_read_once_and_not_for_each_request(
    api: Api, pair: dict[str, str], calls: Calls
) -> None:
    new_process()
    calls.clear()
    for _ in range(3):
        assert use(api, pair["access"]).status == 200
    assert calls.operations.count("GetSecretValue") == 1


def test_unknown_key_ids_reload_the_keys_at_most_once_per_minute(
    api: Api, pair: dict[str, str], calls: Calls, clock: Clock
) -> None:
    clock.advance(minutes=1, seconds=1)
    calls.clear()
    for number in range(5):
        assert_refused(verify(api, forge(pair["access"], kid=f"unknown{number}")))
    assert calls.operations == ["GetSecretValue"]


def test_a_new_key_signs_nobody_out(
    api: Api, pair: dict[str, str], rotate: Callable[..., None], clock: Clock
) -> None:
    rotate("k2", k1=K1, k2=K2)
    new_process()
    assert use(api, pair["access"]).status == 200
    clock.advance(days=6)
    assert refresh(api, pair["refresh"]).status == 200


def test_new_tokens_carry_the_new_key(
    api: Api, pair: dict[str, str], rotate: Callable[..., None]
) -> None:
    rotate("k2", k1=K1, k2=K2)
    new_process()
    rotated = refresh(api, pair["refresh"]).json
    for token in rotated.values():
        assert jwt.get_unverified_header(token)["kid"] == "k2"
        jwt.decode(token, K2, algorithms=["HS256"])
    assert use(api, rotated["access"]).status == 200


def test_a_running_process_accepts_a_newer_key(
    api: Api, pair: dict[str, str], rotate: Callable[..., None], clock: Clock
) -> None:
    clock.advance(minutes=2)
    rotate("k2", k1=K1, k2=K2)
    assert use(api, forge(pair["access"], key=K2, kid="k2")).status == 200
    assert use(api, pair["access"]).status == 200


def test_a_running_process_signs_with_the_new_key_within_the_hour(
    api: Api, pair: dict[str, str], rotate: Callable[..., None], clock: Clock
) -> None:
    rotate("k2", k1=K1, k2=K2)
    clock.advance(hours=1)
    token = refresh(api, pair["refresh"]).json["access"]
    assert jwt.get_unverified_header(token)["kid"] == "k2"


def test_a_removed_key_opens_nothing(
    api: Api, pair: dict[str, str], rotate: Callable[..., None]
) -> None:
    rotate("k2", k2=K2)
    new_process()
    assert_access_refused(use(api, pair["access"]))
    assert_refused(refresh(api, pair["refresh"]))


def test_a_key_that_was_replaced_under_its_id_opens_nothing_to_a_token_that_was_used_before(
    api: Api, pair: dict[str, str], rotate: Callable[..., None]
) -> None:
    assert use(api, pair["access"]).status == 200
    rotate("k1", k1=K2)
    new_process()
    assert_access_refused(use(api, pair["access"]))


def test_a_running_process_forgets_a_removed_key_within_the_hour(
    api: Api, pair: dict[str, str], rotate: Callable[..., None], clock: Clock
) -> None:
    rotate("k2", k2=K2)
    clock.advance(hours=1)
    assert_refused(refresh(api, pair["refresh"]))


def test_an_outage_of_secrets_manager_signs_nobody_out_and_is_asked_about_once_in_a_while(
    api: Api, pair: dict[str, str], fail: Fail, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    fail("GetSecretValue", OUTAGE)
    clock.advance(minutes=31)
    tokens = refresh(api, pair["refresh"]).json
    assert use(api, tokens["access"]).status == 200
    assert caplog.messages.count("signing_keys_not_refreshed") == 1
    clock.advance(minutes=31)
    assert refresh(api, tokens["refresh"]).status == 200
    assert caplog.messages.count("signing_keys_not_refreshed") == 2
