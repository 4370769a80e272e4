"""The probe reports what came beside what was expected, and never stops at a fault."""

import gzip
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import httpx
import pytest

from infra import probe
from infra.gateway import SECURITY_HEADERS

URL = "https://tasks.example"
Answer = Callable[[httpx.Request], httpx.Response]
NOT_FOUND = {"detail": "Not found.", "code": "not_found"}


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], None]:
    """`serve(answer)`: every request of the probe gets what the function returns."""

    def serve(answer: Answer) -> None:
        @contextmanager
        def client(url: str, token: str = "") -> Iterator[httpx.Client]:
            transport = httpx.MockTransport(answer)
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            with httpx.Client(base_url=url, transport=transport, headers=headers) as one:
                yield one

        monkeypatch.setattr(probe, "_client", client)

    return serve


def api_gateway(request: httpx.Request) -> httpx.Response:
    """Answer as the service behind API Gateway should."""
    headers = {"x-amz-apigw-id": "id="}
    if request.url.path in ("", "/"):
        return httpx.Response(200, html='<script src="/prod/app.js">', headers=headers)
    if request.url.path == "/prod/app.js":
        headers |= {"Cache-Control": "public, max-age=31536000, immutable"}
        headers |= {"Content-Encoding": "gzip"}
        return httpx.Response(200, content=gzip.compress(b"{}"), headers=headers)
    if request.url.path == "/api/no/such/path":
        return httpx.Response(404, json=NOT_FOUND, headers=headers | SECURITY_HEADERS)
    if request.method == "POST":
        return httpx.Response(413, json={"code": "request_too_large"}, headers=headers)
    if request.url.path == "/api/tasks":
        headers[probe.REMAPPED] = probe.CHALLENGE
        return httpx.Response(401, json={"code": "not_authenticated"}, headers=headers)
    return httpx.Response(200, json={} if request.method == "GET" else None, headers=headers)


def lines() -> dict[str, probe.Line]:
    return {line.subject: line for line in probe.probe(URL, scheduled=False)}


def test_a_service_as_expected_is_ok_in_every_line(serve: Callable[[Answer], None]) -> None:
    serve(api_gateway)
    assert {line.verdict for line in lines().values()} == {"ok"}
    assert len(lines()) == 13


def test_a_line_says_what_was_expected_and_what_came(
    serve: Callable[[Answer], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def forbids(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/no/such/path" and "Authorization" in request.headers:
            return httpx.Response(403, json={"message": "Forbidden"})
        return api_gateway(request)

    serve(forbids)
    assert not probe.report(URL, scheduled=False)
    said = capsys.readouterr().out.splitlines()
    assert said[4] == (
        "differs         unknown path with a Bearer token: expected 404 not_found; "
        'came 403 \'{"message":"Forbidden"}\''
    )


def test_what_only_api_gateway_does_differs_nowhere_else(
    serve: Callable[[Answer], None],
) -> None:
    def elsewhere(request: httpx.Request) -> httpx.Response:
        answer = api_gateway(request)
        if challenge := answer.headers.pop(probe.REMAPPED, None):
            answer.headers["www-authenticate"] = challenge
        del answer.headers["x-amz-apigw-id"]
        return answer

    serve(elsewhere)
    line = lines()["challenge of a 401"]
    assert line.verdict == "could not look"
    assert "www-authenticate: Bearer" in line.came
    assert "not API Gateway" in line.came


def test_a_connection_that_breaks_is_one_line_and_the_rest_goes_on(
    serve: Callable[[Answer], None],
) -> None:
    def breaks(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            raise httpx.WriteError("broken pipe")
        return api_gateway(request)

    serve(breaks)
    verdicts = [line.verdict for line in probe.probe(URL, scheduled=False)]
    assert verdicts.count("could not look") == 1
    assert verdicts.count("ok") == 11


def test_a_service_that_does_not_answer_is_one_line(serve: Callable[[Answer], None]) -> None:
    def silent(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    serve(silent)
    (line,) = probe.probe(URL)
    assert line.verdict == "could not look"


@pytest.mark.parametrize(
    ("started", "verdict"), [(0, "ok"), (2, "ok"), (3, "differs"), (-1, "differs")]
)
def test_a_task_has_to_start_within_two_seconds_after_its_time(
    serve: Callable[[Answer], None],
    monkeypatch: pytest.MonkeyPatch,
    started: int,
    verdict: str,
) -> None:
    at = ""

    def tasks(request: httpx.Request) -> httpx.Response:
        nonlocal at
        if request.url.path == "/api/tasks":
            at = request.read().decode().split('scheduled_at":"')[1].split('"')[0]
            return httpx.Response(201, json={"id": "1", "started_at": None})
        if request.url.path == "/api/tasks/1":
            late = datetime.fromisoformat(at) + timedelta(seconds=started)
            return httpx.Response(200, json={"id": "1", "started_at": late.isoformat()})
        return httpx.Response(201, json={"access": "token"})

    serve(tasks)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    (line,) = probe.scheduled_task(URL)
    assert line.verdict == verdict
