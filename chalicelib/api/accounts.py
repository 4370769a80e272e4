"""The routes of accounts and tokens."""

import re
import unicodedata
from typing import Annotated

from chalice import Response
from pydantic import AfterValidator, BaseModel, Field, ValidationInfo, field_validator

from chalicelib import accounts, passwords
from chalicelib.api.answers import answer
from chalicelib.api.call import Call
from chalicelib.api.fields import Reasons, Text, read
from chalicelib.api.routing import route
from chalicelib.errors import InvalidToken, Throttled, WrongCredentials

# As in Django's UnicodeUsernameValidator; \w are the letters and digits of any alphabet.
_USERNAME = re.compile(r"[\w.@+-]+")


def _normalize(username: str) -> str:
    # As Django's UsernameField: a long name is no valid one anyway, and normalizing takes a time
    # that grows with the square of its length.
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


class Registration(BaseModel):
    """A new account."""

    username: Annotated[
        Text,
        AfterValidator(_normalize),
        AfterValidator(_check_username),
        Field(json_schema_extra={"minLength": 1, "maxLength": accounts.USERNAME_LENGTH}),
    ]
    password: Annotated[
        Text,
        Field(
            json_schema_extra={
                "minLength": passwords.MIN_LENGTH,
                "maxLength": passwords.MAX_LENGTH,
            }
        ),
    ]

    @field_validator("password")
    @classmethod
    def _check_password(cls, password: str, info: ValidationInfo) -> str:
        # accounts.register checks this too. Here, a client is told together with what is
        # wrong with the username; if that is invalid itself, there is nothing to compare.
        if reasons := passwords.faults(password, info.data.get("username", "")):
            raise Reasons(reasons)
        return password


class Account(BaseModel):
    """The account."""

    id: str
    username: str


class Credentials(BaseModel):
    """What a user signs in with."""

    username: Annotated[Text, AfterValidator(_normalize)]
    password: Text


class TokenPair(BaseModel):
    """The tokens."""

    access: str
    refresh: str


class RefreshToken(BaseModel):
    """A refresh token."""

    refresh: Text


class AnyToken(BaseModel):
    """An access or a refresh token."""

    token: Text


class Done(BaseModel):
    """Done."""


@route(
    "POST",
    "/api/register",
    summary="Register",
    body=Registration,
    answers={201: Account},
    errors=[Throttled],
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
