"""The API documents: a page that needs nothing but this service."""

import re
import subprocess
import sys
from typing import Any

import pytest

from app import app
from chalicelib import VERSION
from tests import cloud
from tests.aws_calls import Calls
from tests.drivers import Answer, Api
from tests.integration.tools import document

FILES = ["docs.css", "docs.js", "icon.svg", "swagger-ui.css", "swagger-ui-bundle.js"]


def addresses(page: str) -> list[str]:
    """Return all addresses in a page."""
    return re.findall(r'(?:href|src|data-document)="([^"]*)"', page)


def policy(page: Answer) -> dict[str, list[str]]:
    """Return what each directive of the page's policy allows."""
    directives = page.headers["content-security-policy"].split(";")
    return {name: allowed for name, *allowed in (one.split() for one in directives)}


@pytest.fixture
def page(api: Api) -> Answer:
    return api.get("/api/docs/", headers={"Accept": "text/html,*/*;q=0.8"})


def test_the_page_is_html_with_and_without_its_slash(api: Api, page: Answer) -> None:
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.text.startswith("<!doctype html>")
    assert api.get("/api/docs").text == page.text


def test_everything_that_the_page_names_is_there(api: Api, page: Answer) -> None:
    for address in addresses(page.text):
        assert api.get(address).status == 200, address
    assert {one.rpartition("/")[2] for one in addresses(page.text)} == {*FILES, "openapi.json"}


@pytest.mark.parametrize("path", ["/api/docs", "/api/docs/"])
def test_the_page_names_addresses_behind_the_stage_of_api_gateway(path: str, aws: None) -> None:
    event: dict[str, Any] = {
        "requestContext": {
            "httpMethod": "GET",
            "resourcePath": "/api/docs",
            "path": f"/prod{path}",
            "requestId": "of-api-gateway",
        },
        "headers": {"Host": "abc.execute-api.us-east-1.amazonaws.com"},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "body": None,
        "isBase64Encoded": False,
    }
    named = addresses(app(event, None)["body"])
    assert "/prod/api/openapi.json" in named
    assert all(one.startswith("/prod/api/") for one in named)


def test_the_policy_allows_what_the_service_serves_and_nothing_inline(page: Answer) -> None:
    allowed = policy(page)
    for directive in ("default-src", "base-uri", "form-action", "frame-ancestors"):
        assert allowed.pop(directive) == ["'none'"]
    # The icons in Swagger UI's style sheet are data: addresses.
    assert allowed.pop("img-src") == ["'self'", "data:"]
    assert allowed == {
        directive: ["'self'"] for directive in ("script-src", "style-src", "connect-src")
    }
    assert not re.search(r"<style|<script(?! src=)| style=| on\w+=", page.text)


@pytest.mark.parametrize("name", FILES)
def test_files_are_kept_for_a_year_under_an_address_that_changes_with_them(
    api: Api, page: Answer, name: str
) -> None:
    (address,) = (one for one in addresses(page.text) if one.endswith(f"/{name}"))
    file = api.get(address)
    assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert re.fullmatch(rf"/api/docs/[0-9a-f]{{16}}/{name}", address)
    assert api.get(f"/api/docs/{'0' * 16}/{name}").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "name", ["index.html", "swagger-ui-standalone-preset.js", "..%2F..%2Fapi%2Fdocs.py", "__init__"]
)
def test_no_other_file_is_served(api: Api, name: str) -> None:
    missing = api.get(f"/api/docs/{'0' * 16}/{name}")
    assert (missing.status, missing.json["code"]) == (404, "not_found")


def test_the_page_asks_no_other_host(api: Api, page: Answer) -> None:
    """Swagger UI sends documents to a validator on another host unless it is told not to."""
    (script,) = (one for one in addresses(page.text) if one.endswith("/docs.js"))
    assert "validatorUrl: null" in api.get(script).text
    assert not [one for one in addresses(page.text) if "//" in one]


def test_nothing_is_asked_of_aws_for_the_page(api: Api, page: Answer, calls: Calls) -> None:
    for address in addresses(page.text):
        api.get(address)
    assert calls.operations == []


def test_the_page_signs_in_with_the_scheme_of_the_document(api: Api, page: Answer) -> None:
    (script,) = (one for one in addresses(page.text) if one.endswith("/docs.js"))
    (scheme,) = document(api)["components"]["securitySchemes"]
    assert f'preauthorizeApiKey("{scheme}"' in api.get(script).text


def test_the_document_has_the_version_of_the_service(api: Api) -> None:
    assert document(api)["info"]["version"] == VERSION


def test_the_api_starts_without_looking_for_the_page() -> None:
    code = (
        "import sys, app\n"
        "from chalicelib.api import docs\n"
        "assert docs._files.cache_info().currsize == 0\n"
        "assert 'flask_openapi_swagger' not in sys.modules\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], env=cloud.ENVIRONMENT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
