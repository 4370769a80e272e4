"""API Gateway for one machine: passes HTTP requests to the app as Lambda proxy events."""

import base64
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import waitress
from chalice import Chalice
from chalice.local import (
    CustomLocalChalice,
    LambdaContext,
    LambdaEventConverter,
    LocalChalice,
    RouteMatcher,
)
from waitress.server import BaseWSGIServer, MultiSocketServer

from infra.gateway import no_such_route

#: How many requests are served in parallel.
THREADS = 32
#: API Gateway's limits: the size of a body in bytes, the time for a response in ms.
MAX_BODY = 10 * 1024 * 1024
TIMEOUT_MS = 29_000

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


def create_server(app: Chalice, host: str, port: int) -> MultiSocketServer | BaseWSGIServer:
    """Return a server for the app that already listens; `run` serves until it is closed."""
    return waitress.create_server(
        _application(app),
        host=host,
        port=port,
        threads=THREADS,
        max_request_body_size=MAX_BODY,
        connection_limit=1000,
        clear_untrusted_proxy_headers=False,
        ident=None,
    )


def _application(app: Chalice) -> Callable[[Environ, StartResponse], Iterable[bytes]]:
    # As `chalice local` does, so that each thread has its own request.
    CustomLocalChalice.__bases__ = (LocalChalice, app.__class__)
    app.__class__ = CustomLocalChalice
    events = LambdaEventConverter(RouteMatcher(list(app.routes)), app.api.binary_types)

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = quote(environ["PATH_INFO"].encode("latin-1"), safe="/:@!$&'()*+,;=~")
        if environ["QUERY_STRING"]:
            path += "?" + environ["QUERY_STRING"]
        try:
            event = events.create_lambda_event(
                method=environ["REQUEST_METHOD"], path=path, headers=_headers(environ), body=b""
            )
        except ValueError:
            response = no_such_route(str(uuid4()))
        else:
            body = environ["wsgi.input"].read()
            event["body"] = base64.b64encode(body).decode()
            event["isBase64Encoded"] = True
            event["requestContext"]["requestId"] = str(uuid4())
            event["requestContext"]["identity"]["sourceIp"] = environ["REMOTE_ADDR"]
            response = app(event, LambdaContext("api", 512, TIMEOUT_MS))
        status = HTTPStatus(response["statusCode"])
        headers = [(name, str(value)) for name, value in response["headers"].items()]
        start_response(f"{status.value} {status.phrase}", headers)
        return [response["body"].encode()]

    return application


def _headers(environ: Environ) -> dict[str, str]:
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = environ[name]
    return headers
