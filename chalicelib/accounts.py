"""Use cases of accounts: register, sign in, refresh, verify, sign out."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from aws_lambda_powertools import Logger

from chalicelib import errors, logs, passwords, security
from chalicelib.config import settings
from chalicelib.models import Account, Session, registration_limits, sign_in_limits

log = Logger(service="tasks", child=True)

#: The longest username, in characters, as in Django.
USERNAME_LENGTH = 150


def register(username: str, password: str, address: str, now: datetime) -> str:
    """Create a user and return its id.

    Raises InvalidFields with every reason against the password, or if the username is taken,
    and Throttled after too many registrations from one address.
    """
    if reasons := passwords.faults(password, username):
        raise errors.InvalidFields({"password": reasons})
    limits = registration_limits(address, settings().registrations_per_hour)
    account, attempt = Account.find(username, limits, now)
    # Before the password is hashed, which takes a hundred times as long as the rest.
    attempt.check()
    user_id = str(uuid4())
    if account or not Account.create(
        username, user_id, security.hash_password(password), now, attempt
    ):
        raise errors.InvalidFields({"username": ["A user with that username already exists."]})
    return user_id


def sign_in(username: str, password: str, address: str, now: datetime) -> dict[str, str]:
    """Return a new token pair, as `access` and `refresh`.

    The attempt is counted before the password is checked, so that guesses in parallel do not
    pass the limits, and taken back if the password is right.

    Raises WrongCredentials, whether the user is unknown or the password is wrong, and
    Throttled after too many failures.
    """
    # No account has a longer name; attempts for such names are limited like all others.
    username = username[: USERNAME_LENGTH + 1]
    account, attempt = Account.find(username, sign_in_limits(username, address), now)
    attempt.count()
    matches = security.verify_password(password, account.password_hash if account else None)
    if not account or not matches:
        raise errors.WrongCredentials
    try:
        attempt.take_back()
    except Exception as error:
        # The password is right all the same; the attempt counts for 15 minutes.
        log.error("attempt_not_taken_back", **logs.exception_keys(error))
    return _token_pair(account.owner, now, _first_jti(), now)


def refresh(token: str, now: datetime) -> dict[str, str]:
    """Rotate a refresh token and return a new token pair.

    A token that comes again soon after its rotation gets the same answer again: its client may
    not have got the first one. If it comes later, somebody has a copy of it, so the session ends.

    Raises InvalidToken.
    """
    given = _read_refresh_token(token)
    issued_at = now
    if not Session.rotate(
        given.session_id,
        given.number,
        now=now,
        expires_at=max(given.expires_at, now + security.lifetime(security.REFRESH)),
        request_id=uuid4().hex,
    ):
        issued_at = _just_rotated(given, now).rotated_at
    return _token_pair(given.user_id, now, given.next_jti, issued_at)


def sign_out(token: str, now: datetime) -> None:
    """End the session of a refresh token. Raises InvalidToken."""
    given = _read_refresh_token(token)
    if not Session.end(
        given.session_id, given.number, expires_at=given.expires_at, request_id=uuid4().hex
    ):
        _just_rotated(given, now).revoke()


def verify(text: str) -> None:
    """Check an access or a refresh token. Raises InvalidToken."""
    token = security.read_token(text)
    if token.token_type != security.REFRESH:
        return
    given = _RefreshToken.of(token)
    session = Session.find(given.session_id)
    if session and (session.is_revoked or session.current != given.number):
        raise errors.InvalidToken("Token is blacklisted")


@dataclass(frozen=True)
class _RefreshToken:
    """A refresh token, with what its `jti` says: 24 digits of the session, 8 of its number."""

    user_id: str
    session_id: str
    number: int
    expires_at: datetime

    @classmethod
    def of(cls, token: security.Token) -> "_RefreshToken":
        return cls(token.user_id, token.jti[:24], int(token.jti[24:], 16), token.expires_at)

    @property
    def next_jti(self) -> str:
        return f"{self.session_id}{self.number + 1:08x}"


def _first_jti() -> str:
    return secrets.token_hex(12) + "00000000"


def _read_refresh_token(text: str) -> _RefreshToken:
    return _RefreshToken.of(security.read_token(text, security.REFRESH))


def _just_rotated(given: _RefreshToken, now: datetime) -> Session:
    """Return the session of a token that is not the current one, but was until just now.

    With any other token the session ends, if it has not yet. Raises InvalidToken.
    """
    session = Session.find(given.session_id)
    if session and not session.is_revoked:
        grace = timedelta(seconds=settings().refresh_grace_seconds)
        if session.current == given.number + 1 and now < session.rotated_at + grace:
            return session
        session.revoke()
        log.warning("refresh_token_reused", user_id=given.user_id)
    raise errors.InvalidToken("Token is blacklisted")


def _token_pair(user_id: str, now: datetime, jti: str, issued_at: datetime) -> dict[str, str]:
    return {
        "refresh": security.issue_token(security.REFRESH, user_id, issued_at, jti),
        "access": security.issue_token(security.ACCESS, user_id, now),
    }
