"""Password hashes, signing keys and JWTs: the only place that touches secrets."""

import json
import secrets
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

import jwt
from aws_lambda_powertools import Logger
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chalicelib import aws, errors, logs, times
from chalicelib.config import settings

if TYPE_CHECKING:
    from passlib.context import CryptContext

log = Logger(service="tasks", child=True)

ACCESS, REFRESH = "access", "refresh"
ALGORITHM = "HS256"

#: The keys are read once per container, and again when they are this old, so that a rotation
#: needs no deployment.
KEYS_GOOD_FOR = timedelta(minutes=30)
#: An unknown key id has them read again too, but not more often than this.
KEYS_REREAD_AFTER = timedelta(minutes=1)

# A first request that reads the keys is refused within 10 seconds.
_CONFIG = Config(
    connect_timeout=1,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 2},
)

# The hash of discarded random bytes, with the parameters of `_passwords`. A sign-in for an unknown
# user is verified against it, so that it takes as long as any other.
_NOBODYS_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$hVAqxRhjDCGkdK4VImQs5Q$"
    "cHLcuriNylMlF4ulT1iymEZbPCBWc2F9/tUsUICPPa8"
)


@cache
def _passwords() -> "CryptContext":
    """Return what hashes passwords. Only signing up and signing in import it."""
    from passlib.context import CryptContext

    # OWASP's minimum for argon2id (Password Storage Cheat Sheet): 19 MiB, 2 iterations, 1 lane.
    return CryptContext(
        ["argon2"],
        argon2__type="ID",
        argon2__memory_cost=19 * 1024,
        argon2__time_cost=2,
        argon2__parallelism=1,
    )


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password."""
    return str(_passwords().hash(password))


def verify_password(password: str, password_hash: str | None) -> bool:
    """Tell whether a password is right; without a hash this takes just as long."""
    from passlib.utils import MAX_PASSWORD_SIZE

    # passlib refuses longer ones; stored passwords are far shorter.
    matches = _passwords().verify(password[:MAX_PASSWORD_SIZE], password_hash or _NOBODYS_HASH)
    return bool(matches) and password_hash is not None


class Token(BaseModel):
    """The claims of a token, checked: signature, type and expiry.

    They are as `issue_token` writes them: PyJWT would also take "9" for a number, and any size.
    """

    model_config = ConfigDict(strict=True, frozen=True)

    token_type: Literal["access", "refresh"]
    # `datetime` ends with the year 9999.
    exp: Annotated[int, Field(lt=253_402_300_800)]
    iat: int
    jti: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    user_id: Annotated[str, Field(pattern="^[0-9a-f-]{36}$")]

    @property
    def expires_at(self) -> datetime:
        return datetime.fromtimestamp(self.exp, UTC)


def lifetime(token_type: str) -> timedelta:
    """Return how long a token works at most, from when it was issued."""
    if token_type == ACCESS:
        return timedelta(minutes=settings().access_token_minutes)
    return timedelta(days=settings().refresh_token_days)


def issue_token(token_type: str, user_id: str, now: datetime, jti: str | None = None) -> str:
    """Sign a token of the given type with the current key; it gets an id of its own, or `jti`."""
    claims = {
        "token_type": token_type,
        "exp": now + lifetime(token_type),
        "iat": now,
        "jti": jti or secrets.token_hex(16),
        "user_id": user_id,
    }
    key_id, key = _keys().current()
    return jwt.encode(claims, key, ALGORITHM, headers={"kid": key_id})


def read_token(text: str, token_type: str | None = None) -> Token:
    """Check a token and return its claims; without `token_type` it may be of either type.

    A lifetime that was shortened also applies to older tokens. Otherwise the row of a session
    could be gone before the oldest of its tokens has expired, which would then work again.

    Raises InvalidToken, with the reason in SimpleJWT's words.
    """
    try:
        token = _verify(text, _keys().find(_key_id(text)))
    except jwt.ExpiredSignatureError:
        raise errors.InvalidToken("Token is expired") from None
    except (jwt.PyJWTError, ValidationError, UnicodeEncodeError):
        raise errors.InvalidToken from None
    lasts_until = min(token.exp, token.iat + lifetime(token.token_type).total_seconds())
    if times.now().timestamp() >= lasts_until:
        raise errors.InvalidToken("Token is expired")
    if token_type is not None and token.token_type != token_type:
        raise errors.InvalidToken("Token has wrong type")
    return token


# A client sends the same token again and again. What does not depend on the time is remembered;
# a token is found under its whole text and the key, so a key that is gone verifies nothing.


@lru_cache(1024)
def _key_id(text: str) -> Any:
    return jwt.get_unverified_header(text).get("kid")


@lru_cache(1024)
def _verify(text: str, key: str) -> Token:
    return Token.model_validate(jwt.decode(text, key, algorithms=[ALGORITHM]))


class _Keys:
    """The signing keys in Secrets Manager.

    The secret is a JSON object: `current` names the key to sign with; every other member is a
    key by its id. To rotate, add a key first and make it current later: tokens signed with
    either key are valid throughout.
    """

    def __init__(self) -> None:
        self._client = aws.client("secretsmanager", _CONFIG)
        self._read()

    def current(self) -> tuple[str, str]:
        self._read_again_after(KEYS_GOOD_FOR)
        key_id = self._secret["current"]
        return key_id, self._secret[key_id]

    def find(self, key_id: Any) -> str:
        """Return a key by its id. Raises InvalidTokenError if there is none."""
        if not isinstance(key_id, str) or key_id == "current":
            raise jwt.InvalidTokenError("no such key")
        is_known = key_id in self._secret
        self._read_again_after(KEYS_GOOD_FOR if is_known else KEYS_REREAD_AFTER)
        try:
            return self._secret[key_id]
        except KeyError:
            raise jwt.InvalidTokenError("no such key") from None

    def _read_again_after(self, age: timedelta) -> None:
        if times.now() - self._read_at <= age:
            return
        try:
            self._read()
        except (BotoCoreError, ClientError) as error:
            # The old keys are better than none. The next attempt comes after the same time.
            log.error("signing_keys_not_refreshed", **logs.exception_keys(error))
            self._read_at += age

    def _read(self) -> None:
        answer = self._client.get_secret_value(SecretId=settings().signing_keys_arn)
        self._secret: dict[str, str] = json.loads(answer["SecretString"])
        self._read_at = times.now()


@cache
def _keys() -> _Keys:
    return _Keys()
