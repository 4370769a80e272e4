"""The client in front of the real app: what it sends, what is lost on the way, and its sleep."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial

import httpx
import pytest

from moscow_tasks import Client, MemoryStore, TokenStore
from tests.drivers import Api, Clock, Lambdas

URL = "http://api.test"
PASSWORD = "correct horse"

#: What stands in for the service's answer: it gets the request, and what would let it through.
Fault = Callable[[httpx.Request, Callable[[], httpx.Response]], httpx.Response]


class Network(httpx.BaseTransport):
    """Passes requests to the app, except where a test has planned something else."""

    def __init__(self, api: Api) -> None:
        self.requests: list[httpx.Request] = []
        self.answers: list[httpx.Response] = []
        self.faults: deque[Fault] = deque()
        self._api = api
        # Chalice's test client takes one request at a time.
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        if self.faults:
            return self.faults.popleft()(request, partial(self._pass_on, request))
        return self._pass_on(request)

    def sent(self) -> list[str]:
        """Return method and path of the requests since the last call."""
        requests, self.requests = self.requests, []
        return [f"{one.method} {one.url.path}" for one in requests]

    def break_down(self, error: Exception, times: int = 1) -> None:
        """Let the next requests fail before they arrive."""

        def fault(request: httpx.Request, pass_on: Callable[[], httpx.Response]) -> httpx.Response:
            raise error

        self.faults.extend([fault] * times)

    def lose_answer(self) -> None:
        """Let the next request arrive, but not its answer."""

        def fault(request: httpx.Request, pass_on: Callable[[], httpx.Response]) -> httpx.Response:
            pass_on()
            raise httpx.ReadTimeout("lost")

        self.faults.append(fault)

    def answer(self, status: int, text: str = "", headers: dict[str, str] | None = None) -> None:
        """Let something else answer the next request."""
        self.faults.append(lambda *_: httpx.Response(status, text=text, headers=headers))

    def _pass_on(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode()
        with self._lock:
            answer = self._api.request(
                request.method, path, headers={**request.headers}, raw=request.content
            )
        response = httpx.Response(answer.status, headers=answer.headers, text=answer.text)
        self.answers.append(response)
        return response


class Sleep:
    """Lets the clock move on, and the worker do what is due by then."""

    def __init__(self, clock: Clock, lambdas: Lambdas) -> None:
        self.pauses: list[float] = []
        self._clock, self._lambdas = clock, lambdas

    def __call__(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._clock.advance(seconds=seconds)
        self._lambdas.feed()


@pytest.fixture
def network(api: Api) -> Network:
    return Network(api)


@pytest.fixture
def sleep(clock: Clock, lambdas: Lambdas) -> Sleep:
    return Sleep(clock, lambdas)


Connect = Callable[..., Client]


@pytest.fixture
def connect(network: Network, sleep: Sleep, clock: Clock) -> Iterator[Connect]:
    """`connect()`: a client that nobody has signed in to; `connect(store)` keeps tokens there."""
    made: list[Client] = []

    def connect(store: TokenStore | None = None) -> Client:
        made.append(
            Client(
                URL,
                store=store,
                transport=network,
                sleep=sleep,
                clock=lambda: clock.now.timestamp(),
            )
        )
        return made[-1]

    yield connect
    for one in made:
        one.close()


@pytest.fixture
def store() -> MemoryStore:
    """Where Ann's tokens are."""
    return MemoryStore()


@pytest.fixture
def ann(connect: Connect, store: MemoryStore, network: Network) -> Client:
    """A client that Ann has signed in to."""
    client = connect(store)
    client.register("ann", PASSWORD)
    client.login("ann", PASSWORD)
    network.sent()
    return client
