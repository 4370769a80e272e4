"""The log: one search finds a task from its request to its end."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import boto3
import pytest

from chalicelib import dispatch
from chalicelib.task_types import Retry
from tests import cloud
from tests.drivers import Api, Clock, Lambdas
from tests.integration.tools import (
    OUTAGE,
    Define,
    Fail,
    doing,
    message,
    shown,
)

Lines = Callable[[], list[dict[str, Any]]]
REQUEST_ID = "from-the-client-1"
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
HEADERS = {"X-Request-Id": REQUEST_ID, "traceparent": TRACEPARENT}
KEYS = {"request_id": REQUEST_ID, "traceparent": TRACEPARENT}


@pytest.fixture
def lines(written: Callable[[], str]) -> Lines:
    """`lines()`: the JSON lines of the service's log."""

    def lines() -> list[dict[str, Any]]:
        found = [line for line in written().splitlines() if line.startswith('{"level"')]
        return [json.loads(line) for line in found]

    return lines


def of_events(lines: Lines, **keys: str) -> list[str]:
    """Return the events of the log lines that have these keys, in order."""
    return [line["message"] for line in lines() if keys.items() <= line.items()]


def create(api: Api, task_type: str = "sum", **fields: Any) -> dict[str, Any]:
    fields.setdefault("input_data", {"values": [1]})
    answer = api.post("/api/tasks/", {"task_type": task_type, **fields}, headers=HEADERS)
    assert answer.status == 201, answer.text
    task: dict[str, Any] = answer.json
    return task


def test_one_search_finds_a_task_from_its_request_to_its_end(
    ann: Api, lambdas: Lambdas, lines: Lines
) -> None:
    task = create(ann)
    lambdas.work_off()
    assert of_events(lines, **KEYS, task_id=task["id"]) == ["task_created", "task_finished"]


def test_a_task_that_ends_in_its_request_leaves_the_same_events(ann: Api, lines: Lines) -> None:
    task = ann.create(prefer="wait").json
    assert of_events(lines, task_id=task["id"]) == ["task_created", "task_finished"]


def test_a_run_that_does_not_end_in_its_request_says_so_without_a_secret(
    ann: Api, define: Define, lines: Lines
) -> None:
    define(doing(OSError("a secret")), inline=True)
    task = ann.create("probe", prefer="wait", input_data={}).json
    found = lines()
    [failed] = [line for line in found if line["message"] == "inline_run_failed"]
    assert (failed["task_id"], failed["level"]) == (task["id"], "WARNING")
    assert failed["exception_name"] == "OSError"
    assert "a secret" not in str(found)


def test_the_request_goes_along_while_a_task_waits(
    ann: Api, lambdas: Lambdas, lines: Lines, clock: Clock
) -> None:
    create(ann, "countdown", input_data={"seconds": 60})
    [first] = lambdas.sent()
    lambdas.work(first["MessageBody"])
    clock.advance(seconds=60)
    [second] = lambdas.sent()
    lambdas.work(second["MessageBody"])
    assert of_events(lines, **KEYS) == ["task_created", "task_finished"]


def test_the_request_goes_along_with_retries(
    ann: Api, lambdas: Lambdas, lines: Lines, clock: Clock, define: Define
) -> None:
    define(doing(Retry(timedelta(seconds=20)), Retry(timedelta(hours=1)), "done"))
    task = create(ann, "probe", input_data={})
    lambdas.work_off()
    clock.advance(seconds=20)
    [message] = lambdas.sent()
    lambdas.work(message["MessageBody"])
    scheduled = boto3.client("scheduler").get_schedule(
        GroupName=cloud.ENVIRONMENT["SCHEDULE_GROUP"], Name=f"task-{task['id']}-2"
    )
    clock.advance(hours=1)
    lambdas.work(scheduled["Target"]["Input"])
    assert of_events(lines, **KEYS) == [
        "task_created",
        "attempt_failed",
        "attempt_failed",
        "task_finished",
    ]


def test_the_request_goes_along_with_a_schedule(
    ann: Api, lambdas: Lambdas, lines: Lines, clock: Clock
) -> None:
    task = create(ann, scheduled_at=shown(clock.now + timedelta(days=1)))
    schedule = boto3.client("scheduler").get_schedule(
        GroupName=cloud.ENVIRONMENT["SCHEDULE_GROUP"], Name=f"task-{task['id']}-0"
    )
    clock.advance(days=1)
    lambdas.work(schedule["Target"]["Input"])
    assert of_events(lines, **KEYS) == ["task_created", "task_finished"]


def test_the_request_goes_along_with_a_rescue_and_a_dead_letter(
    ann: Api, lambdas: Lambdas, lines: Lines, clock: Clock, fail: Fail
) -> None:
    fail("SendMessage", OUTAGE, times=1)
    create(ann)
    clock.advance(minutes=1)
    lambdas.sweep()
    [rescued] = lambdas.sent()
    lambdas.handle_dead_letters(rescued["MessageBody"])
    [again] = lambdas.sent()
    clock.advance(minutes=1)
    lambdas.work(again["MessageBody"])
    assert of_events(lines, **KEYS) == [
        "task_created",
        "dispatch_failed",
        "task_rescued",
        "dead_letter_sent_again",
        "task_finished",
    ]


def test_a_record_that_failed_says_where_it_came_from(
    ann: Api, lambdas: Lambdas, lines: Lines, fail: Fail
) -> None:
    create(ann)
    fail("UpdateItem", OUTAGE)
    lambdas.work_off()
    assert of_events(lines, **KEYS) == ["task_created", "record_failed"]


def test_keys_of_one_record_do_not_stay_for_the_next(
    ann: Api, lambdas: Lambdas, lines: Lines
) -> None:
    task = create(ann)
    plain = message(ann, task)
    [sent] = lambdas.sent()
    lambdas.work(sent["MessageBody"], plain)
    [line] = [line for line in lines() if line["message"] == "message_of_finished_task"]
    assert "request_id" not in line
    assert line["task_id"] == task["id"]


def test_without_headers_the_request_has_api_gateways_id_and_no_trace(
    ann: Api, lambdas: Lambdas, lines: Lines
) -> None:
    answer = ann.create()
    lambdas.work_off()
    request_id = answer.headers["x-request-id"]
    assert of_events(lines, request_id=request_id) == ["task_created", "task_finished"]
    assert not any("traceparent" in line or "gateway_request_id" in line for line in lines())


def test_a_request_with_an_id_of_its_own_is_logged_with_api_gateways_too(
    ann: Api, lines: Lines
) -> None:
    create(ann)
    [line] = lines()
    assert line["request_id"] == REQUEST_ID
    assert line["gateway_request_id"] not in ("", REQUEST_ID)


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "nonsense",
        TRACEPARENT.upper(),
        TRACEPARENT[:-1],
        TRACEPARENT + "0",
        "ff" + TRACEPARENT[2:],
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
    ],
)
def test_a_malformed_traceparent_is_ignored(ann: Api, lambdas: Lambdas, traceparent: str) -> None:
    body = {"task_type": "sum", "input_data": {"values": [1]}}
    headers = {"X-Request-Id": REQUEST_ID, "traceparent": traceparent}
    assert ann.post("/api/tasks/", body, headers=headers).status == 201
    [sent] = lambdas.sent()
    assert json.loads(sent["MessageBody"])["origin"] == REQUEST_ID


def test_a_message_stays_small(ann: Api, lambdas: Lambdas) -> None:
    headers = {"X-Request-Id": "x" * 128, "traceparent": TRACEPARENT}
    body = {"task_type": "countdown", "input_data": {"seconds": 5}}
    ann.post("/api/tasks/", body, headers=headers)
    [sent] = lambdas.sent()
    assert len(sent["MessageBody"]) < 400


@pytest.mark.parametrize(
    "origin", [1, "", "two words", "x" * 129, f"id {TRACEPARENT} more", f"id  {TRACEPARENT}", []]
)
def test_a_message_with_a_wrong_origin_is_malformed(origin: object) -> None:
    body = {"user": "u", "task": "t", "type": "sum", "origin": origin}
    with pytest.raises(ValueError, match="not a task message"):
        dispatch.parse_message(json.dumps(body))


def test_a_message_may_have_no_origin() -> None:
    body = {"user": "u", "task": "t", "type": "sum"}
    assert dispatch.parse_message(json.dumps(body)) == dispatch.Message("u", "t", "sum")
