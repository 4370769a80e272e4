"""Requests are repeated only where that is safe, and signed with tokens that are kept fresh."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from moscow_tasks import Client, MemoryStore, Tokens, errors
from tests.drivers import SUM, Clock
from tests.integration.client.conftest import PASSWORD, URL, Connect, Network, Sleep

REFRESH = "POST /api/token/refresh/"


def test_a_create_whose_answer_is_lost_makes_one_task(
    ann: Client, network: Network, sleep: Sleep
) -> None:
    network.lose_answer()
    task = ann.run("countdown", {"seconds": 60})
    first, second = network.requests
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert network.answers[-1].headers["Idempotent-Replayed"] == "true"
    assert [one.id for one in ann.tasks()] == [task.id]


def test_each_task_has_a_key_of_its_own(ann: Client, network: Network) -> None:
    ann.run("sum", SUM)
    ann.run("sum", SUM)
    first, second = network.requests
    assert first.headers["Idempotency-Key"] != second.headers["Idempotency-Key"]


def test_a_key_of_the_callers_own_makes_one_task_of_two_calls(ann: Client) -> None:
    first = ann.run("sum", SUM, idempotency_key="today")
    assert ann.run("sum", SUM, idempotency_key="today").id == first.id
    with pytest.raises(errors.IdempotencyKeyReused):
        ann.run("countdown", {"seconds": 1}, idempotency_key="today")


def test_a_request_is_sent_four_times_at_most(ann: Client, network: Network, sleep: Sleep) -> None:
    network.break_down(httpx.ConnectError("refused"), times=4)
    with pytest.raises(errors.Unreachable, match=r"http://api\.test.*refused"):
        ann.run("sum", SUM)
    assert len(network.sent()) == 4
    first, second, third = sleep.pauses
    assert 0.1 <= first <= 0.5
    assert 0.1 <= second <= 1
    assert 0.1 <= third <= 2


def test_a_registration_is_not_repeated_once_it_was_sent(
    connect: Connect, network: Network
) -> None:
    network.lose_answer()
    with pytest.raises(errors.Unreachable):
        connect().register("ann", PASSWORD)
    assert len(network.requests) == 1
    network.answer(503, headers={"Retry-After": "1"})
    with pytest.raises(errors.Unavailable):
        connect().register("ann", PASSWORD)
    assert len(network.requests) == 2


def test_a_registration_that_was_never_sent_is_repeated(connect: Connect, network: Network) -> None:
    network.break_down(httpx.ConnectError("refused"))
    assert connect().register("ann", PASSWORD).username == "ann"


@pytest.mark.parametrize("status", [429, 503])
def test_the_service_says_when_to_try_again(
    ann: Client, network: Network, sleep: Sleep, status: int
) -> None:
    network.answer(status, headers={"Retry-After": "7"})
    assert ann.run("sum", SUM, wait=True).result == 16
    assert sleep.pauses == [7]


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (503, {}),
        (503, {"Retry-After": "31"}),
        (503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}),
        (502, {"Retry-After": "1"}),
        (504, {}),
    ],
)
def test_other_outages_are_told_at_once(
    ann: Client, network: Network, status: int, headers: dict[str, str]
) -> None:
    network.answer(status, "<html>", headers)
    with pytest.raises(errors.Unavailable):
        ann.run("sum", SUM)
    assert len(network.requests) == 1


def test_an_outage_that_lasts_is_told_in_the_end(ann: Client, network: Network) -> None:
    for _ in range(4):
        network.answer(503, headers={"Retry-After": "1"})
    with pytest.raises(errors.Unavailable):
        ann.run("sum", SUM)
    assert len(network.requests) == 4


def test_the_limit_of_active_tasks_is_told_at_once(ann: Client, network: Network) -> None:
    for _ in range(5):
        ann.run("countdown", {"seconds": 60})
    network.sent()
    with pytest.raises(errors.ActiveTaskLimit) as raised:
        ann.run("sum", SUM)
    assert (raised.value.active, raised.value.limit) == (5, 5)
    assert len(network.requests) == 1


def test_minutes_of_throttling_are_left_to_the_caller(ann: Client, sleep: Sleep) -> None:
    for _ in range(10):
        with pytest.raises(errors.WrongCredentials):
            ann.login("ann", "wrong")
    with pytest.raises(errors.Throttled) as raised:
        ann.login("ann", PASSWORD)
    assert raised.value.retry_after == 15 * 60
    assert sleep.pauses == []


def test_an_expired_access_token_is_refreshed(ann: Client, network: Network, clock: Clock) -> None:
    clock.advance(minutes=16)
    assert ann.run("sum", SUM, wait=True).result == 16
    assert network.sent() == ["POST /api/tasks/", REFRESH, "POST /api/tasks/"]


def test_new_tokens_are_kept_before_they_are_used(
    ann: Client, network: Network, store: MemoryStore, clock: Clock
) -> None:
    old = store.load()
    clock.advance(minutes=16)
    network.faults.extend([_pass, _pass])
    network.break_down(RuntimeError("the program dies"))
    with pytest.raises(RuntimeError):
        ann.run("sum", SUM)
    new = store.load()
    assert old
    assert new
    assert new.refresh != old.refresh
    clock.advance(minutes=1)
    ann.verify(new.refresh)


def _pass(_request: httpx.Request, pass_on: Callable[[], httpx.Response]) -> httpx.Response:
    return pass_on()


def test_threads_refresh_once(ann: Client, network: Network, clock: Clock) -> None:
    clock.advance(minutes=16)
    together = threading.Barrier(8)

    def expired(_request: httpx.Request, pass_on: Callable[[], httpx.Response]) -> httpx.Response:
        answer = pass_on()
        together.wait(10)
        return answer

    network.faults.extend([expired] * 8)
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda _: list(ann.tasks()), range(8))) == [[]] * 8
    assert network.sent().count(REFRESH) == 1


def test_a_refresh_whose_answer_is_lost_is_repeated_in_time(
    ann: Client, network: Network, clock: Clock
) -> None:
    clock.advance(minutes=16)
    network.faults.append(_pass)
    network.lose_answer()
    assert ann.run("sum", SUM, wait=True).result == 16
    # The service gives the lost answer again for 10 seconds.
    timeouts = [one.extensions["timeout"]["read"] for one in network.requests]
    assert timeouts == [30, 4, 4, 30]


def test_tokens_that_another_process_has_refreshed_are_used(
    ann: Client, connect: Connect, network: Network, store: MemoryStore, clock: Clock
) -> None:
    clock.advance(minutes=16)

    def meanwhile(_request: httpx.Request, pass_on: Callable[[], httpx.Response]) -> httpx.Response:
        answer = pass_on()
        other = connect(store)
        list(other.tasks())
        return answer

    network.faults.append(meanwhile)
    assert list(ann.tasks()) == []
    assert network.sent().count(REFRESH) == 1


def test_tokens_that_are_refused_are_forgotten(
    ann: Client, store: MemoryStore, clock: Clock
) -> None:
    clock.advance(days=8)
    with pytest.raises(errors.TokenNotValid, match="Token is expired"):
        list(ann.tasks())
    assert store.load() is None


def test_a_fault_of_the_refresh_leaves_the_tokens(
    ann: Client, network: Network, store: MemoryStore, clock: Clock
) -> None:
    kept = store.load()
    clock.advance(minutes=16)
    network.faults.append(_pass)
    network.answer(500, '{"detail": "Internal server error.", "code": "internal"}')
    with pytest.raises(errors.InternalError):
        list(ann.tasks())
    assert store.load() == kept


def test_tokens_do_not_show_in_a_log() -> None:
    assert repr(Tokens("secret", "secret")) == "Tokens()"


def test_public_requests_carry_no_token(ann: Client, network: Network) -> None:
    ann.task_types()
    assert "Authorization" not in network.requests[0].headers


def test_a_link_to_another_host_is_not_followed(ann: Client, network: Network) -> None:
    page = '{"count": 21, "next": "http://evil.test/?page=2", "previous": null, "results": []}'
    network.answer(200, page)
    with pytest.raises(errors.NotFound, match="Invalid page"):
        list(ann.tasks())
    assert [str(one.url) for one in network.requests] == [
        f"{URL}/api/tasks/",
        f"{URL}/api/tasks/?page=2",
    ]


def test_a_url_may_have_a_path(network: Network) -> None:
    network.answer(200, "{}")
    with Client("http://api.test/prod/", transport=network) as client:
        client.health()
    assert str(network.requests[0].url) == "http://api.test/prod/api/health/"


def test_an_id_stays_within_its_part_of_the_path(ann: Client, network: Network) -> None:
    with pytest.raises(errors.NotFound):
        ann.cancel("../../token/?x=")
    assert network.requests[0].url.raw_path == b"/api/tasks/..%2F..%2Ftoken%2F%3Fx%3D/cancel/"


@pytest.mark.parametrize("text", ["<html>", "[]", '{"id": 1}', '{"access": "a"}', "1e9", "NaN"])
def test_an_answer_of_something_else_is_no_task(ann: Client, network: Network, text: str) -> None:
    network.answer(200, text)
    with pytest.raises(errors.UnexpectedAnswer, match="not as the task service does"):
        ann.show("x")


@pytest.mark.parametrize(
    ("status", "text"), [(404, "<html>"), (301, ""), (418, '{"code": "teapot"}'), (400, "[]")]
)
def test_a_refusal_of_something_else_is_a_service_error(
    ann: Client, network: Network, status: int, text: str
) -> None:
    network.answer(status, text, {"X-Request-Id": "r1"})
    with pytest.raises(errors.ServiceError, match=f"HTTP status {status}") as raised:
        ann.show("x")
    assert type(raised.value) is errors.ServiceError
    assert raised.value.code == ("teapot" if status == 418 else "")
    assert raised.value.request_id == "r1"
