"""POST /api/tasks/: what is answered, stored and handed to AWS."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from tests import cloud
from tests.aws_calls import Calls
from tests.drivers import NOON, Answer, Api, Clock, Lambdas

TIMEOUT = ReadTimeoutError(endpoint_url="https://aws.test")

Rows = Callable[[], list[dict[str, Any]]]


def refused(code: str, *reasons: str) -> ClientError:
    response = {
        "Error": {"Code": code, "Message": code},
        "CancellationReasons": [{"Code": reason} for reason in reasons],
    }
    return ClientError(response, "AnyOperation")  # type: ignore[arg-type]


CONFLICT = refused("TransactionCanceledException", "None", "TransactionConflict")


def tasks_in(rows: Rows) -> list[dict[str, Any]]:
    return [row for row in rows() if row["kind"]["S"] == "task"]


def active_in(rows: Rows) -> int:
    return next(int(row["active"]["N"]) for row in rows() if row["kind"]["S"] == "user")


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
    assert ann.get(answer.headers["location"].removeprefix("http://api.test")).json == answer.json


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
    assert ann.task(task["id"]) == task


def test_the_path_without_its_slash_creates_as_well(ann: Api) -> None:
    body = {"task_type": "countdown", "input_data": {"seconds": 0}}
    answer = ann.post("/api/tasks", body)
    assert answer.status == 201
    assert answer.headers["location"] == f"http://api.test/api/tasks/{answer.json['id']}/"


NUMBER = "A valid number is required."
NO_TIME = (
    "Datetime has wrong format. Use one of these formats instead: "
    "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)


def a_sum(**input_data: Any) -> dict[str, Any]:
    return {"task_type": "sum", "input_data": input_data}


def a_countdown(**input_data: Any) -> dict[str, Any]:
    return {"task_type": "countdown", "input_data": input_data}


INVALID: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": (
        {},
        {"task_type": ["This field is required."], "input_data": ["This field is required."]},
    ),
    "null type": (
        a_sum(values=[1]) | {"task_type": None},
        {"task_type": ["This field may not be null."]},
    ),
    "unknown type": (
        a_sum(values=[1]) | {"task_type": "x"},
        {"task_type": ['"x" is not a valid choice.']},
    ),
    "blank type": (
        a_sum(values=[1]) | {"task_type": ""},
        {"task_type": ['"" is not a valid choice.']},
    ),
    "type in capitals": (
        a_sum(values=[1]) | {"task_type": "SUM"},
        {"task_type": ['"SUM" is not a valid choice.']},
    ),
    "type with braces": (
        a_sum(values=[1]) | {"task_type": "{ge}"},
        {"task_type": ['"{ge}" is not a valid choice.']},
    ),
    "numeric type": (
        a_sum(values=[1]) | {"task_type": 5},
        {"task_type": ['"5" is not a valid choice.']},
    ),
    "null input": (
        {"task_type": "sum", "input_data": None},
        {"input_data": ["This field may not be null."]},
    ),
    "list as input": (
        {"task_type": "sum", "input_data": [1]},
        {"input_data": ['Expected a dictionary of items but got type "list".']},
    ),
    "everything at once": (
        {"task_type": "x", "input_data": 5, "scheduled_at": 5},
        {
            "task_type": ['"x" is not a valid choice.'],
            "input_data": ['Expected a dictionary of items but got type "int".'],
            "scheduled_at": [NO_TIME],
        },
    ),
    "input and time": (
        a_countdown(seconds=-1) | {"scheduled_at": "2020-01-01"},
        {
            "input_data": {"seconds": ["Ensure this value is greater than or equal to 0."]},
            "scheduled_at": ["The time must not be in the past."],
        },
    ),
    "sum of nothing": (a_sum(), {"input_data": {"values": ["This field is required."]}}),
    "sum of an empty list": (
        a_sum(values=[]),
        {"input_data": {"values": ["Ensure this field has at least 1 elements."]}},
    ),
    "sum of 1,001 numbers": (
        a_sum(values=[1] * 1001),
        {"input_data": {"values": ["Ensure this field has no more than 1000 elements."]}},
    ),
    "sum of null": (
        a_sum(values=None),
        {"input_data": {"values": ["This field may not be null."]}},
    ),
    "sum of no list": (
        a_sum(values=5),
        {"input_data": {"values": ['Expected a list of items but got type "int".']}},
    ),
    "sum of no numbers": (
        a_sum(values=[1, True, "2", [3]]),
        {"input_data": {"values": [f"Item {place}: {NUMBER}" for place in (1, 2, 3)]}},
    ),
    "sum of a number too long": (
        a_sum(values=[10**4000]),
        {
            "input_data": {
                "values": ["Item 0: Ensure that there are no more than 4000 digits in total."]
            }
        },
    ),
    "half a pair": (a_sum(a=1), {"input_data": {"b": ["This field is required."]}}),
    "pair of no numbers": (
        a_sum(a=True, b="2"),
        {"input_data": {"a": [NUMBER], "b": [NUMBER]}},
    ),
    "pair and values": (
        a_sum(a=1, b=2, values=[3]),
        {"input_data": {"values": ["Unknown field."]}},
    ),
    "unknown input fields": (
        a_sum(values=[1], x=1, y=2),
        {"input_data": {"x": ["Unknown field."], "y": ["Unknown field."]}},
    ),
    "countdown of nothing": (
        a_countdown(),
        {"input_data": {"seconds": ["This field is required."]}},
    ),
    "countdown of a fraction": (
        a_countdown(seconds=1.5),
        {"input_data": {"seconds": ["A valid integer is required."]}},
    ),
    "countdown of a string": (
        a_countdown(seconds="5"),
        {"input_data": {"seconds": ["A valid integer is required."]}},
    ),
    "countdown of a boolean": (
        a_countdown(seconds=True),
        {"input_data": {"seconds": ["A valid integer is required."]}},
    ),
    "countdown of more than a day": (
        a_countdown(seconds=86_401),
        {"input_data": {"seconds": ["Ensure this value is less than or equal to 86400."]}},
    ),
}


def test_invalid_fields_are_all_named_and_nothing_is_done(ann: Api, calls: Calls) -> None:
    answers = {name: ann.post("/api/tasks/", body) for name, (body, _) in INVALID.items()}
    assert {answer.status for answer in answers.values()} == {400}
    assert {name: answer.json for name, answer in answers.items()} == {
        name: reasons for name, (_, reasons) in INVALID.items()
    }
    assert calls == []


UNREADABLE = {
    "list": (b"[1]", "application/json", 400),
    "string": (b'"sum"', "application/json", 400),
    "null": (b"null", "application/json", 400),
    "cut off": (b'{"task_type": "sum", ', "application/json", 400),
    "no UTF-8": (b'{"task_type": "\xff"}', "application/json", 400),
    "NaN": (b'{"task_type": "sum", "input_data": {"values": [NaN]}}', "application/json", 400),
    "Infinity": (b'{"task_type": "sum", "input_data": {"values": [-Infinity]}}', "text/json", 415),
    "other content": (b'{"task_type": "sum", "input_data": {"values": [1]}}', "text/plain", 415),
    "too large": (
        b'{"task_type": "sum", "input_data": {"values": [1]}, "x": "%s"}' % (b"x" * 65_536),
        "application/json",
        413,
    ),
}


def test_a_body_that_cannot_be_read_leaves_nothing_behind(ann: Api, calls: Calls) -> None:
    statuses = {
        name: ann.post("/api/tasks/", raw=raw, headers={"Content-Type": content_type}).status
        for name, (raw, content_type, _) in UNREADABLE.items()
    }
    assert statuses == {name: status for name, (_, _, status) in UNREADABLE.items()}
    assert calls == []


def test_a_body_of_64_kib_is_read(ann: Api) -> None:
    body = b'{"task_type":"sum","input_data":{"values":[1]},"x":"%s"}'
    raw = body % (b"x" * (65_536 - len(body) + 2))
    headers = {"Content-Type": "application/json"}
    assert len(raw) == 65_536
    assert ann.post("/api/tasks/", raw=raw, headers=headers).status == 201


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


def test_a_sixth_active_task_is_refused(ann: Api, calls: Calls, rows: Rows) -> None:
    for _ in range(3):
        ann.created()
    ann.created(scheduled_at="2026-02-02T12:05")
    ann.created(scheduled_at="2026-03-01T12:00")
    before = rows()
    calls.clear()
    answer = ann.create(scheduled_at="2026-03-01T12:00")
    assert answer.status == 429
    assert list(answer.json.items()) == [
        (
            "detail",
            "You already have 5 active tasks and may have 5 at most: "
            "wait for one to finish, or cancel one.",
        ),
        ("code", "active_task_limit"),
        ("limit", 5),
        ("active", 5),
    ]
    assert calls.operations == ["TransactWriteItems"]
    assert rows() == before


def test_started_tasks_count_against_the_limit(ann: Api, lambdas: Lambdas) -> None:
    for _ in range(5):
        ann.created("countdown")
    lambdas.work_off()
    assert ann.get("/api/tasks/?status=started").json["count"] == 5
    assert ann.create().status == 429


def test_a_task_that_finishes_frees_its_slot(ann: Api, lambdas: Lambdas) -> None:
    for _ in range(5):
        ann.created()
    first, *_ = [message["MessageBody"] for message in lambdas.sent()]
    lambdas.work(first)
    assert [ann.create().status for _ in range(2)] == [201, 429]


def test_a_task_that_fails_frees_its_slot(ann: Api, lambdas: Lambdas) -> None:
    for _ in range(5):
        ann.created()
    lambdas.handle_dead_letters(lambdas.sent()[0]["MessageBody"])
    assert [ann.create().status for _ in range(2)] == [201, 429]


def test_a_task_that_is_cancelled_frees_its_slot(ann: Api) -> None:
    tasks = [ann.created() for _ in range(5)]
    ann.post(f"/api/tasks/{tasks[2]['id']}/cancel/")
    assert [ann.create().status for _ in range(2)] == [201, 429]


@pytest.mark.parametrize(
    ("scheduled_at", "operations"),
    [
        (None, ["TransactWriteItems", "SendMessage"]),
        ("2026-02-02T12:00:00", ["TransactWriteItems", "SendMessage", "UpdateItem"]),
        (
            "2026-02-02T12:05",
            ["TransactWriteItems", "SendMessage", "CreateSchedule", "UpdateItem"],
        ),
        ("2026-02-02T12:15", ["TransactWriteItems", "CreateSchedule", "UpdateItem"]),
    ],
    ids=["at once", "due now", "soon", "later"],
)
def test_a_create_makes_no_more_aws_calls_than_it_needs(
    ann: Api, calls: Calls, scheduled_at: str | None, operations: list[str]
) -> None:
    ann.created(scheduled_at=scheduled_at)
    ann.created(scheduled_at=scheduled_at, key="k")
    assert calls.operations == operations * 2


def test_the_message_of_a_task_names_it_and_its_user(ann: Api, calls: Calls) -> None:
    task = ann.created()
    assert calls.of("SendMessage") == [
        {
            "QueueUrl": cloud.ENVIRONMENT["QUEUE_URL"],
            "MessageBody": f'{{"user": "{ann.user_id}", "task": "{task["id"]}"}}',
            "DelaySeconds": 0,
            "MessageGroupId": ann.user_id,
        }
    ]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after its effect"])
@pytest.mark.parametrize("operation", ["SendMessage", "CreateSchedule", "UpdateItem"])
def test_a_dispatch_that_fails_does_not_fail_the_task(
    ann: Api, fail: Callable[..., None], operation: str, after: bool
) -> None:
    fail(operation, TIMEOUT, after=after)
    task = ann.created(scheduled_at="2026-02-02T12:05")
    assert ann.task(task["id"])["status"] == "pending"


def test_a_task_whose_message_was_not_sent_is_run_after_the_next_sweep(
    ann: Api, lambdas: Lambdas, clock: Clock, fail: Callable[..., None]
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
    ann: Api, calls: Calls, rows: Rows, fail: Callable[..., None]
) -> None:
    before = rows()
    calls.clear()
    fail("TransactWriteItems", TIMEOUT)
    assert unavailable(ann.create(key="k", scheduled_at="2026-02-02T12:05"))
    assert calls == []
    assert rows() == before


def test_a_transaction_that_times_out_after_its_effect_takes_one_slot(
    ann: Api, lambdas: Lambdas, clock: Clock, rows: Rows, fail: Callable[..., None]
) -> None:
    fail("TransactWriteItems", TIMEOUT, after=True, times=1)
    assert unavailable(ann.create(key="k"))
    replay = ann.create(key="k")
    assert (replay.status, replay.headers["idempotent-replayed"]) == (201, "true")
    assert (active_in(rows), len(tasks_in(rows))) == (1, 1)
    clock.advance(seconds=46)
    lambdas.sweep()
    lambdas.work_off()
    assert ann.task(replay.json["id"])["status"] == "success"
    assert active_in(rows) == 0


@pytest.mark.parametrize("key", [None, "k"])
def test_a_transaction_made_again_after_its_answer_was_lost_takes_one_slot(
    ann: Api, rows: Rows, calls: Calls, key: str | None
) -> None:
    for _ in range(4):
        ann.created()
    calls.repeat("TransactWriteItems")
    task = ann.created(key=key)
    assert ann.task(task["id"]) == task
    assert (active_in(rows), len(tasks_in(rows))) == (5, 5)


def test_a_transaction_in_conflict_with_another_is_made_again(
    ann: Api, rows: Rows, fail: Callable[..., None]
) -> None:
    fail("TransactWriteItems", CONFLICT, times=3)
    ann.created()
    assert active_in(rows) == 1


def test_conflicts_without_end_are_a_503(ann: Api, rows: Rows, fail: Callable[..., None]) -> None:
    fail("TransactWriteItems", CONFLICT)
    assert unavailable(ann.create())
    assert active_in(rows) == 0


def test_a_conflict_at_the_limit_is_a_429_at_once(
    ann: Api, calls: Calls, fail: Callable[..., None]
) -> None:
    for _ in range(5):
        ann.created()
    calls.clear()
    fail("TransactWriteItems", CONFLICT)
    assert ann.create().json["active"] == 5
    assert calls.operations == ["GetItem"]


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
    ann: Api, calls: Calls, fail: Callable[..., None], error: ClientError
) -> None:
    fail("TransactWriteItems", error)
    assert unavailable(ann.create())
    assert calls == []


def test_a_table_that_refuses_is_our_fault(ann: Api, fail: Callable[..., None]) -> None:
    fail("TransactWriteItems", refused("AccessDeniedException"))
    answer = ann.create()
    assert answer.status == 500
    assert answer.json == {
        "detail": "Internal server error.",
        "code": "internal",
        "request_id": answer.headers["x-request-id"],
    }
