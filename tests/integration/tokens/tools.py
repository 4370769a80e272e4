"""What the tests of tokens have in common."""

from typing import Any

import jwt

from tests import cloud
from tests.drivers import Answer, Api

K1 = cloud.SIGNING_KEYS["k1"]

K2 = "b" * 64

USER = {"username": "user", "password": "password"}


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
