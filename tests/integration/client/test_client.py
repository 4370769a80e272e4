"""The client does what the service can do."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from moscow_tasks import Client, MemoryStore, errors
from tests.drivers import SUM, Api, Clock
from tests.integration.client.conftest import PASSWORD, Connect, Network, Sleep
from tests.integration.tools import Define, doing


def sums(user: Client, clock: Clock, number: int) -> list[str]:
    """Let a user run some sums, one after the other; return their ids, newest first."""
    ids = []
    for _ in range(number):
        clock.advance(seconds=1)
        ids.append(user.run("sum", SUM, wait=True).id)
    return ids[::-1]


def test_a_sum_is_there_in_one_request(ann: Client, network: Network) -> None:
    task = ann.run("sum", SUM, wait=True)
    assert (task.status, task.result, task.is_finished) == ("success", 16, True)
    assert network.sent() == ["POST /api/tasks/"]


def test_without_wait_a_task_is_returned_as_it_was_created(ann: Client) -> None:
    task = ann.run("sum", SUM)
    assert (task.status, task.result, task.is_finished) == ("pending", None, False)


def test_waiting_looks_when_the_service_says_so(
    ann: Client, network: Network, sleep: Sleep
) -> None:
    task = ann.run("countdown", {"seconds": 30}, wait=True)
    assert (task.status, task.result) == ("success", {"seconds": 30})
    assert sleep.pauses == [1, 30]
    assert network.sent() == ["POST /api/tasks/"] + [f"GET /api/tasks/{task.id}/"] * 3


def test_what_has_not_changed_is_not_sent_again(
    ann: Client, network: Network, clock: Clock
) -> None:
    task = ann.run("sum", SUM, at=clock.now + timedelta(minutes=3))
    seen = [one.status for one in ann.watch(task.id)]
    assert seen == ["pending", "success"]
    statuses = [answer.status_code for answer in network.answers[-4:]]
    assert statuses == [200, 304, 304, 200]


def test_a_task_is_looked_at_once_a_minute_at_least(
    ann: Client, sleep: Sleep, clock: Clock
) -> None:
    task = ann.run("sum", SUM, at=clock.now + timedelta(minutes=3))
    ann.wait(task.id)
    assert sleep.pauses == [60, 60, 60]


def test_watching_shows_each_change(ann: Client) -> None:
    task = ann.run("countdown", {"seconds": 5})
    assert [one.status for one in ann.watch(task.id)] == ["pending", "started", "success"]


def test_waiting_ends_after_its_timeout(ann: Client, sleep: Sleep) -> None:
    with pytest.raises(errors.WaitTimeout, match="is still started") as raised:
        ann.run("countdown", {"seconds": 3600}, wait=True, timeout=20)
    assert raised.value.task.status == "started"
    assert sum(sleep.pauses) == 20


def test_a_failed_task_is_returned_with_its_error(ann: Client, define: Define) -> None:
    from chalicelib.errors import TaskError

    define(doing(TaskError("The page is empty.", "empty_page")))
    task = ann.run("probe", {}, wait=True)
    assert task.status == "failure"
    assert task.error
    assert (task.error.code, task.error.detail) == ("empty_page", "The page is empty.")


@pytest.mark.parametrize(
    ("values", "result"),
    [
        ([10**400, 1], 10**400 + 1),
        ([Decimal("0.1"), Decimal("0.2")], Decimal("0.3")),
        ([Decimal("1e400"), 1], Decimal(10**400 + 1)),
        ([Decimal("0." + "1" * 300), Decimal("0." + "2" * 300)], Decimal("0." + "3" * 300)),
    ],
)
def test_numbers_keep_every_digit(ann: Client, values: list[Any], result: Any) -> None:
    task = ann.run("sum", {"values": values}, wait=True)
    assert task.result == result
    assert ann.show(task.id).result == result
    assert ann.show(task.id).input_data == {"values": values}


def test_a_task_is_as_the_service_sends_it(ann: Client, api: Api, store: MemoryStore) -> None:
    task = ann.run("countdown", {"seconds": 5})
    *_, done = ann.watch(task.id)
    tokens = store.load()
    assert tokens
    api.token = tokens.access
    shown = api.task(task.id)
    document = done.document()
    assert list(document) == list(shown)
    assert document["finished_at"].isoformat() == shown["finished_at"]
    assert document["result"] == shown["result"]
    assert [event.event for event in done.events] == [one["event"] for one in shown["events"]]


@pytest.mark.parametrize(
    "at",
    [
        "2026-02-02 15:30",
        datetime(2026, 2, 2, 15, 30),  # noqa: DTZ001
        datetime(2026, 2, 2, 12, 30, tzinfo=UTC),
    ],
)
def test_a_time_without_an_offset_is_moscows(ann: Client, at: Any) -> None:
    scheduled = ann.run("sum", SUM, at=at).scheduled_at
    assert scheduled
    assert scheduled.isoformat() == "2026-02-02T15:30:00+03:00"


def test_again_runs_the_same_now(ann: Client, clock: Clock) -> None:
    first = ann.run("sum", {**SUM, "scheduled_at": "2026-02-02 12:01"})
    clock.advance(minutes=5)
    second = ann.again(first.id, wait=True)
    assert (second.task_type, second.input_data, second.result) == ("sum", SUM, 16)


def test_a_cancelled_task_is_returned(ann: Client) -> None:
    task = ann.run("countdown", {"seconds": 60})
    assert ann.cancel(task.id).status == "cancelled"
    assert ann.cancel(task.id).status == "cancelled"


def test_a_finished_task_cannot_be_cancelled(ann: Client) -> None:
    task = ann.run("sum", SUM, wait=True)
    with pytest.raises(errors.AlreadyFinished) as raised:
        ann.cancel(task.id)
    assert raised.value.task.id == task.id
    assert raised.value.task.result == 16


def test_all_pages_are_walked_through(ann: Client, network: Network, clock: Clock) -> None:
    made = sums(ann, clock, 45)
    network.sent()
    assert [task.id for task in ann.tasks()] == made
    assert network.sent() == ["GET /api/tasks/"] * 3
    assert [(page.count, len(page.results)) for page in ann.pages()] == [
        (45, 20),
        (45, 20),
        (45, 5),
    ]


def test_pages_are_fetched_only_when_they_are_needed(
    ann: Client, network: Network, clock: Clock
) -> None:
    sums(ann, clock, 21)
    network.sent()
    next(ann.tasks())
    assert network.sent() == ["GET /api/tasks/"]


def test_tasks_of_one_status_are_listed(ann: Client, clock: Clock) -> None:
    done = sums(ann, clock, 21)
    waiting = ann.run("countdown", {"seconds": 60}).id
    assert [task.id for task in ann.tasks("pending")] == [waiting]
    assert [task.id for task in ann.tasks("success")] == done


def test_signing_out_ends_the_session(ann: Client, store: MemoryStore, connect: Connect) -> None:
    tokens = store.load()
    assert tokens
    ann.verify(tokens.refresh)
    ann.logout()
    assert store.load() is None
    with pytest.raises(errors.TokenNotValid):
        connect().verify(tokens.refresh)


def test_signing_out_twice_does_no_harm(ann: Client, store: MemoryStore, network: Network) -> None:
    tokens = store.load()
    assert tokens
    ann.logout()
    network.sent()
    ann.logout()
    assert network.sent() == []
    store.save(tokens)
    ann.logout()
    assert store.load() is None


def test_without_a_sign_in_tasks_are_refused(connect: Connect) -> None:
    with pytest.raises(errors.NotAuthenticated):
        next(connect().tasks())


def test_a_wrong_password_is_refused(ann: Client) -> None:
    with pytest.raises(errors.WrongCredentials):
        ann.login("ann", "wrong " + PASSWORD)


def test_invalid_fields_say_what_is_wrong_and_where(ann: Client) -> None:
    with pytest.raises(errors.InvalidFields) as raised:
        ann.run("sum", {"values": [1, "two"]}, at="tomorrow")
    assert [*raised.value.fields] == ["input_data", "scheduled_at"]
    first, second = raised.value.reasons()
    assert first == "input_data.values: Item 1: A valid number is required."
    assert second.startswith("scheduled_at: Datetime has wrong format.")


def test_the_types_the_health_and_the_document_need_no_sign_in(connect: Connect) -> None:
    client = connect()
    assert [one.task_type for one in client.task_types()] == ["countdown", "sum"]
    client.health()
    assert client.openapi()["openapi"] == "3.1.0"


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://localhost", "http://", ""])
def test_a_url_that_no_service_can_have_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="must start with http"):
        Client(url)


def test_a_client_is_closed_after_its_block(ann: Client) -> None:
    with ann as client:
        client.health()
    with pytest.raises(RuntimeError, match="closed"):
        client.health()
