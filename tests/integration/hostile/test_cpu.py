"""No request costs much more than the hash of one password, the dearest thing that is meant.

Costs are compared with each other in the same run, in CPU time, since machines differ.
"""

import base64
import json
import timeit
from collections.abc import Callable, Iterator
from functools import partial
from time import process_time
from typing import Any

import pytest

from chalicelib import security
from chalicelib.config import settings
from chalicelib.models import limits
from tests.drivers import Api

JSON = {"Content-Type": "application/json"}

#: What a request may cost, in hashes of a password.
MOST = 2
#: And one that checks a password. The emulated table is part of it.
MOST_WITH_PASSWORD = 4

ZALGO = "a" + "\u0301\u0316" * 15_000


def segment(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def credentials(username: str = "ann", password: str = "correct horse") -> bytes:
    body = {"username": username, "password": password}
    return json.dumps(body, ensure_ascii=False).encode()


def a_token(text: str) -> bytes:
    return json.dumps({"token": text}).encode()


def headed(header: bytes) -> bytes:
    return a_token(segment(header) + ".e30.x")


def many(item: bytes, number: int) -> bytes:
    return b'{"a": [' + b",".join([item] * number) + b"]}"


def a_sum(item: bytes, number: int) -> bytes:
    values = b",".join([item] * number)
    # The time is refused, so that only the reading counts.
    return b'{"task_type": "sum", "scheduled_at": 1, "input_data": {"values": [%b]}}' % values


def at(text: str) -> bytes:
    body = {"task_type": "sum", "input_data": {"a": 1, "b": 2}, "scheduled_at": text}
    return json.dumps(body).encode()


NAMES: dict[str, bytes] = {
    "combining characters": credentials(ZALGO),
    "letters that grow": credentials("\ufdfa" * 20_000),
    "150 letters that grow": credentials("\ufdfa" * 150),
    "conjoining letters": credentials("\u1100\u1161\u11a8" * 7_000),
    "75 words": credentials("a." * 75, "1" * 128),
    "75 words and a long password": credentials("b." * 75, "ab" * 30_000),
    "a long password": credentials(password="ab" * 30_000),
    "a long password of combining characters": credentials(password=ZALGO),
    "a long password of digits": credentials(password="\u0663" * 30_000),
    "white space": credentials(" " * 30_000, "\u3000" * 10_000),
}

BODIES: dict[str, bytes] = {
    "deep arrays": b'{"a": ' + b"[" * 32_000 + b"]" * 32_000 + b"}",
    "deep objects": b'{"a":' * 10_900 + b"1" + b"}" * 10_900,
    "deep and wide": b'{"a": ' + b"[" * 199 + b"1," * 30_000 + b"1" + b"]" * 199 + b"}",
    "many empty arrays": many(b"[]", 21_000),
    "many empty arrays and an escape": b'{"b":"\\u0041",' + many(b"[]", 21_000)[1:],
    "never closed": b"[" * 65_000,
    "many fields": b"{" + b",".join(b'"%d":1' % number for number in range(6500)) + b"}",
    "one field many times": b"{" + b",".join([b'"":1'] * 13_000) + b"}",
    "many numbers": many(b"1", 32_000),
    "many numbers and an escape": b'{"b":"\\u0041",' + many(b"1", 32_000)[1:],
    "many fractions": many(b"1.5", 16_000),
    "many exponents": many(b"1e999999999", 5_000),
    "long numbers": many(b"9" * 4300, 15),
    "long numbers and an escape": b'{"b":"\\u0041",' + many(b"9" * 4300, 14)[1:],
    "one long number": many(b"9" * 65_000, 1),
    "one long fraction": many(b"0." + b"9" * 65_000, 1),
    "a long exponent": many(b"1e" + b"9" * 65_000, 1),
    "escapes": b'{"a": "' + b"\\u0041" * 10_900 + b'"}',
    "lone surrogates": b'{"a": "' + b"\\ud800" * 10_900 + b'"}',
    "backslashes": b'{"a": "' + b"\\\\" * 32_000 + b'"}',
    "no UTF-8": b'{"a": "' + b"\xff" * 65_000 + b'"}',
    "line breaks": b"{" + b"\n" * 65_000,
}

TOKENS: dict[str, bytes] = {
    "long signature": a_token(segment(b'{"alg":"HS256","kid":"k1"}') + ".e30." + "A" * 60_000),
    "long claims": a_token(segment(b'{"alg":"HS256","kid":"k1"}') + "." + "A" * 60_000 + ".x"),
    "long key id": headed(b'{"alg":"HS256","kid":"' + b"x" * 45_000 + b'"}'),
    "long algorithm": headed(b'{"kid":"k1","alg":"' + b"x" * 45_000 + b'"}'),
    "deep header": headed(b'{"kid":' + b"[" * 22_000 + b"]" * 22_000 + b"}"),
    "wide header": headed(b'{"kid":"k1","alg":"HS256","a":[' + b"1," * 22_000 + b"1]}"),
    "long number": headed(b'{"kid":' + b"9" * 45_000 + b"}"),
    "long fraction": headed(b'{"kid":0.' + b"9" * 45_000 + b"}"),
    "many extensions": headed(b'{"kid":"k1","crit":[' + b'"b64",' * 7_000 + b'"b64"]}'),
    "dots": a_token("." * 60_000),
    "padding": a_token("=" * 60_000),
    "letters": a_token("\u00e9" * 10_000),
}

# API Gateway takes 10,240 bytes of headers; this is more.
HEADERS: dict[str, dict[str, str]] = {
    "Authorization": {"Authorization": "Bearer" + " a" * 30_000},
    "Authorization of dots": {"Authorization": "Bearer " + "." * 60_000},
    "Accept": {"Accept": "a/b," * 15_000},
    "Accept of parameters": {"Accept": ";" * 60_000},
    "Content-Type": {"Content-Type": "application/json" + ";" * 60_000},
    "If-None-Match": {"If-None-Match": '"a",' * 15_000},
    "Idempotency-Key": {"Idempotency-Key": "a" * 60_000},
    "X-Request-Id": {"X-Request-Id": "a" * 60_000},
    "traceparent": {"traceparent": "0" * 60_000},
    "Host": {"Host": "a." * 30_000},
    "Host of colons": {"Host": "[" + ":" * 60_000},
    "X-Forwarded-Proto": {"X-Forwarded-Proto": "https" * 12_000},
}

TASKS: dict[str, bytes] = {
    "1,000 whole numbers": a_sum(b"1", 1000),
    "32,000 whole numbers": a_sum(b"1", 32_000),
    "1,000 exponents": a_sum(b"1e3999", 1000),
    "15 numbers of 4,000 digits": a_sum(b"9" * 4000, 15),
    "15 fractions of 4,000 digits": a_sum(b"0." + b"9" * 4000, 15),
    "one fraction of 60,000 digits": a_sum(b"0." + b"9" * 60_000, 1),
    "1,000 texts": a_sum(b'""', 1000),
    "a time of a long fraction": at("2030-01-01T12:00:00." + "0" * 60_000),
    "a time of no format": at("2030-01-01 12:00:00." + "1" * 60_000 + "x"),
    "a time and spaces": at("2030-01-01 12:00:00" + " " * 60_000 + "x"),
    "a type of many": b'{"input_data": {}, "task_type": [' + b"1," * 30_000 + b"1]}",
    "a countdown of 4,300 digits": b'{"task_type": "countdown", "input_data": {"seconds": '
    + b"9" * 4300
    + b"}}",
    "a countdown beyond all": b'{"task_type":"countdown","input_data":{"seconds":1e999999999}}',
}

QUERIES: dict[str, str] = {
    "page": "page=" + "9" * 8000,
    "page of 4,300 digits": "page=" + "9" * 4300,
    "page and underscores": "page=" + "1_" * 4000,
    "cursor": "cursor=" + "A" * 8000,
    "cursor of padding": "cursor=" + "=" * 8000,
    "status": "status=" + "x" * 8000,
    "many": "&".join(f"a{number}=1" for number in range(1000)),
    "spaces": "a=" + "%20" * 2500,
}


@pytest.fixture(params=["basic", "strict"])
def policy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PASSWORD_POLICY", request.param)
    settings.cache_clear()
    settings()
    yield
    settings.cache_clear()


def costs(hashes: int, function: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
    """Tell whether a call costs at most this many hashes.

    Other processes slow the machine down for a while, so both are measured again if it does not.
    """
    return any(
        cost(function, *args, **kwargs) < hashes * cost(security.hash_password, "correct horse")
        for _ in range(5)
    )


def cost(function: Callable[..., Any], *args: Any, **kwargs: Any) -> float:
    """Return the CPU time of a call, in seconds: the least of three, without the collector's."""
    call = partial(function, *args, **kwargs)
    call()
    return min(timeit.repeat(call, timer=process_time, number=1, repeat=3))


@pytest.mark.usefixtures("policy")
@pytest.mark.parametrize("raw", NAMES.values(), ids=NAMES.keys())
def test_refusing_a_registration_is_cheap(api: Api, raw: bytes) -> None:
    assert costs(MOST, api.post, "/api/register/", raw=raw, headers=JSON)


@pytest.mark.parametrize("raw", NAMES.values(), ids=NAMES.keys())
def test_a_sign_in_costs_one_hash(api: Api, raw: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PAIR_FAILURES", 1000)
    monkeypatch.setattr(limits, "SINGLE_FAILURES", 1000)
    assert costs(MOST_WITH_PASSWORD, api.post, "/api/token/", raw=raw, headers=JSON)


@pytest.mark.parametrize("raw", BODIES.values(), ids=BODIES.keys())
def test_reading_a_body_is_cheap(api: Api, raw: bytes) -> None:
    for path in ("/api/register/", "/api/token/refresh/"):
        assert costs(MOST, api.post, path, raw=raw, headers=JSON)


@pytest.mark.parametrize("raw", TOKENS.values(), ids=TOKENS.keys())
def test_refusing_a_token_is_cheap(api: Api, raw: bytes) -> None:
    assert costs(MOST, api.post, "/api/token/verify/", raw=raw, headers=JSON)


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS.keys())
def test_reading_headers_is_cheap(ann: Api, headers: dict[str, str]) -> None:
    for path in ("/api/tasks/", "/api/token/"):
        for method in ("GET", "POST"):
            sent = JSON | headers
            assert costs(MOST, ann.request, method, path, raw=b"{}", headers=sent)


@pytest.mark.parametrize("raw", TASKS.values(), ids=TASKS.keys())
def test_refusing_a_task_is_cheap(ann: Api, raw: bytes) -> None:
    assert costs(MOST, ann.post, "/api/tasks/", raw=raw, headers=JSON)


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
def test_reading_a_query_is_cheap(ann: Api, query: str) -> None:
    assert costs(MOST, ann.get, f"/api/tasks/?{query}")


def test_a_whole_number_costs_about_as_much_as_a_fraction(ann: Api) -> None:
    whole, fraction = (
        cost(ann.post, "/api/tasks/", raw=a_sum(item, 1000), headers=JSON)
        for item in (b"100", b"1.5")
    )
    assert whole < 3 * fraction
