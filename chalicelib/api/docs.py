"""The routes of the API documents: Swagger UI over the OpenAPI document."""

from functools import cache
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from chalice import Response

import chalicelib
from chalicelib.api.answers import answer_page
from chalicelib.api.call import Call
from chalicelib.api.files import Files
from chalicelib.api.routing import route

# Swagger UI's style sheet has its icons in data: addresses; it needs nothing else.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@cache
def _files() -> Files:
    """Return our files and Swagger UI's; no other request looks for them."""
    swagger = Path(str(resources.files("flask_openapi_swagger"))) / "templates" / "swagger"
    return Files(
        Path(chalicelib.__file__).parent / "docs",
        swagger / "css" / "swagger-ui.css",
        swagger / "js" / "swagger-ui-bundle.js",
    )


@route(
    "GET",
    "/api/docs",
    summary="Show the API documents",
    answers={},
    media_type="text/html",
    is_documented=False,
    is_public=True,
)
def show(call: Call) -> Response:
    # The page has no other address than API Gateway's stage and its own path.
    path = urlsplit(call.url).path
    page = Template(_files().read("index.html")).substitute(
        files=escape(path + _files().version),
        document=escape(path.removesuffix("docs/") + "openapi.json"),
    )
    return answer_page(call, page, _POLICY)


@route(
    "GET",
    "/api/docs/{version}/{name}",
    summary="Return a file of the API documents",
    answers={},
    media_type="*/*",
    is_documented=False,
    is_public=True,
)
def show_file(call: Call, version: str, name: str) -> Response:
    return _files().answer(version, name)
