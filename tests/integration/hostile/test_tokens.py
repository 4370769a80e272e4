"""No token, however strange, gets more than SimpleJWT's 401."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from tests import cloud
from tests.aws_calls import Calls
from tests.drivers import NOON, Answer, Api

NOW = int(NOON.timestamp())
OTHER_ID = "3e7f9a52-6c1d-4b8e-9f04-d2a5b8c7e610"
HEADER: dict[str, Any] = {"alg": "HS256", "typ": "JWT", "kid": "k1"}
CLAIMS: dict[str, Any] = {
    "token_type": "access",
    "exp": NOW + 600,
    "iat": NOW,
    "jti": "a" * 32,
    "user_id": OTHER_ID,
}

INVALID = "Token is invalid"
EXPIRED = "Token is expired"
WRONG_TYPE = "Token has wrong type"


def segment(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def signed(header: bytes, claims: bytes, key: str = cloud.SIGNING_KEYS["k1"]) -> str:
    """Return a token of any content with a true signature."""
    content = f"{segment(header)}.{segment(claims)}"
    return f"{content}.{segment(hmac.digest(key.encode(), content.encode(), hashlib.sha256))}"


def claiming(**changes: Any) -> str:
    return signed(json.dumps(HEADER).encode(), json.dumps(CLAIMS | changes).encode())


def headed(**changes: Any) -> str:
    return signed(json.dumps(HEADER | changes).encode(), json.dumps(CLAIMS).encode())


def holding(claims: bytes) -> str:
    return signed(json.dumps(HEADER).encode(), claims)


def without(claim: str) -> str:
    rest = {name: value for name, value in CLAIMS.items() if name != claim}
    return holding(json.dumps(rest).encode())


#: A token of each kind, and what is said of it.
TOKENS: dict[str, tuple[str, str]] = {
    "exp is a text of digits": (claiming(exp=str(NOW + 600)), INVALID),
    "exp is a text of words": (claiming(exp="tomorrow"), INVALID),
    "exp is an ISO time": (claiming(exp="2030-01-01T00:00:00Z"), INVALID),
    "exp is an empty text": (claiming(exp=""), INVALID),
    "exp is 10^18": (claiming(exp=10**18), INVALID),
    "exp is 10^400": (claiming(exp=10**400), INVALID),
    "exp is in the year 10000": (claiming(exp=253_402_300_800), INVALID),
    "exp is a fraction": (claiming(exp=NOW + 600.5), INVALID),
    "exp is infinite": (claiming(exp=float("inf")), INVALID),
    "exp is not a number": (claiming(exp=float("nan")), INVALID),
    "exp is 1e999": (holding(json.dumps(CLAIMS).encode()[:-1] + b', "exp": 1e999}'), INVALID),
    "exp is a list": (claiming(exp=[NOW + 600]), INVALID),
    "exp is an object": (claiming(exp={"seconds": NOW + 600}), INVALID),
    "exp is null": (claiming(exp=None), INVALID),
    "exp is missing": (without("exp"), INVALID),
    "exp is true": (claiming(exp=True), EXPIRED),
    "exp is 0": (claiming(exp=0), EXPIRED),
    "exp is now": (claiming(exp=NOW), EXPIRED),
    "exp is before all time": (claiming(exp=-(10**18)), EXPIRED),
    "iat is in the future": (claiming(iat=NOW + 1), INVALID),
    "iat is 10^18": (claiming(iat=10**18), INVALID),
    "iat is a text of digits": (claiming(iat=str(NOW)), INVALID),
    "iat is a text of words": (claiming(iat="now"), INVALID),
    "iat is a fraction": (claiming(iat=NOW - 0.5), INVALID),
    "iat is a list": (claiming(iat=[]), INVALID),
    "iat is true": (claiming(iat=True), INVALID),
    "iat is null": (claiming(iat=None), INVALID),
    "iat is missing": (without("iat"), INVALID),
    "nbf is in the future": (claiming(nbf=NOW + 60), INVALID),
    "nbf is an object": (claiming(nbf={}), INVALID),
    "jti is a number": (claiming(jti=1), INVALID),
    "jti is a list": (claiming(jti=["a" * 32]), INVALID),
    "jti is empty": (claiming(jti=""), INVALID),
    "jti is too short": (claiming(jti="a" * 31), INVALID),
    "jti is too long": (claiming(jti="a" * 33), INVALID),
    "jti is not hexadecimal": (claiming(jti="g" * 32), INVALID),
    "jti is in capitals": (claiming(jti="A" * 32), INVALID),
    "jti ends with a newline": (claiming(jti="a" * 32 + "\n"), INVALID),
    "jti is in Arabic digits": (claiming(jti="\u0663" * 32), INVALID),
    "jti is missing": (without("jti"), INVALID),
    "user_id is a number": (claiming(user_id=1), INVALID),
    "user_id is a list": (claiming(user_id=[OTHER_ID]), INVALID),
    "user_id is an object": (claiming(user_id={"S": OTHER_ID}), INVALID),
    "user_id is true": (claiming(user_id=True), INVALID),
    "user_id is null": (claiming(user_id=None), INVALID),
    "user_id is empty": (claiming(user_id=""), INVALID),
    "user_id is a name": (claiming(user_id="ann"), INVALID),
    "user_id is a key": (claiming(user_id=f"user#{OTHER_ID}"), INVALID),
    "user_id is in capitals": (claiming(user_id=OTHER_ID.upper()), INVALID),
    "user_id ends with a newline": (claiming(user_id=OTHER_ID + "\n"), INVALID),
    "user_id ends with NUL": (claiming(user_id=OTHER_ID + "\0"), INVALID),
    "user_id is a lone surrogate": (claiming(user_id="\ud800" * 36), INVALID),
    "user_id is longer than a key": (claiming(user_id="a" * 3000), INVALID),
    "user_id is missing": (without("user_id"), INVALID),
    "token_type is a list": (claiming(token_type=["access"]), INVALID),
    "token_type is in capitals": (claiming(token_type="ACCESS"), INVALID),
    "token_type is unknown": (claiming(token_type="sliding"), INVALID),
    "token_type is true": (claiming(token_type=True), INVALID),
    "token_type is missing": (without("token_type"), INVALID),
    "aud is somebody": (claiming(aud="somebody"), INVALID),
    "sub is a number": (claiming(sub=1), INVALID),
    "claims are a list": (holding(b"[]"), INVALID),
    "claims are a text": (holding(b'"access"'), INVALID),
    "claims are null": (holding(b"null"), INVALID),
    "claims are empty": (holding(b"{}"), INVALID),
    "claims are not JSON": (holding(b"{"), INVALID),
    "claims are not UTF-8": (holding(b'{"exp": "\xff"}'), INVALID),
    "claims are nested without end": (holding(b'{"exp":' + b"[" * 20_000), INVALID),
    "claims have a number of 5,000 digits": (holding(b'{"exp":' + b"9" * 5000 + b"}"), INVALID),
    "kid is null": (headed(kid=None), INVALID),
    "kid is a number": (headed(kid=1), INVALID),
    "kid is a list": (headed(kid=["k1"]), INVALID),
    "kid is an object": (headed(kid={"k1": 1}), INVALID),
    "kid is empty": (headed(kid=""), INVALID),
    "kid is the name of the current key": (headed(kid="current"), INVALID),
    "kid is a path": (headed(kid="../../dev/null"), INVALID),
    "kid is an attribute": (headed(kid="__class__"), INVALID),
    "kid has 3,000 characters": (headed(kid="k" * 3000), INVALID),
    "kid is a lone surrogate": (headed(kid="\ud800"), INVALID),
    "alg is none": (headed(alg="none"), INVALID),
    "alg is in small letters": (headed(alg="hs256"), INVALID),
    "alg is another one": (headed(alg="HS512"), INVALID),
    "alg is of public keys": (headed(alg="RS256"), INVALID),
    "alg is a list": (headed(alg=["HS256"]), INVALID),
    "alg is null": (headed(alg=None), INVALID),
    "crit is unknown": (headed(crit=["exp"]), INVALID),
    "crit is a text": (headed(crit="b64"), INVALID),
    "the payload is detached": (headed(b64=False, crit=["b64"]), INVALID),
    "header is a list": (signed(b"[]", b"{}"), INVALID),
    "header is null": (signed(b"null", b"{}"), INVALID),
    "header is nested without end": (signed(b'{"kid":' + b"[" * 20_000, b"{}"), INVALID),
    "header has a number of 5,000 digits": (signed(b'{"a":' + b"9" * 5000 + b"}", b"{}"), INVALID),
    "signature is empty": (claiming().rpartition(".")[0] + ".", INVALID),
    "signature is padded": (claiming() + "==", INVALID),
    "signature is cut": (claiming()[:-2], INVALID),
    "signature is of an empty key": (
        signed(json.dumps(HEADER).encode(), json.dumps(CLAIMS).encode(), key=""),
        INVALID,
    ),
    "dots alone": ("..", INVALID),
    "60,000 dots": ("." * 60_000, INVALID),
    "60,000 letters": ("A" * 60_000, INVALID),
    "no base64": ("!.!.!", INVALID),
    "not ASCII": ("\u00e9.\u00e9.\u00e9", INVALID),
    "null": ("null", INVALID),
}


def assert_refused(answer: Answer, body: dict[str, Any]) -> None:
    assert (answer.status, answer.json) == (401, body)
    assert answer.headers["www-authenticate"] == 'Bearer realm="api"'


def test_a_token_with_the_usual_content_is_valid(api: Api) -> None:
    for token in (claiming(), claiming(token_type="refresh"), headed(typ="at+jwt")):
        assert api.post("/api/token/verify/", {"token": token}).status == 200


@pytest.mark.parametrize(("token", "reason"), TOKENS.values(), ids=TOKENS.keys())
def test_a_strange_token_is_401_at_every_door(
    api: Api, calls: Calls, token: str, reason: str
) -> None:
    for name in ("verify", "refresh", "blacklist"):
        field = "token" if name == "verify" else "refresh"
        answer = api.post(f"/api/token/{name}/", {field: token})
        assert_refused(answer, {"detail": reason, "code": "token_not_valid"})
    for method, path in (("GET", "/api/tasks/"), ("POST", f"/api/tasks/{OTHER_ID}/cancel/")):
        answer = api.request(method, path, headers={"Authorization": f"Bearer {token}"})
        message = {"token_class": "AccessToken", "token_type": "access", "message": reason}
        assert_refused(
            answer,
            {
                "detail": "Given token not valid for any token type",
                "code": "token_not_valid",
                "messages": [message],
            },
        )
    assert {*calls.operations} <= {"GetSecretValue"}


def test_a_token_of_a_user_who_never_was_creates_nothing(api: Api) -> None:
    headers = {"Authorization": f"Bearer {claiming()}"}
    body = {"task_type": "sum", "input_data": {"a": 1, "b": 2}}
    answers = [
        api.post("/api/tasks/", body, headers=headers),
        api.get("/api/tasks/", headers=headers),
        api.get("/api/tasks/?status=success", headers=headers),
    ]
    for answer in answers:
        assert_refused(answer, {"detail": "User not found", "code": "user_not_found"})


def test_a_token_of_the_last_moment_of_the_calendar_is_valid(api: Api) -> None:
    token = claiming(exp=253_402_300_799)
    assert api.post("/api/token/verify/", {"token": token}).status == 200
