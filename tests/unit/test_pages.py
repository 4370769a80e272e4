"""A page has a policy of its own, and files that browsers keep for as long as they are right."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools import Logger
from chalice import Chalice, Response
from chalice.test import Client

from chalicelib import api
from chalicelib.api import middleware, openapi, routing
from chalicelib.api.answers import answer_page
from chalicelib.api.call import Call
from chalicelib.api.files import Files
from chalicelib.api.routing import page_route
from tests.drivers import NOON

POLICY = "default-src 'none'; script-src 'self'"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {
        "index.html": "<!doctype html><title>Ж</title>",
        "page.js": "import './other.js'",
        "other.js": "export {}",
        "page.css": "body {}",
        "icon.svg": "<svg/>",
    }.items():
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Files:
    """Routes of a page and its files, and nothing else."""
    monkeypatch.setattr(routing, "routes", {})
    files = Files(folder)

    @page_route("/", summary="Show")
    def show(call: Call) -> Response:
        return answer_page(call, files.page(), POLICY)

    @page_route("/static/{version}/{name}", summary="File", media_type="*/*")
    def file(call: Call, version: str, name: str) -> Response:
        return files.answer(version, name)

    return files


@pytest.fixture
def get(files: Files) -> Iterator[Callable[..., Any]]:
    app = Chalice("pages")
    # The parent of the service's loggers, as in app.py.
    Logger(service="tasks")
    api.mount(app)
    with Client(app) as client:
        yield lambda path, **headers: client.http.request(
            "GET", path, {name.replace("_", "-"): value for name, value in headers.items()}
        )


def test_a_page_has_its_own_policy_and_all_other_common_headers(get: Callable[..., Any]) -> None:
    page = get("/", Accept="text/html")
    assert (page.status_code, page.body.decode()) == (200, "<!doctype html><title>Ж</title>")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Content-Security-Policy"] == POLICY
    assert {one.name for one in middleware.HEADERS} <= page.headers.keys()
    assert page.headers["X-Content-Type-Options"] == "nosniff"


def test_a_page_is_asked_for_again_each_time_and_sent_only_if_it_changed(
    get: Callable[..., Any], folder: Path
) -> None:
    page = get("/")
    assert page.headers["Cache-Control"] == "no-cache"
    same = get("/", If_None_Match=page.headers["ETag"])
    assert (same.status_code, same.body) == (304, b"")
    assert same.headers["Content-Security-Policy"] == POLICY
    (folder / "index.html").write_text("new")
    assert get("/", If_None_Match=page.headers["ETag"]).body == b"new"


def test_whoever_does_not_accept_a_page_gets_the_error_in_json(get: Callable[..., Any]) -> None:
    refused = get("/", Accept="application/json")
    assert (refused.status_code, refused.json_body["code"]) == (406, "not_acceptable")
    assert refused.headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("page.js", "text/javascript; charset=utf-8"),
        ("page.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_a_file_under_its_version_is_kept_for_a_year(
    get: Callable[..., Any], files: Files, name: str, media_type: str
) -> None:
    file = get(f"/static/{files.version}/{name}", Accept="image/webp")
    assert (file.status_code, file.body.decode()) == (200, files.texts[name])
    assert file.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert file.headers["Content-Type"] == media_type


def test_a_file_of_another_version_is_answered_but_not_kept(get: Callable[..., Any]) -> None:
    file = get("/static/0123456789abcdef/page.js")
    assert (file.status_code, file.headers["Cache-Control"]) == (200, "no-cache")


@pytest.mark.parametrize("name", ["index.html", "nothing.js", "..", "%2e%2e%2fpage.js"])
def test_what_is_no_file_of_the_page_is_404(
    get: Callable[..., Any], files: Files, name: str
) -> None:
    missing = get(f"/static/{files.version}/{name}")
    assert (missing.status_code, missing.json_body["code"]) == (404, "not_found")
    assert missing.headers["Cache-Control"] == "no-store"


def test_the_version_changes_with_any_file(folder: Path) -> None:
    before = Files(folder).version
    (folder / "other.js").write_text("export {a}")
    assert Files(folder).version not in ("", before)


def test_no_page_is_in_the_openapi_document(files: Files) -> None:
    assert openapi.document("https://pages.test", NOON)["paths"] == {}
