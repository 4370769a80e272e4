"""API Gateway for one machine: passes HTTP requests to the app as Lambda proxy events."""

import asyncio
import base64
import gzip
import json
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import uvicorn
from chalice import Chalice
from chalice.local import (
    CustomLocalChalice,
    LambdaContext,
    LambdaEventConverter,
    LocalChalice,
    RouteMatcher,
)
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from infra import gateway
from infra.chalice_project import CONFIG

#: How many requests one process serves in parallel. More would only compete for its core.
THREADS = 4
#: API Gateway's limits: the size of a body in bytes, the time for a response in ms.
MAX_BODY = 10 * 1024 * 1024
TIMEOUT_MS = 29_000
#: API Gateway compresses bodies of at least so many bytes, for clients that take that.
MIN_COMPRESSED: int = json.loads(CONFIG.read_text())["minimum_compression_size"]
#: How long an idle connection is kept, and how long the last requests may take, in seconds.
KEEP_ALIVE, LAST_REQUESTS = 75, 5

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def serve(app: Chalice, listener: socket.socket) -> None:
    """Serve an app on a socket until SIGTERM."""
    config = uvicorn.Config(
        application(app),
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=LAST_REQUESTS,
    )
    uvicorn.Server(config).run(sockets=[listener])


def application(app: Chalice) -> Callable[[Message, Receive, Send], Awaitable[None]]:
    """Return an ASGI application for an app."""
    # As `chalice local` does, so that each thread has its own request.
    CustomLocalChalice.__bases__ = (LocalChalice, app.__class__)
    app.__class__ = CustomLocalChalice
    events = LambdaEventConverter(RouteMatcher(list(app.routes)), app.api.binary_types)
    threads = ThreadPoolExecutor(THREADS)

    def invoke(scope: Message, body: bytes) -> dict[str, Any]:
        try:
            event = _event(events, scope, body)
        except ValueError:
            return _refusal("MISSING_AUTHENTICATION_TOKEN")
        response: dict[str, Any] = app(event, LambdaContext("api", 512, TIMEOUT_MS))
        return response

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        body, loop = await _read(receive), asyncio.get_running_loop()
        if len(body) > MAX_BODY:
            response = _refusal("REQUEST_TOO_LARGE")
        else:
            response = await loop.run_in_executor(threads, invoke, scope, body)
        content, headers = response["body"].encode(), response["headers"]
        if len(content) >= MIN_COMPRESSED and _takes_gzip(scope):
            content = await loop.run_in_executor(threads, gzip.compress, content)
            headers = {**headers, "Content-Encoding": "gzip"}
        headers = {**headers, "Content-Length": len(content)}
        await send(
            {
                "type": "http.response.start",
                "status": response["statusCode"],
                "headers": [(name.encode(), str(text).encode()) for name, text in headers.items()],
            }
        )
        await send({"type": "http.response.body", "body": content})

    return answer


def _takes_gzip(scope: Message) -> bool:
    return any(name == b"accept-encoding" and b"gzip" in text for name, text in scope["headers"])


async def _read(receive: Receive) -> bytes:
    """Return the body of a request; of one that is too large, only the beginning."""
    body, is_whole = bytearray(), False
    while not is_whole and len(body) <= MAX_BODY:
        message = await receive()
        body += message.get("body", b"")
        is_whole = not message.get("more_body", False)
    return bytes(body)


def _event(events: LambdaEventConverter, scope: Message, body: bytes) -> dict[str, Any]:
    """Return the event of a request. Raises ValueError if there is no such route."""
    # A ";" belongs to its segment, as for API Gateway. Chalice would cut it off, unless quoted.
    path = quote(scope["path"], safe="/:@!$&'()*+,=~")
    if scope["query_string"]:
        path += "?" + scope["query_string"].decode("latin-1")
    event: dict[str, Any] = events.create_lambda_event(
        method=scope["method"],
        path=path,
        headers={name.decode("latin-1"): text.decode("latin-1") for name, text in scope["headers"]},
        body=b"",
    )
    event["body"] = base64.b64encode(body).decode()
    event["isBase64Encoded"] = True
    event["requestContext"]["requestId"] = str(uuid4())
    event["requestContext"]["identity"]["sourceIp"] = scope["client"][0]
    return event


def _refusal(kind: str, status: HTTPStatus | None = None) -> dict[str, Any]:
    return gateway.answer(kind, str(uuid4()), status)


class _Protocol(HttpToolsProtocol):
    """Answers what is not HTTP in the shape of every error."""

    def send_400_response(self, msg: str) -> None:
        response = _refusal("DEFAULT_4XX", HTTPStatus.BAD_REQUEST)
        content = response["body"].encode()
        headers = {**response["headers"], "Content-Length": len(content), "Connection": "close"}
        head = "".join(f"{name}: {text}\r\n" for name, text in headers.items())
        self.transport.write(f"HTTP/1.1 400 Bad Request\r\n{head}\r\n".encode() + content)
        self.transport.close()
