"""What CloudWatch is told: ten metrics, in EMF, at most once per invocation."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib import metrics
from chalicelib.errors import TaskError
from chalicelib.task_types import Retry
from tests import cloud
from tests.drivers import Api, Clock, Lambdas
from tests.integration.tools import OUTAGE, Define, Fail, LambdaDied, doing, message, shown

Emitted = Callable[[], list[tuple[str, str | None, list[float]]]]
SERVICE = cloud.ENVIRONMENT["TABLE_NAME"]


@pytest.fixture
def documents(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """`documents()`: the EMF documents written since the last call."""

    def documents() -> list[dict[str, Any]]:
        lines = capsys.readouterr().out.splitlines()
        return [json.loads(line) for line in lines if line.startswith('{"_aws"')]

    return documents


@pytest.fixture
def emitted(documents: Callable[[], list[dict[str, Any]]]) -> Emitted:
    """`emitted()`: name, status and values of each metric written since the last call."""

    def emitted() -> list[tuple[str, str | None, list[float]]]:
        found = []
        for document in documents():
            [directive] = document["_aws"]["CloudWatchMetrics"]
            assert directive["Namespace"] == "Tasks"
            assert document["service"] == SERVICE
            status = document.get("status")
            [dimensions] = directive["Dimensions"]
            assert sorted(dimensions) == (["service", "status"] if status else ["service"])
            for metric in directive["Metrics"]:
                assert metric["Unit"] == metrics.UNITS[metric["Name"]].value
                found.append((metric["Name"], status, document[metric["Name"]]))
        return found

    return emitted


@pytest.fixture(autouse=True)
def _silence(emitted: Emitted, ann: Api) -> None:
    emitted()


def test_there_are_ten_metrics() -> None:
    assert list(metrics.UNITS) == [
        "TasksCreated",
        "TasksFinished",
        "QueueWaitMs",
        "LatenessMs",
        "RunTimeMs",
        "Retries",
        "SweepRescued",
        "SweepLeftOver",
        "DeadLetters",
        "RecordsFailed",
    ]


def test_a_create_is_counted(ann: Api, emitted: Emitted) -> None:
    ann.created()
    assert emitted() == [("TasksCreated", None, [1])]


def test_a_task_that_ends_in_the_request_is_counted_as_created_and_finished(
    ann: Api, clock: Clock, define: Define, emitted: Emitted
) -> None:
    define(lambda: clock.advance(seconds=0.5), inline=True)
    assert ann.create("probe", prefer="wait", input_data={}).json["status"] == "success"
    assert emitted() == [
        ("RunTimeMs", None, [500]),
        ("TasksCreated", None, [1]),
        ("TasksFinished", "success", [1]),
    ]


def test_a_task_that_does_not_end_in_the_request_is_counted_as_created(
    ann: Api, define: Define, emitted: Emitted
) -> None:
    define(doing(OSError()), inline=True)
    ann.create("probe", prefer="wait", input_data={})
    assert emitted() == [("RunTimeMs", None, [0]), ("TasksCreated", None, [1])]


def test_a_replay_and_a_refused_create_are_not_counted(ann: Api, emitted: Emitted) -> None:
    ann.created(key="once")
    emitted()
    ann.created(key="once")
    ann.create("no such type")
    assert emitted() == []


def test_a_request_that_creates_nothing_writes_no_metrics(ann: Api, emitted: Emitted) -> None:
    ann.get("/api/tasks/")
    ann.get("/api/health/")
    assert emitted() == []


def test_a_cancel_is_counted_once(ann: Api, emitted: Emitted) -> None:
    task = ann.created()
    emitted()
    for _ in range(2):
        ann.post(f"/api/tasks/{task['id']}/cancel/")
    assert emitted() == [("TasksFinished", "cancelled", [1])]


def test_a_worked_task_says_how_long_it_waited_and_ran(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define, emitted: Emitted
) -> None:
    define(doing(lambda: clock.advance(seconds=2)))
    ann.created("probe", input_data={})
    emitted()
    clock.advance(seconds=1.5)
    lambdas.work_off()
    assert emitted() == [
        ("QueueWaitMs", None, [1500]),
        ("RunTimeMs", None, [2000]),
        ("TasksFinished", "success", [1]),
    ]


def test_a_task_with_a_time_waits_from_then_on_and_says_how_late_it_was(
    ann: Api, lambdas: Lambdas, clock: Clock, emitted: Emitted
) -> None:
    task = ann.created(scheduled_at=shown(clock.now + timedelta(minutes=5)))
    emitted()
    clock.advance(minutes=5, seconds=1)
    lambdas.work(message(ann, task))
    assert emitted()[:2] == [("QueueWaitMs", None, [1000]), ("LatenessMs", None, [1000])]


def test_only_the_first_attempt_has_waited(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define, emitted: Emitted
) -> None:
    define(doing(Retry(timedelta(seconds=20)), "done"))
    task = ann.created("probe", input_data={})
    emitted()
    lambdas.work_off()
    assert emitted() == [
        ("QueueWaitMs", None, [0]),
        ("RunTimeMs", None, [0]),
        ("Retries", None, [1]),
    ]
    clock.advance(seconds=20)
    lambdas.work(message(ann, task))
    assert emitted() == [("RunTimeMs", None, [0]), ("TasksFinished", "success", [1])]


def test_a_batch_writes_one_document_per_set_of_dimensions(
    ann: Api, lambdas: Lambdas, define: Define, documents: Any
) -> None:
    define(doing("done", TaskError("No."), "done"))
    for _ in range(3):
        ann.created("probe", input_data={})
    documents()
    lambdas.work_off()
    written = documents()
    assert [(one.get("status"), one.get("TasksFinished")) for one in written] == [
        (None, None),
        ("success", [1, 1]),
        ("failure", [1]),
    ]
    assert len(written[0]["QueueWaitMs"]) == len(written[0]["RunTimeMs"]) == 3


def test_a_message_that_changes_nothing_writes_no_metrics(
    ann: Api, lambdas: Lambdas, emitted: Emitted
) -> None:
    task = ann.created()
    lambdas.work_off()
    emitted()
    lambdas.work(message(ann, task))
    assert emitted() == []


def test_a_record_that_failed_is_counted_even_if_the_batch_failed(
    ann: Api, lambdas: Lambdas, fail: Fail, emitted: Emitted
) -> None:
    task = ann.created()
    emitted()
    fail("UpdateItem", OUTAGE)
    assert lambdas.work(message(ann, task)) == ["0"]
    assert emitted() == [("RecordsFailed", None, [1])]


def test_a_dead_letter_is_counted(ann: Api, lambdas: Lambdas, emitted: Emitted) -> None:
    task = ann.created()
    emitted()
    lambdas.handle_dead_letters(message(ann, task))
    assert emitted() == [("DeadLetters", None, [1])]


def test_a_discarded_task_is_a_failure(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define, emitted: Emitted
) -> None:
    define(doing(LambdaDied()), max_tries=1)
    task = ann.created("probe", input_data={})
    with pytest.raises(LambdaDied):
        lambdas.work(message(ann, task))
    emitted()
    clock.advance(minutes=2)
    lambdas.work(message(ann, task))
    assert emitted() == [("TasksFinished", "failure", [1])]


def test_a_sweep_counts_what_it_rescues(
    ann: Api, lambdas: Lambdas, clock: Clock, emitted: Emitted
) -> None:
    ann.created()
    ann.created()
    emitted()
    clock.advance(minutes=1)
    lambdas.sweep()
    assert emitted() == [("SweepRescued", None, [2])]


def test_a_sweep_counts_what_it_leaves_over(
    ann: Api, lambdas: Lambdas, clock: Clock, fail: Fail, emitted: Emitted
) -> None:
    ann.created()
    emitted()
    clock.advance(minutes=1)
    fail("SendMessageBatch", OUTAGE)
    lambdas.sweep()
    assert emitted() == [("SweepLeftOver", None, [1])]


def test_an_idle_sweep_writes_no_metrics(lambdas: Lambdas, emitted: Emitted) -> None:
    lambdas.sweep()
    assert emitted() == []
