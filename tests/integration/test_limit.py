"""At most 5 active tasks per user: the set of their ids."""

from chalicelib.errors import TaskError
from tests.aws_calls import Calls
from tests.drivers import Api, Lambdas
from tests.integration.slots import active_ids
from tests.integration.tools import (
    Define,
    Fail,
    Rows,
    counters,
    doing,
    message,
    refusal,
    row_of,
)

CONFLICT = refusal(
    "TransactionCanceledException",
    CancellationReasons=[{"Code": "None"}, {"Code": "TransactionConflict"}],
)


def test_a_sixth_active_task_is_refused(ann: Api, calls: Calls, rows: Rows) -> None:
    for _ in range(3):
        ann.created()
    ann.created(scheduled_at="2026-02-02T12:05")
    ann.created(scheduled_at="2026-03-01T12:00")
    before = rows()
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
    assert rows() == before


def test_a_refusal_costs_one_look_at_the_five_tasks(ann: Api, calls: Calls) -> None:
    tasks = [ann.created() for _ in range(5)]
    calls.clear()
    assert ann.create().status == 429
    assert calls.operations == ["TransactWriteItems", "BatchGetItem"]
    [wanted] = calls.of("BatchGetItem")[0]["RequestItems"].values()
    assert {key["sk"]["S"] for key in wanted["Keys"]} == {f"task#{task['id']}" for task in tasks}
    assert wanted["ConsistentRead"] is True


def test_started_tasks_count_against_the_limit(ann: Api, lambdas: Lambdas) -> None:
    for _ in range(5):
        ann.created("countdown")
    lambdas.work_off()
    assert ann.get("/api/tasks/?status=started").json["count"] == 5
    assert ann.create().status == 429


def test_a_task_that_finishes_frees_its_slot(ann: Api, lambdas: Lambdas) -> None:
    tasks = [ann.created() for _ in range(5)]
    lambdas.work(message(ann, tasks[0]))
    assert [ann.create().status for _ in range(2)] == [201, 429]


def test_a_task_that_fails_frees_its_slot(ann: Api, lambdas: Lambdas, define: Define) -> None:
    define(doing(TaskError("No.")))
    tasks = [ann.created("probe", input_data={}) for _ in range(5)]
    lambdas.work(message(ann, tasks[0]))
    assert ann.task(tasks[0]["id"])["status"] == "failure"
    assert [ann.create().status for _ in range(2)] == [201, 429]


def test_a_task_that_is_cancelled_frees_its_slot(ann: Api) -> None:
    tasks = [ann.created() for _ in range(5)]
    ann.post(f"/api/tasks/{tasks[2]['id']}/cancel/")
    assert [ann.create().status for _ in range(2)] == [201, 429]


def test_a_task_that_waits_for_its_next_try_keeps_its_slot(
    ann: Api, lambdas: Lambdas, define: Define
) -> None:
    define(doing(OSError()))
    tasks = [ann.created("probe", input_data={}) for _ in range(5)]
    lambdas.work(message(ann, tasks[0]))
    assert ann.task(tasks[0]["id"])["events"][-1]["event"] == "attempt_failed"
    assert ann.create().status == 429


def test_a_conflict_at_the_limit_is_a_429_at_once(ann: Api, calls: Calls, fail: Fail) -> None:
    for _ in range(5):
        ann.created()
    calls.clear()
    fail("TransactWriteItems", CONFLICT)
    assert ann.create().json["active"] == 5
    assert calls.operations == ["GetItem", "BatchGetItem"]


# -- the set of active ids


def test_the_ids_of_active_tasks_are_with_the_user(
    ann: Api, bob: Api, lambdas: Lambdas, rows: Rows
) -> None:
    assert "active" not in row_of(rows, ann, "user")
    finished, cancelled, started = ann.created(), ann.created(), ann.created("countdown")
    scheduled = ann.created(scheduled_at="2026-03-01T12:00")
    bob.created()
    ids = {task["id"] for task in (finished, cancelled, started, scheduled)}
    assert active_ids(rows, ann) == ids
    lambdas.work(message(ann, finished), message(ann, started))
    assert active_ids(rows, ann) == ids - {finished["id"]}
    ann.post(f"/api/tasks/{cancelled['id']}/cancel/")
    assert active_ids(rows, ann) == {started["id"], scheduled["id"]}


def test_a_user_whose_last_task_ended_has_no_set(ann: Api, lambdas: Lambdas, rows: Rows) -> None:
    ann.created()
    lambdas.work_off()
    assert "active" not in row_of(rows, ann, "user")


def test_a_create_that_is_made_twice_takes_one_slot(ann: Api, rows: Rows, calls: Calls) -> None:
    calls.repeat("TransactWriteItems")
    task = ann.created()
    assert active_ids(rows, ann) == {task["id"]}


def test_a_finish_that_is_made_twice_frees_one_slot(
    ann: Api, lambdas: Lambdas, rows: Rows, calls: Calls
) -> None:
    other = ann.created(scheduled_at="2026-03-01T12:00")
    ann.created()
    calls.repeat("TransactWriteItems")
    lambdas.work_off()
    assert counters(rows, ann) == {"active": 1, "success": 1}
    assert active_ids(rows, ann) == {other["id"]}


def test_a_cancel_that_is_made_twice_frees_one_slot(ann: Api, rows: Rows, calls: Calls) -> None:
    task, other = ann.created(), ann.created()
    calls.repeat("TransactWriteItems")
    assert ann.post(f"/api/tasks/{task['id']}/cancel/").status == 200
    assert counters(rows, ann) == {"active": 1, "cancelled": 1}
    assert active_ids(rows, ann) == {other["id"]}
