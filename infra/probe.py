"""Ask a running service what only real AWS can show, and report it line by line.

It leaves a user `probe-...` with one task behind. A line is `ok`, `differs`, or `could not look`:
no answer came, or the service is not behind API Gateway, where alone the expectation holds.
"""

import argparse
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any
from urllib.parse import urljoin

import httpx

from infra.gateway import SECURITY_HEADERS

#: How far ahead the probe schedules its task, and how long it waits for the task's start after
#: that. EventBridge Scheduler only takes part if it is more than a minute.
AHEAD, PATIENCE = timedelta(seconds=70), timedelta(seconds=60)
#: docs/contract.md: a task starts within 2 seconds after its time, never before it.
ON_TIME = timedelta(seconds=2)
#: Requests at once: one Lambda answers one at a time, so most of them start a new one.
BURST = 10
#: Milliseconds that answers may take. These are expectations, not promises.
COLD, WARM = 5_000, 500
#: API Gateway takes 10 MB (10,485,760 bytes) and Lambda 6 MB.
TEN_MB, SIX_MB = 10 * 2**20, 6 * 2**20

#: API Gateway's name for WWW-Authenticate: "Amazon API Gateway important notes for REST APIs",
#: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
REMAPPED = "x-amzn-remapped-www-authenticate"
CHALLENGE = 'Bearer realm="api"'


@dataclass(frozen=True)
class Line:
    """One expectation and what came."""

    verdict: str
    subject: str
    expected: str
    came: str

    def __str__(self) -> str:
        return f"{self.verdict:<14}  {self.subject}: expected {self.expected}; came {self.came}"


def _compared(subject: str, expected: str, came: str) -> Line:
    return Line("ok" if came == expected else "differs", subject, expected, came)


def _judged(subject: str, expected: str, came: str, *, good: bool) -> Line:
    return Line("ok" if good else "differs", subject, expected, came)


@contextmanager
def _client(url: str, token: str = "") -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
        yield client


def is_behind_api_gateway(url: str) -> bool:
    """Return whether API Gateway answers: its REST APIs send their request's id."""
    with _client(url) as client:
        return "x-amz-apigw-id" in client.get("/api/health").headers


def times(url: str) -> Iterator[Line]:
    """Compare the slowest of many first answers with the tenth in a row."""

    def ask(_: int) -> float:
        with _client(url) as client:
            return _milliseconds(client)

    with ThreadPoolExecutor(BURST) as pool:
        cold = max(pool.map(ask, range(BURST)))
    subject = f"slowest of {BURST} answers at once (cold)"
    yield _judged(subject, f"at most {COLD} ms", f"{cold:.0f} ms", good=cold <= COLD)
    with _client(url) as client:
        warm = [_milliseconds(client) for _ in range(10)][-1]
    yield _judged("tenth answer (warm)", f"at most {WARM} ms", f"{warm:.0f} ms", good=warm <= WARM)


def _milliseconds(client: httpx.Client) -> float:
    start = time.monotonic()
    client.get("/api/task-types").raise_for_status()
    return (time.monotonic() - start) * 1000


def challenge(url: str) -> Iterator[Line]:
    """Look for the name that API Gateway gives to the header WWW-Authenticate."""
    with _client(url) as client:
        headers = client.get("/api/tasks").headers
    came = [
        f"{name}: {headers[name]}" for name in (REMAPPED, "www-authenticate") if name in headers
    ]
    yield _compared("challenge of a 401", f"{REMAPPED}: {CHALLENGE}", ", ".join(came) or "none")


def large_bodies(url: str) -> Iterator[Line]:
    """Send more than API Gateway takes, and more than only Lambda refuses."""
    for size, whose in ((TEN_MB, "API Gateway"), (SIX_MB, "Lambda")):
        with _client(url) as client:
            answer = client.post("/api/tasks", content=b" " * (size + 1), headers=_JSON)
        subject = f"body over {size // 2**20} MB, the limit of {whose}"
        yield _compared(subject, "413 request_too_large", _outcome(answer))


_JSON = {"Content-Type": "application/json"}


def unknown_paths(url: str) -> Iterator[Line]:
    """Ask for a path that no route has: API Gateway answers itself."""
    for subject, token in (("without a token", ""), ("with a Bearer token", "a.b.c")):
        with _client(url, token) as client:
            answer = client.get("/api/no/such/path")
        yield _compared(f"unknown path {subject}", "404 not_found", _outcome(answer))
    # The only constant with quotes: AWS does not document how API Gateway reads them.
    name = "Content-Security-Policy"
    came = answer.headers.get(name, "none")
    yield _compared(f"{name} of an unknown path", SECURITY_HEADERS[name], came)


def slashes(url: str) -> Iterator[Line]:
    """Ask with and without the trailing slash."""
    with _client(url) as client:
        for path in ("/api/health", "/api/task-types"):
            answers = [client.get(path + slash) for slash in ("", "/")]
            came = " and ".join(f"{one.status_code}" for one in answers)
            same = answers[0].content == answers[1].content
            came += ", the same body" if same else ", different bodies"
            yield _compared(f"{path} and {path}/", "200 and 200, the same body", came)


def head(url: str) -> Iterator[Line]:
    """Ask with HEAD, which API Gateway passes on only where a route has it."""
    with _client(url) as client:
        answer = client.head("/api/health")
    came = f"{answer.status_code}, {len(answer.content)} bytes"
    yield _compared("HEAD /api/health", "200, 0 bytes", came)


def console(url: str) -> Iterator[Line]:
    """Ask for the console's page with and without the stage's slash, and for what it loads."""
    with _client(url) as client:
        pages = [client.get(url + slash) for slash in ("", "/")]
        came = " and ".join(f"{one.status_code} {one.headers['content-type']}" for one in pages)
        page = "200 text/html; charset=utf-8"
        yield _compared("the console, without and with a slash", f"{page} and {page}", came)
        found = re.search(r'src="([^"]+)"', pages[0].text)
        script = client.get(urljoin(url, found[1] if found else "no-script"))
    kept = script.headers.get("Cache-Control", "not kept")
    came = f"{script.status_code}, {script.headers.get('Content-Encoding', 'as it is')}, {kept}"
    expected = "200, gzip, public, max-age=31536000, immutable"
    yield _compared("the console's script", expected, came)


def scheduled_task(url: str) -> Iterator[Line]:
    """Create a task for later and see how late it starts."""
    at = datetime.now(UTC).replace(microsecond=0) + AHEAD
    with _client(url, _sign_up(url)) as client:
        body = {"task_type": "sum", "input_data": {"a": 1, "b": 2}, "scheduled_at": at.isoformat()}
        task = _success(client.post("/api/tasks", json=body))
        time.sleep(max(0.0, (at - datetime.now(UTC)).total_seconds() - 5))
        while not task["started_at"] and datetime.now(UTC) < at + PATIENCE:
            time.sleep(1)
            task = _success(client.get(f"/api/tasks/{task['id']}"))
    subject = f"task scheduled {AHEAD.seconds} s ahead"
    expected = f"a start 0 to {ON_TIME.seconds} s after its time"
    if not task["started_at"]:
        yield _judged(subject, expected, f"none within {PATIENCE.seconds} s", good=False)
        return
    late = datetime.fromisoformat(task["started_at"]) - at
    came = f"{late.total_seconds():.1f} s"
    yield _judged(subject, expected, came, good=timedelta() <= late <= ON_TIME)


def _sign_up(url: str) -> str:
    """Return the access token of a new user."""
    account = {"username": f"probe-{token_hex(4)}", "password": token_hex(16)}
    with _client(url) as client:
        _success(client.post("/api/register", json=account))
        token: str = _success(client.post("/api/token", json=account))["access"]
    return token


def _success(answer: httpx.Response) -> Any:
    return answer.raise_for_status().json()


def _outcome(answer: httpx.Response) -> str:
    """Return the status and the code of an error in the service's shape, else what came."""
    try:
        return f"{answer.status_code} {answer.json()['code']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.text[:80]!r}"


_ELSEWHERE: list[Callable[[str], Iterator[Line]]] = [
    unknown_paths,
    slashes,
    head,
    console,
    times,
    scheduled_task,
]
#: What other servers do differently, without a fault.
_ONLY_BEHIND_API_GATEWAY: list[Callable[[str], Iterator[Line]]] = [challenge, large_bodies]


def probe(url: str, *, scheduled: bool = True) -> Iterator[Line]:
    """Yield the lines about the service at a URL; the last one takes more than a minute."""
    url = url.rstrip("/")
    try:
        behind = is_behind_api_gateway(url)
    except httpx.HTTPError as error:
        yield Line("could not look", url, "an answer", f"{error!r}")
        return
    for look in [*_ONLY_BEHIND_API_GATEWAY, *_ELSEWHERE]:
        if look is scheduled_task and not scheduled:
            continue
        try:
            for line in look(url):
                if look in _ONLY_BEHIND_API_GATEWAY and not behind and line.verdict == "differs":
                    came = f"{line.came}, but this is not API Gateway"
                    line = Line("could not look", line.subject, line.expected, came)
                yield line
        except httpx.HTTPError as error:
            summary = (look.__doc__ or "").split(".")[0]
            yield Line("could not look", summary, "an answer", f"{error!r}")


def report(url: str, *, scheduled: bool = True) -> bool:
    """Print the lines and return whether none of them differs."""
    agrees = True
    for line in probe(url, scheduled=scheduled):
        print(line, flush=True)
        agrees = agrees and line.verdict != "differs"
    return agrees


def main() -> None:
    parser = argparse.ArgumentParser(prog="make probe", description=__doc__)
    parser.add_argument("--url", required=True, help="the service's URL, without /api")
    parser.add_argument("--quick", action="store_true", help="leave out the scheduled task")
    arguments = parser.parse_args()
    if not report(arguments.url, scheduled=not arguments.quick):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
