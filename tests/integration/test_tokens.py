import base64
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import boto3
import jwt
import pytest

from chalicelib import security
from chalicelib.config import settings
from tests import cloud
from tests.aws_calls import Calls
from tests.drivers import Answer, Api, Clock

K1 = cloud.SIGNING_KEYS["k1"]
K2 = "b" * 64
USER = {"username": "user", "password": "password"}
NOBODYS_ID = "3e7f9a52-6c1d-4b8e-9f04-d2a5b8c7e610"


@pytest.fixture
def pair(api: Api) -> dict[str, str]:
    """The tokens of a user who has just signed in."""
    api.post("/api/register/", USER)
    tokens: dict[str, str] = api.post("/api/token/", USER).json
    return tokens


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


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    def configure(name: str, value: str) -> None:
        monkeypatch.setenv(name, value)
        settings.cache_clear()

    yield configure
    settings.cache_clear()


def claims(token: str) -> dict[str, Any]:
    read: dict[str, Any] = jwt.decode(token, K1, algorithms=["HS256"])
    return read


def forge(
    token: str, key: str = K1, algorithm: str = "HS256", kid: Any = "k1", **changes: Any
) -> str:
    """Sign a token's claims anew; a claim changed to None is left out."""
    body = jwt.decode(token, options={"verify_signature": False}) | changes
    body = {name: value for name, value in body.items() if value is not None}
    return jwt.encode(body, key, algorithm, headers={"kid": kid} if kid else None)


def segment(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def verify(api: Api, token: str) -> Answer:
    return api.post("/api/token/verify/", {"token": token})


def refresh(api: Api, token: str) -> Answer:
    return api.post("/api/token/refresh/", {"refresh": token})


def sign_out(api: Api, token: str) -> Answer:
    return api.post("/api/token/blacklist/", {"refresh": token})


def use(api: Api, token: str) -> Answer:
    return api.get("/api/tasks/", headers={"Authorization": f"Bearer {token}"})


def assert_refused(answer: Answer, detail: str = "Token is invalid") -> None:
    assert answer.status == 401
    assert answer.json == {"detail": detail, "code": "token_not_valid"}
    assert answer.headers["www-authenticate"] == 'Bearer realm="api"'


def assert_access_refused(answer: Answer, message: str = "Token is invalid") -> None:
    assert answer.status == 401
    assert answer.json == {
        "detail": "Given token not valid for any token type",
        "code": "token_not_valid",
        "messages": [{"token_class": "AccessToken", "token_type": "access", "message": message}],
    }
    assert answer.headers["www-authenticate"] == 'Bearer realm="api"'


def new_process() -> None:
    security._keys.cache_clear()


@pytest.mark.parametrize(
    ("kind", "lifetime"), [("access", timedelta(minutes=15)), ("refresh", timedelta(days=7))]
)
def test_a_token_has_the_claims_of_simplejwt(
    pair: dict[str, str], clock: Clock, kind: str, lifetime: timedelta
) -> None:
    said = claims(pair[kind])
    assert said.keys() == {"token_type", "exp", "iat", "jti", "user_id"}
    assert said["token_type"] == kind
    assert said["iat"] == int(clock.now.timestamp())
    assert said["exp"] - said["iat"] == lifetime.total_seconds()
    assert bytes.fromhex(said["jti"]).hex() == said["jti"]
    assert len(said["jti"]) == 32


def test_the_user_id_in_a_token_is_the_one_from_the_registration(api: Api) -> None:
    user_id = api.post("/api/register/", USER).json["id"]
    tokens = api.post("/api/token/", USER).json
    assert claims(tokens["access"])["user_id"] == user_id
    assert claims(tokens["refresh"])["user_id"] == user_id


def test_a_token_says_which_key_signed_it(pair: dict[str, str]) -> None:
    for token in pair.values():
        assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT", "kid": "k1"}


def test_no_two_tokens_have_the_same_id(api: Api, pair: dict[str, str]) -> None:
    tokens = [*pair.values(), *api.post("/api/token/", USER).json.values()]
    assert len({claims(token)["jti"] for token in tokens}) == 4


def test_both_lifetimes_are_settings(api: Api, configure: Callable[[str, str], None]) -> None:
    configure("ACCESS_TOKEN_MINUTES", "3")
    configure("REFRESH_TOKEN_DAYS", "2")
    api.post("/api/register/", USER)
    tokens = api.post("/api/token/", USER).json
    access, refresh_token = claims(tokens["access"]), claims(tokens["refresh"])
    assert access["exp"] - access["iat"] == 3 * 60
    assert refresh_token["exp"] - refresh_token["iat"] == 2 * 24 * 60 * 60


def test_an_access_token_opens_the_task_routes_until_it_expires(
    api: Api, pair: dict[str, str], clock: Clock
) -> None:
    clock.advance(minutes=14, seconds=59)
    assert use(api, pair["access"]).status == 200
    clock.advance(seconds=1)
    assert_access_refused(use(api, pair["access"]), "Token is expired")


def test_a_refresh_token_works_until_it_expires(
    api: Api, pair: dict[str, str], clock: Clock
) -> None:
    clock.advance(days=7, seconds=-1)
    assert verify(api, pair["refresh"]).status == 200
    clock.advance(seconds=1)
    assert_refused(verify(api, pair["refresh"]), "Token is expired")
    assert_refused(refresh(api, pair["refresh"]), "Token is expired")
    assert_refused(sign_out(api, pair["refresh"]), "Token is expired")


def test_a_shorter_lifetime_applies_to_tokens_that_were_issued_before(
    api: Api, pair: dict[str, str], clock: Clock, configure: Callable[[str, str], None]
) -> None:
    configure("ACCESS_TOKEN_MINUTES", "3")
    configure("REFRESH_TOKEN_DAYS", "2")
    clock.advance(minutes=3, seconds=-1)
    assert use(api, pair["access"]).status == 200
    clock.advance(seconds=1)
    assert_access_refused(use(api, pair["access"]), "Token is expired")
    assert_refused(verify(api, pair["access"]), "Token is expired")
    clock.advance(days=2, minutes=-3, seconds=-1)
    assert verify(api, pair["refresh"]).status == 200
    clock.advance(seconds=1)
    assert_refused(verify(api, pair["refresh"]), "Token is expired")


def test_a_longer_lifetime_does_not_apply_to_tokens_that_were_issued_before(
    api: Api, pair: dict[str, str], clock: Clock, configure: Callable[[str, str], None]
) -> None:
    configure("REFRESH_TOKEN_DAYS", "14")
    clock.advance(days=7)
    assert_refused(refresh(api, pair["refresh"]), "Token is expired")


def test_refreshing_gives_a_new_pair_for_the_same_user(api: Api, pair: dict[str, str]) -> None:
    answer = refresh(api, pair["refresh"])
    assert answer.status == 200
    assert answer.json.keys() == {"access", "refresh"}
    assert use(api, answer.json["access"]).status == 200
    assert claims(answer.json["access"])["user_id"] == claims(pair["access"])["user_id"]


def test_a_rotated_refresh_token_lives_its_full_time(
    api: Api, pair: dict[str, str], clock: Clock
) -> None:
    clock.advance(days=6)
    rotated = refresh(api, pair["refresh"]).json["refresh"]
    clock.advance(days=6)
    assert refresh(api, rotated).status == 200


def test_refreshing_leaves_the_access_token_alone(api: Api, pair: dict[str, str]) -> None:
    refresh(api, pair["refresh"])
    assert use(api, pair["access"]).status == 200


def test_a_user_who_signed_out_cannot_refresh(api: Api, pair: dict[str, str]) -> None:
    answer = sign_out(api, pair["refresh"])
    assert (answer.status, answer.json) == (200, {})
    assert_refused(refresh(api, pair["refresh"]), "Token is blacklisted")


def test_signing_out_twice_is_refused(api: Api, pair: dict[str, str]) -> None:
    sign_out(api, pair["refresh"])
    assert_refused(sign_out(api, pair["refresh"]), "Token is blacklisted")


def test_signing_out_ends_one_session_only(api: Api, pair: dict[str, str]) -> None:
    other = api.post("/api/token/", USER).json
    sign_out(api, pair["refresh"])
    assert refresh(api, other["refresh"]).status == 200


def test_a_token_of_either_type_can_be_verified(api: Api, pair: dict[str, str]) -> None:
    for token in pair.values():
        answer = verify(api, token)
        assert (answer.status, answer.json) == (200, {})


def test_verifying_does_not_use_up_a_token(api: Api, pair: dict[str, str]) -> None:
    verify(api, pair["refresh"])
    assert refresh(api, pair["refresh"]).status == 200


def test_a_revoked_token_does_not_verify(api: Api, pair: dict[str, str]) -> None:
    sign_out(api, pair["refresh"])
    assert_refused(verify(api, pair["refresh"]), "Token is blacklisted")


def test_a_revocation_leaves_the_table_when_the_token_has_expired(
    api: Api, pair: dict[str, str], rows: Callable[[], list[dict[str, Any]]]
) -> None:
    sign_out(api, pair["refresh"])
    [revoked] = [row for row in rows() if row["pk"]["S"].startswith("token#")]
    assert int(revoked["expires_at"]["N"]) == claims(pair["refresh"])["exp"]


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


def test_a_running_process_forgets_a_removed_key_within_the_hour(
    api: Api, pair: dict[str, str], rotate: Callable[..., None], clock: Clock
) -> None:
    rotate("k2", k2=K2)
    clock.advance(hours=1)
    assert_refused(refresh(api, pair["refresh"]))
