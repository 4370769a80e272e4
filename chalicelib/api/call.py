"""Reading a request: what it accepts, who sends it, what is in it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from chalice.app import CaseInsensitiveMapping, Request

from chalicelib import exact_json, logs, security, times
from chalicelib.api import errors
from chalicelib.errors import NON_FIELD, InvalidFields, InvalidToken

JSON = "application/json"
#: The largest body that is read, in bytes.
MAX_BODY = 64 * 1024

# A name or an address, and a port, as Django reads them.
_HOST = re.compile(r"([a-z0-9.-]{1,253}|\[[a-f0-9:.]{2,45}\])(:[0-9]{1,5})?", re.IGNORECASE)


@dataclass(frozen=True)
class Call:
    """A request that passed the checks, as the functions behind the routes get it."""

    now: datetime
    #: The user whose token came with the request; empty on public routes.
    user_id: str
    body: dict[str, Any]
    headers: Mapping[str, str]
    #: The URL without its query, as the client sees it, always with a trailing slash.
    url: str
    #: Where the request comes from; see `_address`.
    address: str
    #: The request, as its tasks remember it; see `chalicelib.logs.origin`.
    origin: str
    #: All query parameters, in order.
    query: list[tuple[str, str]] = field(default_factory=list)

    def parameter(self, name: str) -> str | None:
        """Return the last value of a query parameter; None if it is missing or empty."""
        return next((value for key, value in reversed(self.query) if key == name), None) or None

    def has(self, tag: str) -> bool:
        """Compare the If-None-Match header with an ETag, weakly (RFC 9110, 13.1.2)."""
        header = self.headers.get("if-none-match", "")
        known = {candidate.strip().removeprefix("W/") for candidate in header.split(",")}
        return bool({"*", tag} & known)

    def link(self, changes: Mapping[str, str | None]) -> str:
        """Return this URL with some query parameters replaced or, where None, left out."""
        query = [(key, value) for key, value in self.query if key not in changes]
        query += [(key, value) for key, value in changes.items() if value is not None]
        return self.url + ("?" + urlencode(query) if query else "")


def make_call(request: Request, user_id: str, body: dict[str, Any]) -> Call:
    """Return a request that passed the checks as a call. Raises InvalidHost."""
    query = request.to_original_event().get("multiValueQueryStringParameters") or {}
    return Call(
        now=times.now(),
        user_id=user_id,
        body=body,
        headers=_headers(request),
        url=_url(request),
        address=_address(request),
        origin=read_origin(request),
        query=[(key, value) for key, values in query.items() for value in values],
    )


def _headers(request: Request) -> Mapping[str, str]:
    """Return the headers. Several of one name are one list (RFC 9110, 5.3).

    In the event of API Gateway, `headers` has only the last of them.
    """
    lines = request.to_original_event().get("multiValueHeaders")
    if not lines:
        return request.headers
    return CaseInsensitiveMapping({name: ", ".join(values) for name, values in lines.items()})


def _read_request_id(request: Request) -> str:
    """Return the client's X-Request-Id if it is valid, else API Gateway's id."""
    sent = str(request.headers.get("x-request-id", ""))
    return sent if logs.REQUEST_ID.fullmatch(sent) else str(request.context["requestId"])


def read_origin(request: Request) -> str:
    """Return the id of a request and the trace that it is part of."""
    return logs.origin(_read_request_id(request), str(request.headers.get("traceparent", "")))


def _url(request: Request) -> str:
    """Return a request's URL from its headers, which anybody but API Gateway may have written."""
    host = request.headers.get("host", "localhost")
    if not _HOST.fullmatch(host):
        raise errors.InvalidHost
    scheme = "https" if request.headers.get("x-forwarded-proto") == "https" else "http"
    # The path in the context includes API Gateway's stage.
    path = request.context.get("path", request.path).rstrip("/")
    return f"{scheme}://{host}{path}/"


def _address(request: Request) -> str:
    """Return the address that API Gateway saw, never one that a header claims.

    An IPv6 client usually has a /64 to itself, so all of its addresses count as one.
    """
    text = str(request.context.get("identity", {}).get("sourceIp", ""))
    if ":" not in text:
        return text
    # Hardly any request needs it.
    from ipaddress import IPv6Address, IPv6Network

    address = IPv6Address(text.partition("%")[0])
    return str(address.ipv4_mapped or IPv6Network((int(address), 64), strict=False))


def check_accept(request: Request, media_type: str) -> None:
    """Raise NotAcceptable unless the client accepts a media type; `*/*` is any."""
    header = request.headers.get("accept", "")
    accepted = {part.split(";")[0].strip().lower() for part in header.split(",")}
    if (
        media_type != "*/*"
        and not {"", "*/*", media_type.partition("/")[0] + "/*", media_type} & accepted
    ):
        raise errors.NotAcceptable


def authenticate(request: Request) -> str:
    """Return the id of the user whose access token came, read as SimpleJWT reads it.

    Raises NotAuthenticated, BadAuthorizationHeader, InvalidAccessToken.
    """
    parts = request.headers.get("authorization", "").split()
    if not parts or parts[0] != "Bearer":
        raise errors.NotAuthenticated
    if len(parts) != 2:
        raise errors.BadAuthorizationHeader
    try:
        return security.read_token(parts[1], security.ACCESS).user_id
    except InvalidToken as error:
        raise errors.InvalidAccessToken(error.detail) from None


def read_body(request: Request) -> dict[str, Any]:
    """Return the JSON object in the body; an empty body counts as `{}`.

    Raises UnsupportedMediaType, RequestTooLarge, ParseError, InvalidFields.
    """
    raw = request.raw_body
    if not raw:
        return {}
    content_type = request.headers.get("content-type", "")
    if content_type.split(";")[0].strip().lower() != JSON:
        raise errors.UnsupportedMediaType(content_type)
    if len(raw) > MAX_BODY:
        raise errors.RequestTooLarge
    try:
        body = exact_json.loads(raw)
    except ValueError as error:
        raise errors.ParseError(f"JSON parse error - {error}") from None
    if body is None:
        raise InvalidFields({NON_FIELD: ["No data provided"]})
    if not isinstance(body, dict):
        message = f"Invalid data. Expected a dictionary, but got {type_name(body)}."
        raise InvalidFields({NON_FIELD: [message]})
    return body


def type_name(value: object) -> str:
    """Return the name of a JSON value's type, as Python's json module and so DRF name it."""
    return {"Decimal": "float"}.get(type(value).__name__, type(value).__name__)
