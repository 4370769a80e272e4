"""The console in Chromium, on the service as `make run` starts it."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from tests.e2e.conftest import LocalService

INSTALLED = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
DESKTOP, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
PASSWORD = "correct horse"

expect.set_options(timeout=15_000)


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    with LocalService(tmp_path_factory.mktemp("local"), "embedded").run() as service:
        yield service


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """An installed Chromium or Chrome, else the one that Playwright installs."""
    path = next(filter(None, map(shutil.which, INSTALLED)), None)
    if path is None:
        install = [sys.executable, "-m", "playwright", "install", "chromium"]
        subprocess.run(install, check=True)
    with sync_playwright() as playwright:
        # A container has no user namespaces for the sandbox, and little shared memory.
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


class Console:
    """A tab with the console. Whatever goes wrong in it fails the test at its end."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        #: The statuses of errors that the test provokes.
        self.expected: set[int] = set()
        #: Everything that the page asked the service for: method, path and query.
        self.requests: list[str] = []
        self.faults: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.faults.append(f"uncaught: {error}"))
        page.on("request", self._note)
        page.on("response", self._judge)

    def open(self, address: str = "/") -> "Console":
        self.page.goto(self.url + address)
        return self

    def find(self, selector: str, **options: Any) -> Locator:
        return self.page.locator(selector, **options)

    def sign_up(self, name: str, address: str = "/") -> "Console":
        """Register a user by the form and arrive at the tasks."""
        self.open(address)
        self.find("#other").click()
        self.find("#username").fill(name)
        self.find("#password").fill(PASSWORD)
        self.find("#sign").click()
        expect(self.find("#create")).to_be_visible()
        # Now it has asked for the slots, too.
        expect(self.find("#free")).to_be_attached()
        return self

    def choose(self, name: str) -> None:
        """Choose a type, a form or a time by its word."""
        self.find(".form .choice", has_text=name).first.click()

    def create(self, kind: str, text: str, *, later: str = "") -> None:
        """Make a task by the form; `later` is one of the quick times."""
        if self.find("#another").is_visible():
            self.find("#another").click()
        self.choose(kind)
        self.find("#field-0").fill(text)
        if later:
            self.choose("At a set time")
            self.find(".chip", has_text=later).click()
        self.find("#create").click()
        expect(self.find("#another")).to_be_visible()

    def client(self) -> httpx.Client:
        """Return an API client of the same user."""
        token = self.page.evaluate(
            """async () => {
              const answer = await fetch("console/session/refresh/", {method: "POST"});
              return (await answer.json()).access;
            }"""
        )
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def asked(self) -> list[str]:
        """Return what the page has asked for since the last call, except for its files."""
        # Whatever is on its way now overtakes no request that begins after it.
        for _ in range(3):
            self.page.evaluate("fetch('api/health/').then(answer => answer.text())")
        ours = re.compile(r"/static/|/api/health/")
        found = [one for one in self.requests if not ours.search(one)]
        self.requests.clear()
        return found

    def hide(self, *, hidden: bool) -> None:
        """Let another tab cover this one, or come back to it."""
        self.page.evaluate(
            """hidden => {
              Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
              document.dispatchEvent(new Event("visibilitychange"));
            }""",
            hidden,
        )

    def check_accessibility(self) -> None:
        """Let axe-core look at what is shown; it must find nothing."""
        # Nothing is measured half-way through a transition; some end because their element does.
        self.page.evaluate(
            "Promise.allSettled(document.getAnimations()"
            ".filter(one => one instanceof CSSTransition).map(one => one.finished))"
        )
        result = Axe().run(self.page)
        assert result.violations_count == 0, result.generate_report()

    def check_width(self) -> None:
        """Nothing may stick out of the window."""
        too_wide = self.page.evaluate(
            """() => [...document.querySelectorAll("body *")]
              .filter(one => one.checkVisibility() && !one.closest(".hidden"))
              .filter(one => one.getBoundingClientRect().right > innerWidth + 0.5)
              .map(one => one.outerHTML.slice(0, 80))"""
        )
        assert too_wide == []

    def close(self) -> None:
        self.page.context.close()
        assert self.faults == []

    def _hear(self, message: ConsoleMessage) -> None:
        # Chromium reports each error status as well; `_judge` does so by status.
        is_status = message.text.startswith("Failed to load resource: the server responded")
        if message.type in ("error", "warning") and not is_status:
            self.faults.append(f"console: {message.text}")

    def _note(self, request: Request) -> None:
        if request.url.startswith("blob:"):
            return
        if not request.url.startswith(self.url):
            self.faults.append(f"another host: {request.url}")
        parts = urlsplit(request.url)
        query = f"?{parts.query}" if parts.query else ""
        self.requests.append(f"{request.method} {parts.path}{query}")

    def _judge(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.faults.append(f"{response.status}: {response.url}")


Open = Callable[..., Console]


@pytest.fixture
def tab(browser: Browser, service: LocalService) -> Iterator[Open]:
    """`tab()`: a new browser's tab; options as of Playwright's `new_context`."""
    with ExitStack() as stack:

        def tab(**options: Any) -> Console:
            return stack.enter_context(_tab(browser, service.url, options))

        yield tab


@contextmanager
def _tab(browser: Browser, url: str, options: dict[str, Any]) -> Iterator[Console]:
    defaults: dict[str, Any] = {"viewport": DESKTOP, "locale": "en-GB", "timezone_id": "Asia/Tokyo"}
    context: BrowserContext = browser.new_context(**(defaults | options))
    console = Console(context.new_page(), url)
    yield console
    console.close()


@pytest.fixture
def stage(service: LocalService) -> Iterator[str]:
    """The URL of the service behind a stage `prod`, without a slash at its end."""

    class Gateway(BaseHTTPRequestHandler):
        """Passes requests on; the service's answers are as if it knew of the stage."""

        def _pass_on(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            answer = httpx.request(
                self.command,
                service.url + self.path.removeprefix("/prod"),
                headers=[one for one in self.headers.items() if one[0] != "Accept-Encoding"],
                content=self.rfile.read(size),
            )
            body = answer.content.replace(b'"/console/', b'"/prod/console/')
            self.send_response(answer.status_code)
            for name, text in answer.headers.items():
                if name not in ("content-encoding", "content-length"):
                    self.send_header(name, text.replace("Path=/", "Path=/prod/"))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = _pass_on  # noqa: N815

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}/prod"
        server.shutdown()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name that no other test uses."""
    test: str = request.node.name
    return re.sub(r"\W+", "-", test.removeprefix("test_"))
