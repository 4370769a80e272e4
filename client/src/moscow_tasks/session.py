"""One request at a time: signed, repeated where that is safe, with its errors read."""

import random
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter

from moscow_tasks import errors, exact_json
from moscow_tasks.operations import REFRESH, Operation
from moscow_tasks.tokens import Tokens, TokenStore
from moscow_tasks.version import VERSION

#: How often a request is sent at most.
TRIES = 4
#: A longer pause than this, in seconds, is the caller's decision.
LONGEST_PAUSE = 30
_CONNECT = 5.0
_JSON = {"Content-Type": "application/json"}
#: Nothing was sent yet.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

_T = TypeVar("_T")


class Session:
    """Requests on behalf of the user whose tokens are in the store; for any number of threads."""

    def __init__(
        self,
        url: str,
        store: TokenStore,
        transport: httpx.BaseTransport | None,
        sleep: Callable[[float], None],
    ) -> None:
        self.store = store
        self._sleep = sleep
        self._refreshing = threading.Lock()
        headers = {"Accept": "application/json", "User-Agent": f"moscow-tasks/{VERSION}"}
        self._http = httpx.Client(base_url=url, headers=headers, transport=transport)

    def close(self) -> None:
        self._http.close()

    def send(
        self,
        operation: Operation,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **path: str,
    ) -> httpx.Response:
        """Send a request and return the answer. Raises TasksError."""
        request = self._http.build_request(
            operation.method,
            # One part of the path, whatever is in it.
            operation.path.format_map({name: _quoted(text) for name, text in path.items()}),
            content=None if body is None else exact_json.dumps(body).encode(),
            params=query,
            headers={**(headers or {}), **({} if body is None else _JSON)},
            timeout=httpx.Timeout(operation.timeout, connect=_CONNECT),
        )
        tokens = self.store.load()
        if operation.is_public or tokens is None:
            return self._try(operation, request)
        try:
            return self._try(operation, _signed(request, tokens))
        except errors.TokenNotValid:
            return self._try(operation, _signed(request, self._refresh(tokens)))

    def _refresh(self, used: Tokens) -> Tokens:
        """Return tokens that are newer than the used ones, which were refused."""
        with self._refreshing:
            tokens = self.store.load() or used
            if tokens != used:
                # Another thread or process was faster.
                return tokens
            try:
                answer = self.send(REFRESH, body={"refresh": used.refresh})
            except errors.TokenNotValid:
                self.store.clear()
                raise
            fresh = read(Tokens, answer)
            # Before its first use: the old refresh token no longer works.
            self.store.save(fresh)
            return fresh

    def _try(self, operation: Operation, request: httpx.Request) -> httpx.Response:
        """Send a request until it is answered, a few times at most."""
        number = 0
        while True:
            number += 1
            try:
                response = self._http.send(request)
            except httpx.TransportError as error:
                is_safe = operation.is_repeatable or isinstance(error, _NOT_SENT)
                if number == TRIES or not is_safe:
                    message = f"No answer from {self._http.base_url} ({error})."
                    raise errors.Unreachable(message) from error
                pause = _backoff(number)
            else:
                if response.is_success or response.status_code == HTTPStatus.NOT_MODIFIED:
                    return response
                refusal = errors.read(response)
                if number == TRIES or not _may_repeat(operation, refusal):
                    raise refusal
                pause = float(refusal.retry_after or 0)
            self._sleep(pause)


def read(kind: type[_T], response: httpx.Response) -> _T:
    """Return the JSON of an answer as what it shows. Raises UnexpectedAnswer."""
    try:
        return TypeAdapter(kind).validate_python(exact_json.loads(response.content))
    except ValueError as error:
        message = f"{response.url} answers, but not as the task service does."
        raise errors.UnexpectedAnswer(message) from error


def _signed(request: httpx.Request, tokens: Tokens) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {tokens.access}"
    return request


def _may_repeat(operation: Operation, refusal: errors.ServiceError) -> bool:
    """Tell whether the service asks to try again soon, and that is safe."""
    if refusal.retry_after is None or refusal.retry_after > LONGEST_PAUSE:
        return False
    if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return operation.is_repeatable
    return refusal.status == HTTPStatus.TOO_MANY_REQUESTS


def _backoff(number: int) -> float:
    """Return the pause after a lost request: about half a second, doubling, with full jitter."""
    return random.uniform(0.1, 0.5 * 2 ** (number - 1))  # noqa: S311


def _quoted(text: str) -> str:
    return quote(text, safe="")
