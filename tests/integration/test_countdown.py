"""The task type `countdown` waits without keeping a Lambda busy."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib import task_types
from tests.aws_calls import Calls
from tests.drivers import Api, Clock, Lambdas
from tests.integration.tools import (
    Rows,
    counters,
    message,
    minutes_pass,
    named,
    row_of,
    shown,
    sign_in_again,
    without_events,
)

JSON = {"Content-Type": "application/json"}
DAY = 86_400


def count_down(api: Api, seconds: int, **fields: Any) -> dict[str, Any]:
    return api.created("countdown", input_data={"seconds": seconds}, **fields)


def test_a_countdown_of_0_seconds_finishes_at_once(ann: Api, lambdas: Lambdas) -> None:
    task = count_down(ann, 0)
    lambdas.work_off()
    ended = ann.task(task["id"])
    assert (ended["status"], ended["result"]) == ("success", {"seconds": 0})
    assert ended["attempts"] == 1
    assert lambdas.sent() == []


@pytest.mark.parametrize("seconds", [1, 30, 900])
def test_a_short_countdown_takes_one_delayed_message_and_two_invocations(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, seconds: int
) -> None:
    task = count_down(ann, seconds)
    started = shown(clock.now)
    assert lambdas.work_off() == []
    [sent] = lambdas.sent()
    assert (named(sent), sent["DelaySeconds"]) == (message(ann, task), seconds)
    clock.advance(seconds=seconds)
    assert lambdas.work(sent["MessageBody"]) == []
    sign_in_again(ann)
    assert without_events(ann.task(task["id"])) == task | {
        "status": "success",
        "result": {"seconds": seconds},
        "attempts": 2,
        "started_at": started,
        "finished_at": shown(clock.now),
    }
    assert lambdas.sent() == []
    assert counters(rows, ann) == {"success": 1}


def test_progress_never_shows_more_than_the_countdown_though_clocks_differ(
    ann: Api, lambdas: Lambdas, clock: Clock
) -> None:
    task = count_down(ann, 30)
    clock.advance(seconds=1)
    lambdas.work_off()
    clock.advance(seconds=-1)
    assert ann.task(task["id"])["progress"] == {"remaining_seconds": 30}


def test_the_seconds_count_from_the_claim(ann: Api, lambdas: Lambdas, clock: Clock) -> None:
    task = count_down(ann, 30)
    clock.advance(seconds=100)
    lambdas.work_off()
    assert [one["DelaySeconds"] for one in lambdas.sent()] == [30]
    assert ann.task(task["id"])["progress"] == {"remaining_seconds": 30}


def test_a_snooze_costs_two_updates_and_a_message(ann: Api, lambdas: Lambdas, calls: Calls) -> None:
    task = count_down(ann, 30)
    calls.clear()
    lambdas.work(message(ann, task))
    assert calls.operations == ["UpdateItem", "UpdateItem", "SendMessage"]


def test_progress_shows_the_seconds_that_remain_only_while_it_runs(
    ann: Api, lambdas: Lambdas, clock: Clock
) -> None:
    task = count_down(ann, 30)
    assert "progress" not in task
    assert "progress" not in ann.task(task["id"])
    lambdas.work_off()
    seen = []
    for _ in range(4):
        seen.append(ann.task(task["id"])["progress"])
        clock.advance(seconds=14.5)
    assert seen == [{"remaining_seconds": seconds} for seconds in (30, 16, 1, 0)]
    [listed] = ann.get("/api/tasks/").json["results"]
    assert listed["progress"] == {"remaining_seconds": 0}
    lambdas.work(message(ann, task))
    assert "progress" not in ann.task(task["id"])


def test_a_running_task_whose_type_no_longer_accepts_its_input_is_still_shown(
    ann: Api, lambdas: Lambdas, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = count_down(ann, 30)
    lambdas.work_off()
    changed = replace(task_types._types["countdown"], _input_model=str)
    monkeypatch.setitem(task_types._types, "countdown", changed)
    assert ann.get(f"/api/tasks/{task['id']}/").status == 200
    assert ann.get("/api/tasks/").status == 200


def test_a_countdown_that_waits_keeps_its_slot(ann: Api, lambdas: Lambdas, rows: Rows) -> None:
    count_down(ann, DAY)
    lambdas.work_off()
    assert counters(rows, ann) == {"active": 1}


@pytest.mark.parametrize(
    ("seconds", "passed", "delay"), [(60, 20.5, 40), (60, 59.999, 1), (DAY, DAY - 900, 900)]
)
def test_an_early_message_is_sent_on_with_the_rest_of_its_delay(
    ann: Api,
    lambdas: Lambdas,
    clock: Clock,
    rows: Rows,
    seconds: int,
    passed: float,
    delay: int,
) -> None:
    task = count_down(ann, seconds)
    lambdas.work_off()
    lambdas.sent()
    clock.advance(seconds=passed)
    before = rows()
    assert lambdas.work(message(ann, task)) == []
    assert [one["DelaySeconds"] for one in lambdas.sent()] == [delay]
    assert rows() == before


def test_a_cancelled_countdown_stays_cancelled(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows
) -> None:
    task = count_down(ann, 30)
    lambdas.work_off()
    [sent] = lambdas.sent()
    assert ann.post(f"/api/tasks/{task['id']}/cancel/").status == 200
    assert counters(rows, ann) == {"cancelled": 1}
    before = rows()
    clock.advance(seconds=30)
    assert lambdas.work(sent["MessageBody"]) == []
    assert rows() == before
    assert lambdas.sent() == []


def test_a_cancelled_countdown_of_a_day_stays_cancelled_and_leaves_nothing_behind(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, schedules: Callable[[], list[str]]
) -> None:
    task = count_down(ann, DAY)
    lambdas.work_off()
    ann.post(f"/api/tasks/{task['id']}/cancel/")
    lambdas.sent()
    minutes_pass(clock, 2)
    assert schedules() == []
    assert "sweep_at" not in row_of(rows, ann, f"task#{task['id']}")
    clock.advance(days=1)
    minutes_pass(clock, 2)
    assert lambdas.sent() == []


@pytest.mark.parametrize("seconds", [300, 1800])
def test_a_countdown_whose_message_was_lost_is_found_within_2_minutes_of_its_end(
    ann: Api, lambdas: Lambdas, clock: Clock, seconds: int
) -> None:
    task = count_down(ann, seconds)
    lambdas.work_off()
    minutes_pass(clock, seconds // 60)
    lambdas.sent()
    minutes_pass(clock, 2)
    sign_in_again(ann)
    lambdas.work_off()
    assert ann.task(task["id"])["status"] == "success"


def test_a_scheduled_countdown_begins_at_its_time(ann: Api, lambdas: Lambdas, clock: Clock) -> None:
    due = clock.now + timedelta(minutes=5)
    task = count_down(ann, 30, scheduled_at=due.isoformat())
    clock.move_to(due)
    lambdas.work(message(ann, task))
    assert ann.task(task["id"])["progress"] == {"remaining_seconds": 30}


INTEGER = "A valid integer is required."
LOW = "Ensure this value is greater than or equal to 0."
HIGH = "Ensure this value is less than or equal to 86400."


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [
        ("-1", LOW),
        ("-1.0", LOW),
        ("86401", HIGH),
        ("86401.0", HIGH),
        ("1e5", HIGH),
        ("9" * 4300, HIGH),
        ("1.5", INTEGER),
        ("86400.5", INTEGER),
        ("1e-999999999", INTEGER),
        ("true", INTEGER),
        ("false", INTEGER),
        ('"5"', INTEGER),
        ('""', INTEGER),
        ("[5]", INTEGER),
        ("{}", INTEGER),
        ("null", "This field may not be null."),
    ],
    ids=lambda text: text[:20],
)
def test_bad_seconds_are_refused(ann: Api, rows: Rows, seconds: str, reason: str) -> None:
    before = rows()
    raw = f'{{"task_type": "countdown", "input_data": {{"seconds": {seconds}}}}}'.encode()
    answer = ann.post("/api/tasks/", raw=raw, headers=JSON)
    assert (answer.status, answer.json) == (400, {"input_data": {"seconds": [reason]}})
    assert rows() == before


@pytest.mark.parametrize("seconds", ["9" * 5000, "1e999999999"], ids=["digits", "exponent"])
def test_endless_seconds_are_refused(ann: Api, seconds: str) -> None:
    raw = f'{{"task_type": "countdown", "input_data": {{"seconds": {seconds}}}}}'.encode()
    answer = ann.post("/api/tasks/", raw=raw, headers=JSON)
    assert answer.status == 400
    assert list(answer.json["input_data"]) == ["seconds"]


def test_missing_and_unknown_fields_are_all_named(ann: Api) -> None:
    answer = ann.create("countdown", input_data={"minutes": 5})
    assert answer.status == 400
    assert answer.json == {
        "input_data": {"seconds": ["This field is required."], "minutes": ["Unknown field."]}
    }


@pytest.mark.parametrize("seconds", ["0", "-0", "5.0", "5e0", "0.5e1", "86400", "8.64e4"])
def test_a_whole_number_is_accepted_in_any_spelling(
    ann: Api, lambdas: Lambdas, seconds: str
) -> None:
    raw = f'{{"task_type": "countdown", "input_data": {{"seconds": {seconds}}}}}'.encode()
    answer = ann.post("/api/tasks/", raw=raw, headers=JSON)
    assert answer.status == 201
    lambdas.work_off()
    assert ann.task(answer.json["id"])["status"] in ("started", "success")
