"""Which calls to AWS the life of a task is made of, and no more; test_costs.py has their units."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.aws_calls import Calls
from tests.drivers import Api, Clock, Lambdas, sweep
from tests.integration.inline import wait
from tests.integration.tools import Finish, message

Made = Callable[[Callable[[], Any]], list[str]]


@pytest.fixture
def made(ann: Api, calls: Calls) -> Made:
    """The operations that an action calls, in order."""

    def made(action: Callable[[], Any]) -> list[str]:
        calls.clear()
        action()
        return calls.operations

    return made


def test_a_create_is_one_transaction_and_one_send(ann: Api, made: Made) -> None:
    assert made(ann.created) == ["TransactWriteItems", "SendMessage"]


@pytest.mark.parametrize("later", [timedelta(minutes=10), timedelta(days=1)])
def test_a_later_create_is_at_most_two_calls_more(
    ann: Api, clock: Clock, made: Made, later: timedelta
) -> None:
    time = (clock.now + later).isoformat()
    assert len(made(lambda: ann.created(scheduled_at=time))) <= 4


def test_an_inline_create_is_one_transaction(ann: Api, made: Made) -> None:
    assert made(lambda: wait(ann)) == ["TransactWriteItems"]


def test_a_run_is_one_claim_and_one_transaction(ann: Api, lambdas: Lambdas, made: Made) -> None:
    task = ann.created()
    assert made(lambda: lambdas.work(message(ann, task))) == ["UpdateItem", "TransactWriteItems"]


def test_a_detail_is_one_read(ann: Api, made: Made) -> None:
    task = ann.created()
    assert made(lambda: ann.task(task["id"])) == ["GetItem"]


def test_the_first_page_is_one_query(ann: Api, finish: Finish, made: Made) -> None:
    finish(ann, 25)
    assert made(lambda: ann.get("/api/tasks/")) == ["Query"]


def test_a_page_of_a_status_is_a_query_and_a_batch(ann: Api, finish: Finish, made: Made) -> None:
    finish(ann, 25)
    operations = made(lambda: ann.get("/api/tasks/?status=success"))
    assert operations == ["Query", "BatchGetItem"]


def test_an_idle_sweep_is_one_query_for_each_shard(ann: Api, made: Made) -> None:
    from chalicelib.models import SWEEP_SHARDS

    assert made(sweep) == ["Query"] * SWEEP_SHARDS


def test_a_page_asks_for_no_filter(ann: Api, finish: Finish, calls: Calls) -> None:
    finish(ann, 25)
    calls.clear()
    for path in ("/api/tasks/", "/api/tasks/?status=success"):
        ann.get(path)
    assert not [query for query in calls.of("Query") if "FilterExpression" in query]
