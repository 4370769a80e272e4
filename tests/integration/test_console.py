"""The web console's page and files, and its session, whose refresh token is in a cookie."""

import gzip
import re
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from chalice.local import LambdaEventConverter

from chalicelib.api import console, middleware
from chalicelib.config import settings
from tests.aws_calls import Calls
from tests.drivers import Answer, Api, Clock
from tests.integration.tools import Rows

FOLDER = Path(console.__file__).parents[1] / "console"
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.js"))
USER = {"username": "ann", "password": "password"}
#: What a browser says of a request that the page itself sends.
OWN = {"Sec-Fetch-Site": "same-origin"}


class Page:
    """The console's page in a browser: it sends the cookie, and keeps the newest."""

    def __init__(self, api: Api, cookie: str = "") -> None:
        self.api = api
        self.cookie = cookie

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        sent = OWN | {name.replace("_", "-"): text for name, text in headers.items()}
        if self.cookie:
            sent["Cookie"] = f"other=1; refresh={self.cookie}"
        answer = self.api.request(method, path, body, headers=sent)
        if "set-cookie" in answer.headers:
            self.cookie = morsel(answer).value
        return answer

    def sign_in(self) -> Answer:
        return self.request("POST", "/console/session/", USER)

    def refresh(self) -> Answer:
        return self.request("POST", "/console/session/refresh/")

    def sign_out(self) -> Answer:
        return self.request("DELETE", "/console/session/")


def morsel(answer: Answer) -> "Morsel[str]":
    return SimpleCookie(answer.headers["set-cookie"])["refresh"]


@pytest.fixture
def page(api: Api) -> Page:
    """The page of a registered user who has not signed in yet."""
    assert api.post("/api/register/", USER).status == 201
    return Page(api)


@pytest.fixture
def signed_in(page: Page) -> Page:
    assert page.sign_in().status == 200
    return page


@pytest.fixture
def behind_a_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request comes to the stage `prod` of API Gateway, to `/prod` without a slash, too."""
    create = LambdaEventConverter.create_lambda_event

    def at_stage(converter: Any, **request: Any) -> Any:
        event = create(converter, **request)
        context = event["requestContext"]
        context["path"] = f"/prod{context['path']}".removesuffix("/")
        return event

    monkeypatch.setattr(LambdaEventConverter, "create_lambda_event", at_stage)


# -- the page and its files


def addresses(html: str) -> list[str]:
    return re.findall(r'(?:href|src)="([^"]+)"', html)


def test_the_page_loads_every_file_from_the_service_itself(api: Api) -> None:
    page = api.get("/", headers={"Accept": "text/html"})
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    loaded = addresses(page.text)
    assert {path.rpartition("/")[2] for path in loaded} == {
        *SCRIPTS,
        "style.css",
        "icon.svg",
    } - {"en.js", "ru.js"}
    for path in loaded:
        assert re.fullmatch(r"/console/static/[0-9a-f]{16}/[a-z0-9]+\.(js|css|svg)", path)
        file = api.get(path)
        assert file.status == 200
        assert file.text == (FOLDER / path.rpartition("/")[2]).read_text("utf-8")
        assert file.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_the_page_itself_is_asked_for_each_time(api: Api) -> None:
    page = api.get("/")
    assert page.headers["cache-control"] == "no-cache"
    same = api.get("/", headers={"If-None-Match": page.headers["etag"]})
    assert (same.status, same.text) == (304, "")


def test_whatever_the_console_loads_has_at_most_60_kilobytes_compressed() -> None:
    files = [path.read_bytes() for path in FOLDER.iterdir()]
    assert sum(len(gzip.compress(file, 6)) for file in files) <= 60_000


def test_scripts_import_only_each_other() -> None:
    for name in SCRIPTS:
        text = (FOLDER / name).read_text()
        imported = re.findall(r'(?:from|import)\s*\(?["`]([^"`]+)["`]', text)
        for target in imported:
            assert target == "./${language}.js" or target.removeprefix("./") in SCRIPTS


def test_the_policy_lets_the_page_load_and_send_to_the_service_alone(api: Api) -> None:
    page = api.get("/")
    policy = dict(one.split(" ", 1) for one in page.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in page.headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", page.text)


@pytest.mark.parametrize("path", ["/", "/console/static/0123456789abcdef/app.js"])
def test_every_security_header_is_on_the_page_and_its_files(api: Api, path: str) -> None:
    for method in ("GET", "HEAD"):
        answer = api.request(method, path)
        assert answer.status == 200
        assert {one.name.lower() for one in middleware.HEADERS} <= answer.headers.keys()
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
        assert (answer.text == "") is (method == "HEAD")


@pytest.mark.parametrize(
    "path",
    [
        "/console/static/0123456789abcdef/nothing.js",
        "/console/static/0123456789abcdef/index.html",
        "/console/static/0123456789abcdef/..%2fapi%2ftasks.py",
    ],
)
def test_a_file_that_the_console_does_not_have_is_404(api: Api, path: str) -> None:
    answer = api.get(path)
    assert (answer.status, answer.json) == (404, {"detail": "Not found.", "code": "not_found"})


@pytest.mark.usefixtures("behind_a_stage")
def test_behind_a_stage_the_page_loads_its_files_from_there(api: Api) -> None:
    # API Gateway answers `/prod` and `/prod/` alike, so no address may depend on the slash.
    paths = addresses(api.get("/").text)
    assert paths
    assert all(path.startswith("/prod/console/static/") for path in paths)


def test_the_console_is_no_part_of_the_api_document(api: Api) -> None:
    assert [
        path for path in api.get("/api/openapi.json").json["paths"] if "/api/" not in path
    ] == []


# -- the session


def test_signing_in_keeps_the_refresh_token_from_the_page(page: Page) -> None:
    answer = page.sign_in()
    assert (answer.status, list(answer.json)) == (200, ["access"])
    assert page.cookie
    assert page.cookie not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert Api(page.api._client, answer.json["access"]).get("/api/tasks/").status == 200


def test_only_the_sessions_routes_see_the_cookie_and_no_script_does(page: Page) -> None:
    cookie = morsel(page.sign_in())
    assert cookie["httponly"]
    assert cookie["secure"]
    assert cookie["samesite"] == "Strict"
    assert cookie["path"] == "/console/session"
    assert cookie["domain"] == ""
    assert int(cookie["max-age"]) == settings().refresh_token_days * 24 * 60 * 60


@pytest.mark.usefixtures("behind_a_stage")
def test_behind_a_stage_its_path_begins_with_the_stage(page: Page) -> None:
    assert morsel(page.sign_in())["path"] == "/prod/console/session"
    assert morsel(page.refresh())["path"] == "/prod/console/session"
    assert morsel(page.sign_out())["path"] == "/prod/console/session"


def test_a_reload_goes_on_with_the_session(signed_in: Page) -> None:
    before = signed_in.cookie
    answer = signed_in.refresh()
    assert (answer.status, list(answer.json)) == (200, ["access"])
    assert signed_in.cookie != before
    assert signed_in.refresh().status == 200


def test_two_tabs_that_refresh_in_the_same_moment_get_the_same_cookie(
    signed_in: Page, calls: Calls
) -> None:
    tab, other = (Page(signed_in.api, signed_in.cookie) for _ in range(2))
    answers = []
    calls.before("UpdateItem", lambda: answers.append(other.refresh()))
    answers.append(tab.refresh())
    assert [answer.status for answer in answers] == [200, 200]
    assert tab.cookie == other.cookie
    assert tab.refresh().status == 200


def test_a_copy_of_the_cookie_that_is_used_later_ends_the_session(
    signed_in: Page, clock: Clock
) -> None:
    thief = Page(signed_in.api, signed_in.cookie)
    signed_in.refresh()
    clock.advance(minutes=1)
    answer = thief.refresh()
    assert (answer.status, answer.json["code"]) == (401, "token_not_valid")
    assert signed_in.refresh().status == 401


def test_a_cookie_that_is_not_valid_any_more_is_taken_back(page: Page) -> None:
    page.cookie = "a.b.c"
    answer = page.refresh()
    assert (answer.status, answer.json["code"]) == (401, "token_not_valid")
    assert (morsel(answer).value, morsel(answer)["max-age"]) == ("", "0")


@pytest.mark.parametrize("header", ["", "other=1", "xrefresh=a.b.c", "refresh="])
def test_without_the_cookie_there_is_no_session(api: Api, header: str) -> None:
    answer = api.post("/console/session/refresh/", headers=OWN | {"Cookie": header})
    assert (answer.status, answer.json["code"]) == (401, "not_authenticated")


def test_signing_out_ends_the_session_and_takes_the_cookie_back(signed_in: Page) -> None:
    copy = Page(signed_in.api, signed_in.cookie)
    answer = signed_in.sign_out()
    assert (answer.status, answer.text) == (204, "")
    assert (signed_in.cookie, morsel(answer)["max-age"]) == ("", "0")
    assert copy.refresh().status == 401


def test_signing_out_twice_is_no_error(signed_in: Page) -> None:
    signed_in.sign_out()
    assert signed_in.sign_out().status == 204


def test_a_wrong_password_sets_no_cookie(page: Page) -> None:
    answer = page.request("POST", "/console/session/", USER | {"password": "wrong"})
    assert (answer.status, answer.json["code"]) == (401, "no_active_account")
    assert "set-cookie" not in answer.headers


def test_the_console_shares_the_limit_of_wrong_passwords_with_the_api(page: Page) -> None:
    wrong = USER | {"password": "wrong password"}
    for _ in range(5):
        assert page.request("POST", "/console/session/", wrong).status == 401
        assert page.api.post("/api/token/", wrong).status == 401
    answer = page.sign_in()
    assert (answer.status, answer.json["code"]) == (429, "throttled")
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": ""},
        {"Sec-Fetch-Site": "same-origin, cross-site"},
    ],
)
def test_a_request_from_elsewhere_is_refused_and_changes_nothing(
    signed_in: Page, rows: Rows, headers: dict[str, str]
) -> None:
    before = rows()
    sent = headers | {"Cookie": f"refresh={signed_in.cookie}"}
    for method, path in (
        ("POST", "/console/session/"),
        ("POST", "/console/session/refresh/"),
        ("DELETE", "/console/session/"),
    ):
        body = USER if path == "/console/session/" and method == "POST" else None
        answer = signed_in.api.request(method, path, body, headers=sent)
        assert (answer.status, answer.json["code"]) == (403, "cross_site")
        assert "set-cookie" not in answer.headers
    assert rows() == before
    assert signed_in.refresh().status == 200


def test_a_client_that_is_no_browser_has_no_session(signed_in: Page) -> None:
    answer = signed_in.api.post(
        "/console/session/refresh/", headers={"Cookie": f"refresh={signed_in.cookie}"}
    )
    assert (answer.status, answer.json["code"]) == (403, "cross_site")


def test_no_route_of_the_api_reads_the_cookie(signed_in: Page) -> None:
    answer = signed_in.request("GET", "/api/tasks/")
    assert (answer.status, answer.json["code"]) == (401, "not_authenticated")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", "GET, HEAD, OPTIONS"),
        ("/console/session", "POST, DELETE, OPTIONS"),
        ("/console/session/refresh", "POST, OPTIONS"),
    ],
)
def test_a_wrong_method_is_405_with_what_is_allowed(api: Api, path: str, allowed: str) -> None:
    answer = api.request("PUT", path)
    assert (answer.status, answer.json["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == allowed


def test_refreshing_and_signing_out_write_once_each(signed_in: Page, calls: Calls) -> None:
    calls.clear()
    signed_in.refresh()
    signed_in.sign_out()
    assert calls.operations == ["UpdateItem", "UpdateItem"]
