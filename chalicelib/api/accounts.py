"""The routes of accounts and tokens."""

import re
import unicodedata
from typing import Annotated

from chalice import Response
from pydantic import (
    AfterValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from chalicelib import accounts, passwords
from chalicelib.api.answers import answer
from chalicelib.api.call import Call
from chalicelib.api.fields import SPACE, Reasons, Text, described, example, read
from chalicelib.api.routing import route
from chalicelib.errors import InvalidToken, Throttled, WrongCredentials
from chalicelib.lazy_model import LazyModel

# As in Django's UnicodeUsernameValidator; \w are the letters and digits of any alphabet.
_USERNAME = re.compile(r"[\w.@+-]+")
# For JSON Schema, which has no portable \w: exact for ASCII only. Surrounding
# white space is trimmed.
_USERNAME_PATTERN = (
    rf"^[{SPACE}]*[^\s\x00-*,/:-?\[-^`{{-\x9f]{{1,{accounts.USERNAME_LENGTH}}}[{SPACE}]*$"
)
_PASSWORD_PATTERN = (
    rf"^[{SPACE}]*[^\x00{SPACE}]"
    rf"[^\x00]{{{passwords.MIN_LENGTH - 2},{passwords.MAX_LENGTH - 2}}}[^\x00{SPACE}][{SPACE}]*$"
)


def _normalize(username: str) -> str:
    # As in Django's UsernameField: a long name is invalid anyway, and the time that normalizing
    # takes grows with the square of its length.
    if len(username) > accounts.USERNAME_LENGTH:
        return username
    return unicodedata.normalize("NFKC", username)


def _check_username(username: str) -> str:
    reasons = []
    if not _USERNAME.fullmatch(username):
        reasons.append(
            "Enter a valid username. This value may contain only letters, numbers, "
            "and @/./+/-/_ characters."
        )
    if len(username) > accounts.USERNAME_LENGTH:
        reasons.append(f"Ensure this field has no more than {accounts.USERNAME_LENGTH} characters.")
    if reasons:
        raise Reasons(reasons)
    return username


Token = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}$"})
]
_TOKEN = (
    "eyJhbGciOiJIUzI1NiIsImtpZCI6IjEifQ.eyJ1c2VyX2lkIjoiMSJ9."
    "c2lnbmF0dXJlLXNpZ25hdHVyZS1zaWduYXR1cmU"
)


# OpenAPI's words for the token in the answer.
_REFRESH = {"refresh": "$response.body#/refresh"}


class Registration(LazyModel):
    """A new account."""

    username: Annotated[
        Text,
        AfterValidator(_normalize),
        AfterValidator(_check_username),
        described(
            pattern=_USERNAME_PATTERN,
            description=(
                f"1 to {accounts.USERNAME_LENGTH} letters and digits of any alphabet or @ . + - _, "
                "compared after Unicode NFKC."
            ),
        ),
    ]
    password: Annotated[
        Text,
        described(
            pattern=_PASSWORD_PATTERN,
            description=(
                f"{passwords.MIN_LENGTH} to {passwords.MAX_LENGTH} characters, not the username. "
                "A service may also refuse common ones."
            ),
        ),
    ]

    model_config = example({"username": "ann", "password": "correct horse"})

    @field_validator("password")
    @classmethod
    def _check_password(cls, password: str, info: ValidationInfo) -> str:
        # accounts.register checks this too. Here, a client is told together with what is
        # wrong with the username; if that is invalid itself, there is nothing to compare.
        if reasons := passwords.faults(password, info.data.get("username", "")):
            raise Reasons(reasons)
        return password


class Account(LazyModel):
    """The account."""

    id: Annotated[str, described(format="uuid")]
    username: str

    model_config = example({"id": "3e7f9a52-6c1d-4b8e-9f04-d2a5b8c7e610", "username": "ann"})


class Credentials(LazyModel):
    """What a user signs in with."""

    username: Annotated[Text, AfterValidator(_normalize)]
    password: Text

    model_config = example({"username": "ann", "password": "correct horse"})


class TokenPair(LazyModel):
    """The tokens."""

    access: Token
    refresh: Token

    model_config = example({"access": _TOKEN, "refresh": _TOKEN})


class RefreshToken(LazyModel):
    """A refresh token."""

    refresh: Text

    model_config = example({"refresh": _TOKEN})


class AnyToken(LazyModel):
    """An access or a refresh token."""

    token: Text

    model_config = example({"token": _TOKEN})


class Done(LazyModel):
    """Done."""

    model_config = example({})


@route(
    "POST",
    "/api/register",
    summary="Register",
    body=Registration,
    answers={201: Account},
    errors=[Throttled],
    links={
        "sign_in": {
            "operationId": "accounts_sign_in",
            "requestBody": {
                "username": "$request.body#/username",
                "password": "$request.body#/password",
            },
        },
    },
    is_public=True,
)
def register(call: Call) -> Response:
    new = read(Registration, call.body)
    user_id = accounts.register(new.username, new.password, call.address, call.now)
    return answer(Account(id=user_id, username=new.username), 201)


@route(
    "POST",
    "/api/token",
    summary="Sign in",
    body=Credentials,
    answers={200: TokenPair},
    errors=[WrongCredentials, Throttled],
    links={
        "refresh": {"operationId": "accounts_refresh", "requestBody": _REFRESH},
        "verify": {
            "operationId": "accounts_verify",
            "requestBody": {"token": "$response.body#/access"},
        },
        "sign_out": {"operationId": "accounts_sign_out", "requestBody": _REFRESH},
    },
    is_public=True,
)
def sign_in(call: Call) -> Response:
    credentials = read(Credentials, call.body)
    tokens = accounts.sign_in(credentials.username, credentials.password, call.address, call.now)
    return answer(tokens)


@route(
    "POST",
    "/api/token/refresh",
    summary="Exchange a refresh token for new tokens",
    body=RefreshToken,
    answers={200: TokenPair},
    errors=[InvalidToken],
    is_public=True,
)
def refresh(call: Call) -> Response:
    return answer(accounts.refresh(read(RefreshToken, call.body).refresh, call.now))


@route(
    "POST",
    "/api/token/verify",
    summary="Check a token",
    body=AnyToken,
    answers={200: Done},
    errors=[InvalidToken],
    is_public=True,
)
def verify(call: Call) -> Response:
    accounts.verify(read(AnyToken, call.body).token)
    return answer(Done())


@route(
    "POST",
    "/api/token/blacklist",
    summary="Sign out",
    body=RefreshToken,
    answers={200: Done},
    errors=[InvalidToken],
    is_public=True,
)
def sign_out(call: Call) -> Response:
    accounts.sign_out(read(RefreshToken, call.body).refresh, call.now)
    return answer(Done())
