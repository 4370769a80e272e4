"""The routes of the API documents: Swagger UI over the OpenAPI document."""

from functools import cache
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

from chalice import Response

import chalicelib
from chalicelib.api.answers import answer_page, page_policy
from chalicelib.api.call import Call
from chalicelib.api.files import Files
from chalicelib.api.routing import page_route

# Swagger UI's style sheet has its icons in data: addresses; it needs nothing else.
_POLICY = page_policy(images="'self' data:")


@cache
def _files() -> Files:
    """Return our files and Swagger UI's; no other request looks for them."""
    swagger = Path(str(resources.files("flask_openapi_swagger"))) / "templates" / "swagger"
    return Files(
        Path(chalicelib.__file__).parent / "docs",
        swagger / "css" / "swagger-ui.css",
        swagger / "js" / "swagger-ui-bundle.js",
    )


@page_route("/api/docs", summary="Show the API documents")
def show(call: Call) -> Response:
    # The page has no other address than API Gateway's stage and its own path.
    path = urlsplit(call.url).path
    page = _files().page(
        files=path + _files().version, document=path.removesuffix("docs/") + "openapi.json"
    )
    return answer_page(call, page, _POLICY)


@page_route(
    "/api/docs/{version}/{name}",
    summary="Return a file of the API documents",
    media_type="*/*",
)
def show_file(call: Call, version: str, name: str) -> Response:
    return _files().answer(version, name)
