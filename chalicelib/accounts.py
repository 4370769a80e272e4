"""Use cases of accounts: register, sign in, refresh, verify, sign out."""

from datetime import datetime
from uuid import uuid4

from chalicelib import errors, passwords, security
from chalicelib.models import (
    SIGN_IN_FAILURES,
    SIGN_IN_WINDOW,
    Account,
    RevokedToken,
    SignInFailure,
)

#: The longest username, in characters, as in Django.
USERNAME_LENGTH = 150


def register(username: str, password: str, now: datetime) -> str:
    """Create a user and return its id.

    Raises InvalidFields with every reason against the password, or if the username is taken.
    """
    if reasons := passwords.faults(password, username):
        raise errors.InvalidFields({"password": reasons})
    user_id = str(uuid4())
    if not Account.create(username, user_id, security.hash_password(password), now):
        raise errors.InvalidFields({"username": ["A user with that username already exists."]})
    return user_id


def sign_in(username: str, password: str, now: datetime) -> dict[str, str]:
    """Return a new token pair, as `access` and `refresh`.

    Raises WrongCredentials, whether the user is unknown or the password is wrong, and
    SignInThrottled after too many failures for one username.
    """
    if len(username) > USERNAME_LENGTH:
        security.verify_password(password, None)
        raise errors.WrongCredentials
    account, failures = Account.find(username, now)
    if len(failures) >= SIGN_IN_FAILURES:
        free_at = failures[SIGN_IN_FAILURES - 1] + SIGN_IN_WINDOW
        raise errors.SignInThrottled(int((free_at - now).total_seconds()) + 1)
    matches = security.verify_password(password, account.password_hash if account else None)
    if account and matches:
        return _token_pair(account.owner, now)
    SignInFailure.record(username, now)
    raise errors.WrongCredentials


def refresh(token: str, now: datetime) -> dict[str, str]:
    """Revoke a refresh token and return a new token pair. Raises InvalidToken."""
    return _token_pair(_revoke(token), now)


def sign_out(token: str) -> None:
    """Revoke a refresh token. Raises InvalidToken."""
    _revoke(token)


def verify(text: str) -> None:
    """Check an access or a refresh token. Raises InvalidToken."""
    token = security.read_token(text)
    if token.token_type == security.REFRESH and RevokedToken.has(token.jti):
        raise errors.InvalidToken("Token is blacklisted")


def _revoke(text: str) -> str:
    token = security.read_token(text, security.REFRESH)
    if not RevokedToken.revoke(token.jti, token.expires_at):
        raise errors.InvalidToken("Token is blacklisted")
    return token.user_id


def _token_pair(user_id: str, now: datetime) -> dict[str, str]:
    return {
        "refresh": security.issue_token(security.REFRESH, user_id, now),
        "access": security.issue_token(security.ACCESS, user_id, now),
    }
