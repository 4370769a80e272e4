"""Tokens of a wrong type, forged ones, and what a refusal costs."""

import base64
import json
from collections.abc import Callable

import pytest

from tests.aws_calls import Calls
from tests.drivers import Api
from tests.integration.tokens.tools import (
    K2,
    assert_access_refused,
    assert_refused,
    claims,
    forge,
    refresh,
    sign_out,
    use,
    verify,
)

NOBODYS_ID = "3e7f9a52-6c1d-4b8e-9f04-d2a5b8c7e610"


def segment(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def test_an_access_token_is_of_the_wrong_type_for_refreshing(
    api: Api, pair: dict[str, str]
) -> None:
    assert_refused(refresh(api, pair["access"]), "Token has wrong type")
    assert_refused(sign_out(api, pair["access"]), "Token has wrong type")


def test_a_refresh_token_is_of_the_wrong_type_for_the_task_routes(
    api: Api, pair: dict[str, str]
) -> None:
    assert_access_refused(use(api, pair["refresh"]), "Token has wrong type")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/token/refresh/", "refresh"),
        ("/api/token/verify/", "token"),
        ("/api/token/blacklist/", "refresh"),
    ],
)
def test_a_token_that_is_missing_or_not_text_is_a_400(api: Api, path: str, field: str) -> None:
    for body, reason in [
        ({}, "This field is required."),
        ({field: ""}, "This field may not be blank."),
        ({field: None}, "This field may not be null."),
        ({field: 1}, "Not a valid string."),
    ]:
        answer = api.post(path, body)
        assert (answer.status, answer.json) == (400, {field: [reason]})


FORGERIES: dict[str, Callable[[str], str]] = {
    "another key": lambda token: forge(token, key=K2),
    "algorithm none": lambda token: forge(token, key="", algorithm="none"),
    "algorithm None": lambda token: forge_by_hand(token, b'{"alg":"None","kid":"k1"}'),
    "algorithm null": lambda token: forge_by_hand(token, b'{"alg":null,"kid":"k1"}'),
    "algorithm HS512": lambda token: forge(token, algorithm="HS512"),
    "algorithm HS384": lambda token: forge(token, algorithm="HS384"),
    "unknown kid": lambda token: forge(token, kid="k9"),
    "no kid": lambda token: forge(token, kid=None),
    "kid of the member that names the key": lambda token: forge(token, key="k1", kid="current"),
    "kid a number": lambda token: forge_by_hand(token, b'{"alg":"HS256","kid":1}'),
    "kid a list": lambda token: forge_by_hand(token, b'{"alg":"HS256","kid":["k1"]}'),
    "no expiry": lambda token: forge(token, exp=None),
    "no id": lambda token: forge(token, jti=None),
    "no user": lambda token: forge(token, user_id=None),
    "no issue time": lambda token: forge(token, iat=None),
    "no type": lambda token: forge(token, token_type=None),
    "a type of its own": lambda token: forge(token, token_type="sliding"),
    "user id a number": lambda token: forge(token, user_id=1),
    "other claims, same signature": lambda token: swap_claims(token),
    "no signature": lambda token: token.rsplit(".", 1)[0] + ".",
    "two parts": lambda token: token.rsplit(".", 1)[0],
    "four parts": lambda token: token + ".x",
    "header no object": lambda token: forge_by_hand(token, b"[]"),
    "header not JSON": lambda token: forge_by_hand(token, b"{"),
    "header not UTF-8": lambda token: forge_by_hand(token, b"\xff"),
    "header nested without end": lambda token: forge_by_hand(
        token, b'{"kid":' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    ),
    "not ASCII": lambda token: "é.é.é",
    "words": lambda token: "none",
    "dots": lambda token: "..",
}


def forge_by_hand(token: str, header: bytes) -> str:
    return ".".join([segment(header), *token.split(".")[1:]])


def swap_claims(token: str) -> str:
    header, _, signature = token.split(".")
    said = json.dumps(claims(token) | {"user_id": NOBODYS_ID}).encode()
    return ".".join([header, segment(said), signature])


@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
def test_no_forged_token_is_accepted_anywhere(api: Api, pair: dict[str, str]) -> None:
    for forgery in FORGERIES.values():
        assert_access_refused(use(api, forgery(pair["access"])))
        assert_refused(verify(api, forgery(pair["access"])))
        assert_refused(verify(api, forgery(pair["refresh"])))
        assert_refused(refresh(api, forgery(pair["refresh"])))
        assert_refused(sign_out(api, forgery(pair["refresh"])))
    assert refresh(api, pair["refresh"]).status == 200


def test_a_token_forged_with_the_true_key_would_be_accepted(api: Api, pair: dict[str, str]) -> None:
    assert use(api, forge(pair["access"], jti="a" * 32)).status == 200


def test_a_token_for_a_missing_user_creates_nothing(api: Api, pair: dict[str, str]) -> None:
    api.token = forge(pair["access"], user_id=NOBODYS_ID)
    answer = api.create()
    assert answer.status == 401
    assert answer.json == {"detail": "User not found", "code": "user_not_found"}
    assert api.get("/api/tasks/").json["code"] == "user_not_found"


@pytest.mark.parametrize(
    ("path", "field", "kind", "operations"),
    [
        ("/api/token/refresh/", "refresh", "refresh", ["UpdateItem"]),
        ("/api/token/blacklist/", "refresh", "refresh", ["UpdateItem"]),
        ("/api/token/verify/", "token", "refresh", ["GetItem"]),
        ("/api/token/verify/", "token", "access", []),
    ],
)
def test_a_token_route_makes_at_most_one_aws_call(
    api: Api,
    pair: dict[str, str],
    calls: Calls,
    path: str,
    field: str,
    kind: str,
    operations: list[str],
) -> None:
    calls.clear()
    assert api.post(path, {field: pair[kind]}).status == 200
    assert calls.operations == operations


def test_a_refused_token_costs_no_aws_call(api: Api, pair: dict[str, str], calls: Calls) -> None:
    calls.clear()
    use(api, forge(pair["access"], key=K2))
    refresh(api, pair["access"])
    assert calls == []
