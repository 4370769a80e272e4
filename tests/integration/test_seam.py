"""The tests' own tools: the seam for AWS calls, the drivers and the record of status changes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest

from tests import cloud
from tests.aws_calls import Calls, running
from tests.drivers import Api, Clock, Context, Lambdas
from tests.integration.tools import OUTAGE, Fail, message
from tests.status_changes import StatusChange, StatusChanges

QUEUE_URL = cloud.ENVIRONMENT["QUEUE_URL"]


@pytest.fixture
def send(aws: None) -> Callable[..., Any]:
    """`send()`: a call, in this thread."""
    sqs = boto3.client("sqs")
    return lambda body="": sqs.send_message(QueueUrl=QUEUE_URL, MessageBody=body or "any")


def in_a_thread(function: Callable[..., Any]) -> Any:
    with ThreadPoolExecutor() as threads:
        return threads.submit(function).result()


def test_a_call_is_recorded_with_its_function_and_its_answer(calls: Calls, send: Any) -> None:
    with running("worker"):
        answer = send("hello")
    [call] = calls
    assert call[:3] == ("worker", "sqs", "SendMessage")
    assert call.parameters["MessageBody"] == "hello"
    assert call.answer == answer


def test_a_call_in_a_thread_is_its_functions(calls: Calls, send: Any) -> None:
    with running("sweeper"):
        in_a_thread(send)
    assert [call.function for call in calls] == ["sweeper"]


def test_a_tests_own_call_is_neither_recorded_nor_failed(calls: Calls, send: Any) -> None:
    calls.fail("SendMessage", OUTAGE)
    send()
    in_a_thread(send)
    assert calls == []


def test_a_call_made_in_an_action_is_the_tests_own(calls: Calls, send: Any) -> None:
    calls.meanwhile("SendMessage", send)
    calls.before("SendMessage", lambda: in_a_thread(send))
    with running("worker"):
        send("its own")
    assert [call.parameters["MessageBody"] for call in calls] == ["its own"]


def test_a_failing_call_is_recorded_if_it_had_its_effect(calls: Calls, send: Any) -> None:
    calls.fail("SendMessage", OUTAGE, times=1)
    with running("worker"):
        with pytest.raises(type(OUTAGE)):
            send("before")
        calls.fail("SendMessage", OUTAGE, after=True, times=1)
        with pytest.raises(type(OUTAGE)):
            send("after")
        send("last")
    assert [call.parameters["MessageBody"] for call in calls] == ["after", "last"]


def test_a_repeated_call_is_recorded_twice(calls: Calls, send: Any) -> None:
    calls.repeat(lambda operation, parameters: parameters["MessageBody"] == "twice")
    with running("worker"):
        send("once")
        send("twice")
    assert [call.parameters["MessageBody"] for call in calls] == ["once", "twice", "twice"]


def test_actions_come_before_one_call_each(calls: Calls, send: Any) -> None:
    acted: list[int] = []
    calls.before("SendMessage", lambda: acted.append(1), lambda: acted.append(2))
    with running("worker"):
        send()
        assert acted == [1]
        send()
        send()
    assert acted == [1, 2]


def test_what_fails_once_fails_once_in_many_threads(calls: Calls, send: Any) -> None:
    calls.fail("SendMessage", OUTAGE, times=3)
    with running("sweeper"), ThreadPoolExecutor(8) as threads:
        errors = [one.exception() for one in [threads.submit(send) for _ in range(16)]]
    assert (len(calls), errors.count(OUTAGE)) == (13, 3)


def test_every_change_of_a_status_is_recorded(
    ann: Api, lambdas: Lambdas, calls: Calls, fail: Fail
) -> None:
    changes = StatusChanges()
    calls.observers.append(changes)
    task = ann.created()
    fail("TransactWriteItems", OUTAGE, after=True, times=1)
    lambdas.work(message(ann, task))
    assert changes == [
        StatusChange("api_handler", None, "pending"),
        StatusChange("worker", "pending", "started"),
        StatusChange("worker", "started", "success"),
    ]


def test_the_queue_feeds_the_worker_and_forgets_what_succeeded(
    ann: Api, lambdas: Lambdas, clock: Clock
) -> None:
    tasks = [ann.created(), ann.created("countdown")]
    assert lambdas.feed() == 2
    assert [ann.task(task["id"])["status"] for task in tasks] == ["success", "started"]
    clock.advance(seconds=60)
    assert lambdas.feed() == 1
    assert ann.task(tasks[1]["id"])["status"] == "success"
    clock.advance(hours=1)
    assert lambdas.feed() == 0


def test_the_time_of_a_lambda_runs_by_the_tests_clock(clock: Clock) -> None:
    context = Context("worker", time_left=60_000)
    clock.advance(seconds=45)
    assert context.get_remaining_time_in_millis() == 15_000
