"""Whatever hangs, a request is answered long before API Gateway's 29 seconds."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ReadTimeoutError
from botocore.retries.standard import RetryQuotaChecker
from moto.core.botocore_stubber import BotocoreStubber

from chalicelib import deadline, security
from tests import cloud
from tests.drivers import Answer, Api, Clock

pytestmark = pytest.mark.skipif(cloud.IN_LOCALSTACK, reason="it is moto that hangs")

Hang = Callable[..., AbstractContextManager[None]]

SERVICES = ("dynamodb", "sqs", "scheduler", "secrets-manager")
#: In seconds, as the clients are configured in chalicelib/.
LONGEST_ATTEMPT = dict.fromkeys(SERVICES, deadline.CONNECT_TIMEOUT + deadline.READ_TIMEOUT)
LONGEST_ATTEMPT["secrets-manager"] = 4
LONGEST_PAUSE = 2

ACCOUNT = {"username": "eve", "password": "a long one"}

#: Requests of somebody who has a refresh token and a task.
REQUESTS: dict[str, Callable[[Api, str, str], Answer]] = {
    "register": lambda api, *_: api.post("/api/register/", ACCOUNT),
    "token": lambda api, *_: api.post("/api/token/", ACCOUNT),
    "refresh": lambda api, token, _: api.post("/api/token/refresh/", {"refresh": token}),
    "verify": lambda api, token, _: api.post("/api/token/verify/", {"token": token}),
    "sign out": lambda api, token, _: api.post("/api/token/blacklist/", {"refresh": token}),
    "create": lambda api, *_: api.create(),
    "create later": lambda api, *_: api.create(scheduled_at="2026-02-02T12:10"),
    "create with a key": lambda api, *_: api.create(key="k"),
    "list": lambda api, *_: api.get("/api/tasks/"),
    "list of a status": lambda api, *_: api.get("/api/tasks/?status=pending"),
    "show": lambda api, _, task_id: api.get(f"/api/tasks/{task_id}/"),
    "cancel": lambda api, _, task_id: api.post(f"/api/tasks/{task_id}/cancel/"),
    "health": lambda api, *_: api.get("/api/health/"),
}


@pytest.fixture(autouse=True)
def status_changes() -> None:
    """Not watched here: the watcher's own reads would hang, too."""


@pytest.fixture
def hang(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Hang:
    """`with hang("sqs")`: each attempt, and each pause before the next, takes as long as it may.

    With `after` the call has its effect all the same.
    """
    hanging: dict[str, bool] = {}
    real: Any = BotocoreStubber.__call__

    def receive(
        stubber: BotocoreStubber, event_name: str, request: AWSPreparedRequest, **more: Any
    ) -> Any:
        service = event_name.split(".")[1]
        if service not in hanging:
            return real(stubber, event_name, request, **more)
        if hanging[service]:
            real(stubber, event_name, request, **more)
        clock.advance(seconds=LONGEST_ATTEMPT[service])
        raise ReadTimeoutError(endpoint_url=request.url)

    def sleep(_: float) -> None:
        clock.advance(seconds=LONGEST_PAUSE)

    monkeypatch.setattr(BotocoreStubber, "__call__", receive)
    monkeypatch.setattr("botocore.endpoint.time.sleep", sleep)
    # Otherwise botocore stops trying again after many failures, and so answers sooner.
    monkeypatch.setattr(RetryQuotaChecker, "acquire_retry_quota", lambda *_: True)

    @contextmanager
    def hang(*services: str, after: bool = False) -> Iterator[None]:
        hanging.update(dict.fromkeys(services, after))
        yield
        hanging.clear()

    return hang


@pytest.mark.parametrize("after", [False, True], ids=["before its effect", "after its effect"])
@pytest.mark.parametrize("services", [*((one,) for one in SERVICES), SERVICES], ids="+".join)
@pytest.mark.parametrize("request_name", REQUESTS)
def test_every_request_is_answered_within_20_seconds(
    ann: Api, clock: Clock, hang: Hang, request_name: str, services: tuple[str, ...], after: bool
) -> None:
    task = ann.created(scheduled_at="2026-02-02T12:05")
    token = security.issue_token(security.REFRESH, ann.user_id, clock.now)
    started = clock.now
    with hang(*services, after=after):
        answer = REQUESTS[request_name](ann, token, task["id"])
    assert clock.now - started <= timedelta(seconds=20)
    assert answer.status < 500 or (answer.status, answer.json["code"]) == (503, "unavailable")


def test_signing_keys_that_cannot_be_read_are_a_503_within_10_seconds(
    ann: Api, clock: Clock, hang: Hang
) -> None:
    security._keys.cache_clear()
    started = clock.now
    with hang("secrets-manager"):
        assert ann.get("/api/tasks/").status == 503
    assert clock.now - started <= timedelta(seconds=10)
