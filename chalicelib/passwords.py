"""Which passwords are accepted."""

import gzip
import re
from difflib import SequenceMatcher
from functools import cache
from importlib.resources import files

from chalicelib.config import settings

MIN_LENGTH, MAX_LENGTH = 8, 128

# As in Django's UserAttributeSimilarityValidator.
_MAX_SIMILARITY = 0.7


def faults(password: str, username: str) -> list[str]:
    """Return every reason against a password, in the words and order of Django's validators.

    The setting PASSWORD_POLICY decides how many of them apply. An empty username matches
    no password.
    """
    is_strict = settings().password_policy == "strict"
    is_too_long = len(password) > MAX_LENGTH
    # Comparing takes a time that grows with the password.
    is_compared = is_strict and not is_too_long
    is_similar = _is_similar(password, username) if is_compared else password == username
    reasons = {
        f"This password is too short. It must contain at least {MIN_LENGTH} characters.": (
            len(password) < MIN_LENGTH
        ),
        f"Ensure this field has no more than {MAX_LENGTH} characters.": is_too_long,
        "The password is too similar to the username.": is_similar,
        "This password is too common.": is_strict and password.lower() in _common_passwords(),
        "This password is entirely numeric.": is_strict and password.isdigit(),
    }
    return [reason for reason, applies in reasons.items() if applies]


def _is_similar(password: str, username: str) -> bool:
    parts = [*re.split(r"\W+", username), username]
    return any(
        SequenceMatcher(a=password.lower(), b=part.lower()).quick_ratio() >= _MAX_SIMILARITY
        for part in parts
        if part
    )


@cache
def _common_passwords() -> frozenset[str]:
    """Return Django's list of common passwords, in lower case."""
    packed = files(__package__).joinpath("common-passwords.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode().split())
