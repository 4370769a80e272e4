"""What the service can do, as methods."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import httpx

from moscow_tasks import errors, operations
from moscow_tasks.models import Account, Page, Status, Task, TaskType
from moscow_tasks.session import Session, read
from moscow_tasks.tokens import MemoryStore, Tokens, TokenStore

DEFAULT_URL = "http://localhost:8000"
#: How long a task is not looked at, at most, in seconds: it may be cancelled elsewhere.
LONGEST_LOOK = 60


class Client:
    """A client of the service for one user. Threads can share it.

    Requests are repeated where that is safe: after lost connections, and when the service asks
    to try again within 30 seconds. A task is never created twice by that. The access token is
    refreshed when it has expired.

    Every method raises a subclass of `errors.TasksError`.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        store: TokenStore | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Without a `store` the tokens are kept in memory; the parameters after it are for tests.

        Raises ValueError for a URL that no service can have.
        """
        check_url(url)
        self._session = Session(url, store or MemoryStore(), transport, sleep)
        self._sleep, self._clock = sleep, clock

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._session.close()

    def register(self, username: str, password: str) -> Account:
        """Create an account. It still has to sign in."""
        body = {"username": username, "password": password}
        return read(Account, self._session.send(operations.REGISTER, body=body))

    def login(self, username: str, password: str) -> None:
        """Sign in and keep the tokens."""
        body = {"username": username, "password": password}
        answer = self._session.send(operations.SIGN_IN, body=body)
        self._session.store.save(read(Tokens, answer))

    def logout(self) -> None:
        """End the session and forget the tokens. Does nothing if nobody is signed in."""
        if tokens := self._session.store.load():
            with suppress(errors.TokenNotValid):  # it has ended already
                self._session.send(operations.SIGN_OUT, body={"refresh": tokens.refresh})
            self._session.store.clear()

    def verify(self, token: str) -> None:
        """Check an access or a refresh token. Raises TokenNotValid."""
        self._session.send(operations.VERIFY, body={"token": token})

    def task_types(self) -> list[TaskType]:
        return read(list[TaskType], self._session.send(operations.TASK_TYPES))

    def health(self) -> None:
        """Ask whether the service works. Raises Unavailable or Unreachable."""
        self._session.send(operations.HEALTH)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        return read(dict[str, Any], self._session.send(operations.OPENAPI))

    def run(
        self,
        task_type: str,
        input_data: Mapping[str, Any],
        *,
        at: datetime | str | None = None,
        wait: bool = False,
        timeout: float | None = None,
        idempotency_key: str | None = None,
    ) -> Task:
        """Create a task, to start now or at a time; a time without an offset is Moscow's.

        With `wait` the finished task is returned, whether it succeeded or not; WaitTimeout is
        raised if that takes longer than `timeout` seconds. An `idempotency_key` of your own makes
        one task of calls that your program repeats, for 24 hours.
        """
        task = self.create(
            task_type, input_data, at=at, prefer_wait=wait, idempotency_key=idempotency_key
        )
        return self.wait(task.id, timeout) if wait and not task.is_finished else task

    def create(
        self,
        task_type: str,
        input_data: Mapping[str, Any],
        *,
        at: datetime | str | None = None,
        prefer_wait: bool = False,
        idempotency_key: str | None = None,
    ) -> Task:
        """Create a task, as `run` does without waiting.

        With `prefer_wait` it has finished already if its type is one that ends at once.
        """
        body = {"task_type": task_type, "input_data": input_data}
        if at is not None:
            body["scheduled_at"] = at.isoformat() if isinstance(at, datetime) else at
        headers = {"Idempotency-Key": idempotency_key or str(uuid4())}
        if prefer_wait:
            headers["Prefer"] = "wait"
        return read(Task, self._session.send(operations.CREATE, body=body, headers=headers))

    def again(
        self,
        task_id: str,
        *,
        at: datetime | str | None = None,
        wait: bool = False,
        timeout: float | None = None,
    ) -> Task:
        """Create a task of the same type and input as another one."""
        task = self.show(task_id)
        # Older clients put the time into the input; that time is over.
        own = {name: value for name, value in task.input_data.items() if name != "scheduled_at"}
        return self.run(task.task_type, own, at=at, wait=wait, timeout=timeout)

    def show(self, task_id: str) -> Task:
        """Return a task with its events."""
        return read(Task, self._session.send(operations.SHOW, task_id=task_id))

    def watch(self, task_id: str, timeout: float | None = None) -> Iterator[Task]:
        """Yield a task now, whenever it has changed, and at last when it has finished.

        The service says when to look again. Raises WaitTimeout after `timeout` seconds.
        """
        deadline = None if timeout is None else self._clock() + timeout
        tag: dict[str, str] = {}
        while True:
            answer = self._session.send(operations.SHOW, task_id=task_id, headers=tag)
            if answer.status_code != HTTPStatus.NOT_MODIFIED:
                tag = {"If-None-Match": answer.headers["ETag"]}
                task = read(Task, answer)
                yield task
                if task.is_finished:
                    return
            pause = min(float(answer.headers.get("Retry-After", 1)), LONGEST_LOOK)
            if deadline is not None:
                left = deadline - self._clock()
                if left <= 0:
                    raise errors.WaitTimeout(task)
                pause = min(pause, left)
            self._sleep(pause)

    def wait(self, task_id: str, timeout: float | None = None) -> Task:
        """Return a task when it has finished. Raises WaitTimeout after `timeout` seconds."""
        *_, task = self.watch(task_id, timeout)
        return task

    def cancel(self, task_id: str) -> Task:
        """Cancel a task. Raises AlreadyFinished if it has ended otherwise."""
        return read(Task, self._session.send(operations.CANCEL, task_id=task_id))

    def pages(self, status: Status | None = None) -> Iterator[Page]:
        """Yield the pages of the user's tasks, newest first, of one status or of all."""
        query: dict[str, str] | None = {"status": status} if status else {}
        while query is not None:
            page = read(Page, self._session.send(operations.LIST, query=query))
            yield page
            # Only its query: the tokens go to no other host, whatever the link says.
            query = dict(parse_qsl(urlsplit(page.next).query)) if page.next else None

    def tasks(self, status: Status | None = None) -> Iterator[Task]:
        """Yield the user's tasks, newest first; pages are fetched as they are needed."""
        for page in self.pages(status):
            yield from page.results


def check_url(url: str) -> None:
    """Raise ValueError unless it could be the URL of a service."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            f'"{url}" is not the URL of a service: it must start with http:// or https://.'
        )
