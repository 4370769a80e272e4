"""What the integration tests start from: the seam for AWS calls, a clock, users, Lambdas."""

import io
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from typing import Any

import pytest
from chalice.test import Client

from chalicelib.config import settings
from chalicelib.lifecycle import TRANSITIONS
from tests import aws_calls, cloud, policy
from tests.aws_calls import Calls, running
from tests.drivers import Api, Clock, Lambdas
from tests.integration.tools import Define, Finish, doing, new_user
from tests.status_changes import StatusChange, StatusChanges


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(policy)


@pytest.fixture(autouse=True)
def own_settings() -> None:
    """Read the tests' own settings first.

    Chalice's test client sets the variables of the stage dev during each call, and settings read
    at that moment would stay.
    """
    settings()


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    """The seam for AWS calls. A call that a function has no right to fails the test."""
    calls = aws_calls.install(monkeypatch)
    yield calls
    # The service may survive the refusal as it survives any failing call.
    assert not calls.forbidden, "\n".join(calls.forbidden)


@pytest.fixture(autouse=True)
def status_changes(calls: Calls) -> Iterator[StatusChanges]:
    """Every change of a status that functions write; each must be one of the documented ones."""
    changes = StatusChanges()
    calls.observers.append(changes)
    yield changes
    documented = {
        StatusChange(function, transition.source, transition.target)
        for transition in TRANSITIONS
        for function in transition.by
    }
    assert {*changes} <= documented, "see docs/lifecycle.md"


@pytest.fixture
def fail(calls: Calls) -> Callable[..., Any]:
    """`fail("SendMessage", error)`: the calls of an operation fail; see `Calls.fail`."""
    return calls.fail


@pytest.fixture
def client(aws: None, clock: Clock) -> Iterator[Client]:
    from app import app

    with Client(app) as client:
        yield client


@pytest.fixture
def api(client: Client) -> Api:
    """An HTTP client without a token."""
    return Api(client)


@pytest.fixture
def sign_up(client: Client) -> Callable[[str], Api]:
    """`sign_up("ann")`: an HTTP client that speaks for a user of her own."""
    return partial(new_user, client)


@pytest.fixture
def ann(sign_up: Callable[[str], Api]) -> Api:
    """A signed-in user."""
    return sign_up("ann")


@pytest.fixture
def bob(sign_up: Callable[[str], Api]) -> Api:
    """Another signed-in user."""
    return sign_up("bob")


@pytest.fixture
def lambdas(aws: None, clock: Clock, calls: Calls) -> Lambdas:
    return Lambdas(calls)


@pytest.fixture
def rows(aws: None) -> Callable[[], list[dict[str, Any]]]:
    """`rows()`: the whole table, sorted by key, in DynamoDB's JSON."""

    def rows() -> list[dict[str, Any]]:
        # A task type may look while it runs.
        with running(None):
            items = cloud.rows()
        return sorted(items, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))

    return rows


@pytest.fixture
def schedules(aws: None) -> Callable[[], list[str]]:
    """`schedules()`: the names of all one-time schedules."""

    def schedules() -> list[str]:
        with running(None):
            return cloud.schedules()

    return schedules


@pytest.fixture
def finish(clock: Clock) -> Finish:
    """`finish(ann, 45)`: this many finished tasks, a second apart; returns their ids, newest first.

    They are stored as the worker leaves them, because running them all would take long. Of
    several statuses each task in turn gets the next.
    """

    def finish(user: Api, number: int, *statuses: str, result: str = "16") -> list[str]:
        from chalicelib.models import Task, User
        from chalicelib.models.task import Finished

        counts = Counter[str]()
        ids = []
        with Task.batch_write() as tasks, Finished.batch_write() as keys:
            for _, status in zip(range(number), cycle(statuses or ["success"]), strict=False):
                stamp = f"{int(clock.now.timestamp() * 1000):012x}"
                task = Task.new(
                    user.user_id,
                    f"{stamp[:8]}-{stamp[8:]}-7000-8000-000000000000",
                    task_type="sum",
                    input_data='{"values":[16]}',
                    scheduled_at=None,
                    now=clock.now,
                )
                task.status, task.result, task.finished_at = status, result, clock.now
                task.sweep_shard = task.sweep_at = None
                tasks.save(task)
                keys.save(Finished(task.pk, f"{status}#{task.task_id}"))
                counts[status] += 1
                ids.append(task.task_id)
                clock.advance(seconds=1)
        adds = [getattr(User, status).add(count) for status, count in counts.items()]
        if adds:
            User(f"user#{user.user_id}", "user").update(adds)
        return ids[::-1]

    return finish


@pytest.fixture
def define() -> Iterator[Define]:
    """`define(function, max_tries=1)`: what a task of the type `probe` does."""
    from chalicelib import task_types

    def define(function: Callable[[], Any], **options: Any) -> None:
        task_types._types.pop("probe", None)
        register = task_types.task_type("probe", dict[str, Any], **options)
        register(lambda _input, _run: function())

    define(lambda: None)
    yield define
    task_types._types.pop("probe", None)


@pytest.fixture
def probe(ann: Api, define: Define) -> Callable[[], dict[str, Any]]:
    """`probe()`: a new task of the type `probe`."""
    return lambda: ann.created("probe", input_data={})


@pytest.fixture
def written(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[], str]]:
    """`written()`: all that was logged or printed, as the service and as any other handler does."""
    from app import log

    caplog.set_level(logging.INFO)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(log.registered_handler.formatter)
    logging.getLogger().addHandler(handler)
    yield lambda: stream.getvalue() + caplog.text + "".join(capsys.readouterr())
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def of_every_status(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define
) -> dict[str, list[str]]:
    """Ann's tasks by status, newest first: two of each finished status, and one started."""
    from chalicelib.errors import TaskError

    ids: dict[str, list[str]] = {}
    define(doing(TaskError("No."), TaskError("No.")))

    def note(status: str, task: dict[str, Any]) -> None:
        ids.setdefault(status, []).insert(0, task["id"])
        clock.advance(seconds=1)

    for _ in range(2):
        note("success", ann.created())
        lambdas.work_off()
        note("failure", ann.created("probe", input_data={}))
        lambdas.work_off()
        task = ann.created(scheduled_at="2026-02-02T12:05")
        ann.post(f"/api/tasks/{task['id']}/cancel/")
        note("cancelled", task)
    lambdas.sent()
    note("started", ann.created("countdown"))
    lambdas.work_off()
    note("pending", ann.created())
    note("pending", ann.created(scheduled_at="2026-03-01"))
    return ids
