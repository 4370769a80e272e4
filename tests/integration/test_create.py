"""POST /api/tasks/: what is answered, stored and handed to AWS."""

from typing import Any
from uuid import UUID

import boto3
import pytest
from botocore.exceptions import ClientError

from tests import cloud
from tests.aws_calls import Calls
from tests.drivers import NOON, Answer, Api, Clock, Lambdas
from tests.integration.tools import TIMEOUT, Fail, Rows, counters, message, named, without_events


def refused(code: str, *reasons: str) -> ClientError:
    response = {
        "Error": {"Code": code, "Message": code},
        "CancellationReasons": [{"Code": reason} for reason in reasons],
    }
    return ClientError(response, "AnyOperation")  # type: ignore[arg-type]


CONFLICT = refused("TransactionCanceledException", "None", "TransactionConflict")


def tasks_in(rows: Rows) -> list[dict[str, Any]]:
    return [row for row in rows() if row["sk"]["S"].startswith("task#")]


def test_a_new_task_is_answered_with_every_field_in_order(ann: Api, clock: Clock) -> None:
    clock.move_to(NOON.replace(microsecond=579545))
    answer = ann.create("sum", input_data={"values": [1, 2, 3, 10]})
    assert answer.status == 201
    assert list(answer.json.items()) == [
        ("id", answer.json["id"]),
        ("task_type", "sum"),
        ("input_data", {"values": [1, 2, 3, 10]}),
        ("status", "pending"),
        ("result", None),
        ("error", None),
        ("attempts", 0),
        ("scheduled_at", None),
        ("created_at", "2026-02-02T12:00:00.579545+03:00"),
        ("started_at", None),
        ("finished_at", None),
    ]


def test_the_location_header_leads_to_the_task(ann: Api) -> None:
    answer = ann.create()
    assert answer.headers["location"] == f"http://api.test/api/tasks/{answer.json['id']}/"
    shown = ann.get(answer.headers["location"].removeprefix("http://api.test")).json
    assert without_events(shown) == answer.json


def test_ids_are_uuids_of_version_7_and_sort_by_creation(ann: Api, clock: Clock) -> None:
    ids = []
    for _ in range(5):
        ids.append(ann.created()["id"])
        clock.advance(microseconds=1)
    assert sorted(ids) == ids
    assert {(UUID(one).version, UUID(one).variant) for one in ids} == {(7, "specified in RFC 4122")}
    assert UUID(ids[0]).int >> 80 == NOON.timestamp() * 1000


@pytest.mark.parametrize(
    "input_data",
    [
        '{"values":[0.10,1E+2,-0.0,123456789012345678901234567890]}',
        '{"b":2,"a":1}',
    ],
)
def test_the_input_is_shown_as_it_was_sent(ann: Api, input_data: str) -> None:
    raw = f'{{"task_type":"sum","input_data":{input_data}}}'.encode()
    answer = ann.post("/api/tasks/", raw=raw, headers={"Content-Type": "application/json"})
    assert f'"input_data":{input_data},' in answer.text
    assert f'"input_data":{input_data},' in ann.get(f"/api/tasks/{answer.json['id']}/").text


@pytest.mark.parametrize("extra", [{"x": 1}, {"id": "1", "status": "success", "result": 5}])
def test_unknown_top_level_fields_are_ignored(ann: Api, extra: dict[str, Any]) -> None:
    task = ann.created(**extra)
    assert task["status"] == "pending"
    assert task["result"] is None
    assert "x" not in task
    assert without_events(ann.task(task["id"])) == task


def test_the_path_without_its_slash_creates_as_well(ann: Api) -> None:
    body = {"task_type": "countdown", "input_data": {"seconds": 0}}
    answer = ann.post("/api/tasks", body)
    assert answer.status == 201
    assert answer.headers["location"] == f"http://api.test/api/tasks/{answer.json['id']}/"


def test_a_stranger_creates_nothing(api: Api, ann: Api, calls: Calls) -> None:
    assert api.create().status == 401
    assert calls == []


def test_a_user_who_was_deleted_is_not_found(ann: Api, rows: Rows, schedules: Any) -> None:
    table = boto3.resource("dynamodb", region_name=cloud.REGION).Table("tasks-test")
    table.delete_item(Key={"pk": f"user#{ann.user_id}", "sk": "user"})
    before = rows()
    answer = ann.create(scheduled_at="2026-02-02T12:05")
    assert answer.status == 401
    assert answer.json == {"detail": "User not found", "code": "user_not_found"}
    assert answer.headers["www-authenticate"] == 'Bearer realm="api"'
    assert rows() == before
    assert schedules() == []


@pytest.mark.parametrize(
    ("scheduled_at", "operations"),
    [
        (None, ["TransactWriteItems", "SendMessage"]),
        ("2026-02-02T12:00:00", ["TransactWriteItems", "SendMessage", "UpdateItem"]),
        (
            "2026-02-02T12:05",
            ["TransactWriteItems", "SendMessage", "CreateSchedule", "UpdateItem"],
        ),
        ("2026-02-02T12:16", ["TransactWriteItems", "CreateSchedule", "UpdateItem"]),
    ],
    ids=["at once", "due now", "soon", "later"],
)
def test_a_create_makes_no_more_aws_calls_than_it_needs(
    ann: Api, calls: Calls, scheduled_at: str | None, operations: list[str]
) -> None:
    ann.created(scheduled_at=scheduled_at)
    ann.created(scheduled_at=scheduled_at, key="k")
    assert calls.operations == operations * 2


def test_the_message_of_a_task_names_it_its_user_and_its_type(ann: Api, calls: Calls) -> None:
    task = ann.created()
    [sent] = calls.of("SendMessage")
    assert named(sent) == message(ann, task)
    assert sent["QueueUrl"] == cloud.ENVIRONMENT["QUEUE_URL"]
    assert (sent["DelaySeconds"], sent["MessageGroupId"]) == (0, ann.user_id)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after its effect"])
@pytest.mark.parametrize("operation", ["SendMessage", "CreateSchedule", "UpdateItem"])
def test_a_dispatch_that_fails_does_not_fail_the_task(
    ann: Api, fail: Fail, operation: str, after: bool
) -> None:
    fail(operation, TIMEOUT, after=after)
    task = ann.created(scheduled_at="2026-02-02T12:05")
    assert ann.task(task["id"])["status"] == "pending"


def test_a_task_whose_message_was_not_sent_is_run_after_the_next_sweep(
    ann: Api, lambdas: Lambdas, clock: Clock, fail: Fail
) -> None:
    fail("SendMessage", TIMEOUT, times=1)
    task = ann.created()
    clock.advance(seconds=46)
    lambdas.sweep()
    lambdas.work_off()
    assert ann.task(task["id"])["result"] == 16


def unavailable(answer: Answer) -> bool:
    return (
        answer.status == 503
        and answer.json["code"] == "unavailable"
        and "retry-after" in answer.headers
    )


def test_a_transaction_that_times_out_before_its_effect_leaves_nothing_behind(
    ann: Api, calls: Calls, rows: Rows, fail: Fail
) -> None:
    before = rows()
    calls.clear()
    fail("TransactWriteItems", TIMEOUT)
    assert unavailable(ann.create(key="k", scheduled_at="2026-02-02T12:05"))
    assert calls == []
    assert rows() == before


def test_a_transaction_that_times_out_after_its_effect_takes_one_slot(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, fail: Fail
) -> None:
    fail("TransactWriteItems", TIMEOUT, after=True, times=1)
    assert unavailable(ann.create(key="k"))
    replay = ann.create(key="k")
    assert (replay.status, replay.headers["idempotent-replayed"]) == (201, "true")
    assert (counters(rows, ann), len(tasks_in(rows))) == ({"active": 1}, 1)
    clock.advance(seconds=46)
    lambdas.sweep()
    lambdas.work_off()
    assert ann.task(replay.json["id"])["status"] == "success"
    assert counters(rows, ann) == {"success": 1}


@pytest.mark.parametrize("key", [None, "k"])
def test_a_transaction_made_again_after_its_answer_was_lost_takes_one_slot(
    ann: Api, rows: Rows, calls: Calls, key: str | None
) -> None:
    for _ in range(4):
        ann.created()
    calls.repeat("TransactWriteItems")
    task = ann.created(key=key)
    assert without_events(ann.task(task["id"])) == task
    assert (counters(rows, ann), len(tasks_in(rows))) == ({"active": 5}, 5)


def test_a_transaction_in_conflict_with_another_is_made_again(
    ann: Api, rows: Rows, fail: Fail
) -> None:
    fail("TransactWriteItems", CONFLICT, times=3)
    ann.created()
    assert counters(rows, ann) == {"active": 1}


def test_conflicts_without_end_are_a_503(ann: Api, rows: Rows, fail: Fail) -> None:
    fail("TransactWriteItems", CONFLICT)
    assert unavailable(ann.create())
    assert counters(rows, ann) == {}


@pytest.mark.parametrize(
    "error",
    [
        refused("ProvisionedThroughputExceededException"),
        refused("ThrottlingException"),
        refused("InternalServerError"),
        refused("TransactionCanceledException", "None", "ThrottlingError"),
    ],
    ids=["throughput", "throttled", "internal", "throttled within"],
)
def test_a_table_that_is_down_or_throttles_is_a_503(
    ann: Api, calls: Calls, fail: Fail, error: ClientError
) -> None:
    fail("TransactWriteItems", error)
    assert unavailable(ann.create())
    assert calls == []


def test_a_table_that_refuses_is_our_fault(ann: Api, fail: Fail) -> None:
    fail("TransactWriteItems", refused("AccessDeniedException"))
    answer = ann.create()
    assert answer.status == 500
    assert answer.json == {
        "detail": "Internal server error.",
        "code": "internal",
        "request_id": answer.headers["x-request-id"],
    }
