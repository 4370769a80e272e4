"""Whatever comes as a username or a password is answered, and quickly."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.config import settings
from tests.aws_calls import Calls
from tests.drivers import Answer, Api

PASSWORD = "correct horse"
BAD_NAME = (
    "Enter a valid username. This value may contain only letters, numbers, "
    "and @/./+/-/_ characters."
)
LONG_NAME = "Ensure this field has no more than 150 characters."
BLANK = "This field may not be blank."
NULL = "This field may not be null."
NUL = "Null characters are not allowed."
NO_TEXT = "Not a valid string."
TOO_SHORT = "This password is too short. It must contain at least 8 characters."
TOO_LONG = "Ensure this field has no more than 128 characters."

#: Usernames, and why they are refused.
NAMES: dict[str, tuple[Any, list[str]]] = {
    "null": (None, [NULL]),
    "a number": (1, [NO_TEXT]),
    "a number of 4,001 digits": (10**4000, [NO_TEXT]),
    "true": (True, [NO_TEXT]),
    "a list": (["ann"], [NO_TEXT]),
    "an operator": ({"$ne": None}, [NO_TEXT]),
    "empty": ("", [BLANK]),
    "white space of all kinds": (" \t\n\r\x0b\x0c\x85\xa0\u2028\u3000", [BLANK]),
    "60,000 spaces": (" " * 60_000, [BLANK]),
    "NUL": ("ann\0", [NUL]),
    "NUL alone": ("\0", [NUL]),
    "a newline": ("ann\nbob", [BAD_NAME]),
    "a line separator": ("ann\u2028bob", [BAD_NAME]),
    "a zero-width space": ("ann\u200b", [BAD_NAME]),
    "a right-to-left override": ("ann\u202ebob", [BAD_NAME]),
    "a byte order mark": ("\ufeffann", [BAD_NAME]),
    "a tag character": ("ann\U000e0061", [BAD_NAME]),
    "a private character": ("\ue000", [BAD_NAME]),
    "a noncharacter": ("\uffff", [BAD_NAME]),
    "an emoji": ("\U0001f600", [BAD_NAME]),
    "a key": ("name#ann", [BAD_NAME]),
    "a path": ("../../etc/passwd", [BAD_NAME]),
    "SQL": ("' OR 1=1 --", [BAD_NAME]),
    "HTML": ("<script>alert(1)</script>", [BAD_NAME]),
    "a template": ("{{7*7}}", [BAD_NAME]),
    "a format": ("%s%n{0}", [BAD_NAME]),
    "151 letters": ("x" * 151, [LONG_NAME]),
    "60,000 letters": ("x" * 60_000, [LONG_NAME]),
    "60,000 signs": ("?" * 60_000, [BAD_NAME, LONG_NAME]),
    "30,000 combining characters": ("\u0301\u0316" * 15_000, [BAD_NAME, LONG_NAME]),
    "a letter with 30,000 of them": ("a" + "\u0301\u0316" * 15_000, [BAD_NAME, LONG_NAME]),
    "151 letters that grow": ("\ufdfa" * 151, [LONG_NAME]),
    "150 letters that grow": ("\ufdfa" * 150, [BAD_NAME, LONG_NAME]),
    "150 letters that become 300": ("\ufb00" * 150, [LONG_NAME]),
    "76 letters that become 152": ("\ufb00" * 76, [LONG_NAME]),
    "151 letters that would shrink": ("e\u0301" * 75 + "x", [BAD_NAME, LONG_NAME]),
    "a sign that becomes a space": ("ann\xa0bob", [BAD_NAME]),
    "a sign that becomes a slash": ("ann\uff0fbob", [BAD_NAME]),
}

#: Passwords, and why they are refused.
PASSWORDS: dict[str, tuple[Any, list[str]]] = {
    "null": (None, [NULL]),
    "a number": (12345678, [NO_TEXT]),
    "a list": (list("password"), [NO_TEXT]),
    "an object": ({"password": PASSWORD}, [NO_TEXT]),
    "false": (False, [NO_TEXT]),
    "empty": ("", [BLANK]),
    "spaces": (" " * 60_000, [BLANK]),
    "NUL": ("password\0", [NUL]),
    "short, with spaces around": ("   1234567   ", [TOO_SHORT]),
    "one emoji of many parts": ("\U0001f468\u200d\U0001f469\u200d\U0001f467", [TOO_SHORT]),
    "129 characters": ("x" * 129, [TOO_LONG]),
    "60,000 characters": ("x" * 60_000, [TOO_LONG]),
    "60,000 digits": ("9" * 60_000, [TOO_LONG]),
    "16,000 emoji": ("\U0001f600" * 16_000, [TOO_LONG]),
    "30,000 combining characters": ("\u0301\u0316" * 15_000, [TOO_LONG]),
}


@pytest.fixture(params=["basic", "strict"])
def policy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("PASSWORD_POLICY", request.param)
    settings.cache_clear()
    settings()
    yield request.param
    settings.cache_clear()


def send(api: Api, path: str, username: Any, password: Any) -> Answer:
    """Send credentials without escapes, so that more of them fit in."""
    body = json.dumps({"username": username, "password": password}, ensure_ascii=False)
    return api.post(path, raw=body.encode(), headers={"Content-Type": "application/json"})


@pytest.mark.parametrize(("name", "reasons"), NAMES.values(), ids=NAMES.keys())
def test_a_strange_username_does_not_register(
    api: Api, calls: Calls, name: Any, reasons: list[str]
) -> None:
    answer = send(api, "/api/register/", name, PASSWORD)
    assert (answer.status, answer.json) == (400, {"username": reasons})
    assert calls == []


@pytest.mark.parametrize(("password", "reasons"), PASSWORDS.values(), ids=PASSWORDS.keys())
def test_a_strange_password_does_not_register(
    api: Api, calls: Calls, policy: str, password: Any, reasons: list[str]
) -> None:
    answer = send(api, "/api/register/", "ann", password)
    found = answer.json["password"]
    assert (answer.status, answer.json.keys()) == (400, {"password"})
    assert found[: len(reasons)] == reasons
    assert policy == "strict" or found == reasons
    assert calls == []


@pytest.mark.parametrize(("name", "reasons"), NAMES.values(), ids=NAMES.keys())
def test_a_strange_username_signs_nobody_in(api: Api, name: Any, reasons: list[str]) -> None:
    answer = send(api, "/api/token/", name, PASSWORD)
    if {NULL, NO_TEXT, BLANK, NUL} & {*reasons}:
        assert (answer.status, answer.json) == (400, {"username": reasons})
    else:
        assert (answer.status, answer.json["code"]) == (401, "no_active_account")


@pytest.mark.parametrize(("password", "reasons"), PASSWORDS.values(), ids=PASSWORDS.keys())
def test_a_strange_password_signs_nobody_in(api: Api, password: Any, reasons: list[str]) -> None:
    answer = send(api, "/api/token/", "nobody", password)
    if {NULL, NO_TEXT, BLANK, NUL} & {*reasons}:
        assert (answer.status, answer.json) == (400, {"password": reasons})
    else:
        assert (answer.status, answer.json["code"]) == (401, "no_active_account")
