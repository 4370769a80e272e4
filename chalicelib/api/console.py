"""The routes of the web console: its page, its files, its session.

The page keeps no token where a script finds it later: the access token is in its memory, the
refresh token in a cookie that only the routes of the session get and no script can read.
"""

import re
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from chalice import Response

from chalicelib import accounts, security
from chalicelib.api.accounts import Credentials, Token
from chalicelib.api.answers import answer, answer_error, answer_page, page_policy
from chalicelib.api.call import Call
from chalicelib.api.errors import CrossSite, NotAuthenticated
from chalicelib.api.fields import read
from chalicelib.api.files import Files
from chalicelib.api.routing import page_route, route
from chalicelib.errors import InvalidToken
from chalicelib.lazy_model import LazyModel

# No text of a task becomes markup, whatever bug the page may have.
_POLICY = page_policy("require-trusted-types-for 'script'", "trusted-types 'none'")

_SESSION = "/console/session"
_COOKIE = "refresh"
_COOKIE_VALUE = re.compile(rf"(?:^|[;,])\s*{_COOKIE}=([\w.-]+)", re.ASCII)

_files = Files(Path(__file__).parents[1] / "console")


class AccessToken(LazyModel):
    """The access token of a session whose refresh token is in the cookie."""

    access: Token


@page_route("/", summary="Show the console")
def show(call: Call) -> Response:
    # Absolute paths: below a stage, `/prod` without a slash is the page, too.
    files = f"{urlsplit(call.url).path}console/static/{_files.version}"
    return answer_page(call, _files.page(files=files), _POLICY)


@page_route(
    "/console/static/{version}/{name}", summary="Return a file of the console", media_type="*/*"
)
def show_file(call: Call, version: str, name: str) -> Response:
    return _files.answer(version, name)


@route(
    "POST",
    _SESSION,
    summary="Sign in",
    body=Credentials,
    answers={200: AccessToken},
    is_documented=False,
    is_public=True,
)
def sign_in(call: Call) -> Response:
    _check_origin(call)
    credentials = read(Credentials, call.body)
    return _answer_tokens(
        call,
        accounts.sign_in(credentials.username, credentials.password, call.address, call.now),
    )


@route(
    "POST",
    f"{_SESSION}/refresh",
    summary="Get a new access token",
    answers={200: AccessToken},
    is_documented=False,
    is_public=True,
)
def refresh(call: Call) -> Response:
    _check_origin(call)
    try:
        tokens = accounts.refresh(_read_cookie(call), call.now)
    except InvalidToken as error:
        return _clear_cookie(call, answer_error(error))
    return _answer_tokens(call, tokens)


@route(
    "DELETE",
    _SESSION,
    summary="Sign out",
    answers={204: None},
    is_documented=False,
    is_public=True,
)
def sign_out(call: Call) -> Response:
    _check_origin(call)
    # Without a session there is nothing to end.
    with suppress(InvalidToken, NotAuthenticated):
        accounts.sign_out(_read_cookie(call), call.now)
    return _clear_cookie(call, answer("", 204))


def _check_origin(call: Call) -> None:
    """Raise CrossSite unless a page of this very origin sent the request.

    Browsers write the header, and no script can (Fetch Metadata; its name is a forbidden one).
    """
    if call.headers.get("sec-fetch-site") != "same-origin":
        raise CrossSite


def _read_cookie(call: Call) -> str:
    found = _COOKIE_VALUE.search(call.headers.get("cookie", ""))
    if not found:
        raise NotAuthenticated
    return found[1]


def _answer_tokens(call: Call, tokens: dict[str, str]) -> Response:
    response = answer(AccessToken(access=tokens["access"]))
    return _set_cookie(call, response, tokens["refresh"], security.lifetime(security.REFRESH))


def _clear_cookie(call: Call, response: Response) -> Response:
    return _set_cookie(call, response, "", timedelta())


def _set_cookie(call: Call, response: Response, value: str, lifetime: timedelta) -> Response:
    # The path begins with API Gateway's stage, where there is one.
    path = urlsplit(call.url).path.rpartition(_SESSION)[0] + _SESSION
    response.headers["Set-Cookie"] = (
        f"{_COOKIE}={value}; Path={path}; Max-Age={lifetime.total_seconds():.0f}; "
        "HttpOnly; Secure; SameSite=Strict"
    )
    return response
