"""The routes of accounts and tokens."""

import gzip
import re
import unicodedata
from difflib import SequenceMatcher
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from chalice import Blueprint, Response
from pydantic import AfterValidator, BaseModel, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from chalicelib import accounts
from chalicelib.api.endpoint import Call, answer, resource
from chalicelib.api.fields import read
from chalicelib.config import settings

MIN_PASSWORD, MAX_PASSWORD = 8, 128

# As in Django's UnicodeUsernameValidator; \w are the letters and digits of any alphabet.
_USERNAME = re.compile(r"[\w.@+-]+")
# As in Django's UserAttributeSimilarityValidator.
_TOO_SIMILAR = 0.7


def _refuse(reasons: list[str]) -> None:
    if reasons:
        raise PydanticCustomError("refused", "Invalid.", {"reasons": reasons})


def _text(value: str) -> str:
    """Check and trim a string as DRF's CharField does."""
    value = value.strip()
    if not value:
        _refuse(["This field may not be blank."])
    if "\x00" in value:
        _refuse(["Null characters are not allowed."])
    return value


def _username(value: str) -> str:
    value = unicodedata.normalize("NFKC", value)
    reasons = []
    if not _USERNAME.fullmatch(value):
        reasons.append(
            "Enter a valid username. This value may contain only letters, numbers, "
            "and @/./+/-/_ characters."
        )
    if len(value) > accounts.USERNAME_LENGTH:
        reasons.append(f"Ensure this field has no more than {accounts.USERNAME_LENGTH} characters.")
    _refuse(reasons)
    return value


Text = Annotated[str, Field(strict=True), AfterValidator(_text)]


class Registration(BaseModel):
    """A new account."""

    username: Annotated[
        Text,
        AfterValidator(_username),
        Field(json_schema_extra={"minLength": 1, "maxLength": accounts.USERNAME_LENGTH}),
    ]
    password: Annotated[
        Text,
        Field(json_schema_extra={"minLength": MIN_PASSWORD, "maxLength": MAX_PASSWORD}),
    ]

    @field_validator("password")
    @classmethod
    def _password(cls, password: str, info: ValidationInfo) -> str:
        # A username that is not valid itself is not there to compare with.
        _refuse(_password_faults(password, info.data.get("username", "")))
        return password


class Credentials(BaseModel):
    """What a user signs in with."""

    username: Annotated[Text, AfterValidator(lambda name: unicodedata.normalize("NFKC", name))]
    password: Text


class RefreshToken(BaseModel):
    """A refresh token."""

    refresh: Text


class AnyToken(BaseModel):
    """An access or a refresh token."""

    token: Text


def blueprint() -> Blueprint:
    routes = Blueprint(__name__)
    resource(routes, "/api/register", post=_register, public=True)
    resource(routes, "/api/token", post=_sign_in, public=True)
    resource(routes, "/api/token/refresh", post=_refresh, public=True)
    resource(routes, "/api/token/verify", post=_verify, public=True)
    resource(routes, "/api/token/blacklist", post=_blacklist, public=True)
    return routes


def _register(call: Call) -> Response:
    new = read(Registration, call.body)
    user_id = accounts.register(new.username, new.password, call.now)
    return answer({"id": user_id, "username": new.username}, 201)


def _sign_in(call: Call) -> Response:
    credentials = read(Credentials, call.body)
    return answer(accounts.sign_in(credentials.username, credentials.password, call.now))


def _refresh(call: Call) -> Response:
    return answer(accounts.refresh(read(RefreshToken, call.body).refresh, call.now))


def _verify(call: Call) -> Response:
    accounts.verify(read(AnyToken, call.body).token)
    return answer({})


def _blacklist(call: Call) -> Response:
    accounts.sign_out(read(RefreshToken, call.body).refresh)
    return answer({})


def _password_faults(password: str, username: str) -> list[str]:
    faults = []
    if len(password) < MIN_PASSWORD:
        faults.append(
            f"This password is too short. It must contain at least {MIN_PASSWORD} characters."
        )
    if len(password) > MAX_PASSWORD:
        faults.append(f"Ensure this field has no more than {MAX_PASSWORD} characters.")
    strict = settings().password_policy == "strict"
    if password == username or (strict and _is_similar(password, username)):
        faults.append("The password is too similar to the username.")
    if strict and password.lower() in _common_passwords():
        faults.append("This password is too common.")
    if strict and password.isdigit():
        faults.append("This password is entirely numeric.")
    return faults


def _is_similar(password: str, username: str) -> bool:
    parts = [*re.split(r"\W+", username), username]
    return any(
        SequenceMatcher(a=password.lower(), b=part.lower()).quick_ratio() >= _TOO_SIMILAR
        for part in parts
        if part
    )


@cache
def _common_passwords() -> frozenset[str]:
    packed = files(__package__).joinpath("common-passwords.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode().split())


def schemas() -> list[Any]:
    """Return the models of this room's requests, for the OpenAPI document."""
    return [Registration, Credentials, RefreshToken, AnyToken]
