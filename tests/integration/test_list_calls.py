"""GET /api/tasks/: the AWS calls that a list makes, and that they are consistent."""

from typing import Any

import pytest

from tests.aws_calls import Calls, Make, Parameters
from tests.drivers import Api, Lambdas
from tests.integration.lists import HOST, ids_of, page
from tests.integration.tools import Finish, message


@pytest.fixture
def cost(ann: Api, calls: Calls) -> Any:
    """`cost("?page=2")`: the AWS calls that a list makes."""

    def cost(query: str) -> list[str]:
        before = len(calls)
        ann.get(f"/api/tasks/{query.removeprefix(f'{HOST}/api/tasks/')}")
        return calls.operations[before:]

    return cost


COSTS = {
    "": ["Query"],
    "?status=pending": ["GetItem"],
    "?status=started": ["GetItem"],
    "?status=success": ["Query", "BatchGetItem"],
    "?status=failure": ["Query", "BatchGetItem"],
    "?status=cancelled": ["Query", "BatchGetItem"],
    "?page=last": ["GetItem", "Query"],
    "?page=last&status=success": ["GetItem", "Query", "BatchGetItem"],
    "?page=99": ["GetItem"],
    "?page=0": [],
    "?page=abc": [],
    "?cursor=x": [],
    "?status=zz": [],
}


@pytest.mark.parametrize("number", [1, 61])
def test_a_list_costs_the_same_for_any_number_of_tasks(
    ann: Api, finish: Finish, cost: Any, number: int
) -> None:
    finish(ann, number)
    assert {query: cost(query) for query in COSTS} == COSTS


@pytest.mark.parametrize("number", [1, 5])
def test_the_active_tasks_are_one_read_of_the_user_and_one_of_the_tasks(
    ann: Api, finish: Finish, cost: Any, number: int
) -> None:
    finish(ann, 30)
    for _ in range(number):
        ann.created()
    for status in ("pending", "started"):
        assert cost(f"?status={status}") == ["GetItem", "BatchGetItem"]


def test_a_page_by_its_cursor_costs_two_calls(ann: Api, finish: Finish, cost: Any) -> None:
    finish(ann, 61)
    second = page(ann, page(ann)["next"])
    assert cost(second["next"]) == ["Query", "GetItem"]
    assert cost(second["previous"]) == ["Query", "GetItem"]
    second = page(ann, page(ann, "/api/tasks/?status=success")["next"])
    assert cost(second["next"]) == ["Query", "BatchGetItem"]
    assert cost(second["previous"]) == ["Query", "BatchGetItem"]


def test_a_page_by_its_number_costs_at_most_one_count_more(
    ann: Api, finish: Finish, cost: Any
) -> None:
    finish(ann, 61)
    assert {number: cost(f"?page={number}") for number in (2, 3, 4)} == {
        2: ["GetItem", "Query", "Query"],
        # Right before the last page nothing lies between it and the end.
        3: ["GetItem", "Query"],
        4: ["GetItem", "Query"],
    }


def test_every_read_is_consistent(
    ann: Api, of_every_status: dict[str, list[str]], finish: Finish, calls: Calls
) -> None:
    finish(ann, 61)
    before = len(calls)
    second = page(ann, page(ann)["next"])
    page(ann, second["previous"])
    for query in (*COSTS, "?page=2"):
        ann.get(f"/api/tasks/{query}")
    ann.get(f"/api/tasks/{of_every_status['success'][0]}/")
    reads = calls[before:]
    assert {call.operation for call in reads} == {"Query", "GetItem", "BatchGetItem"}
    assert all(is_consistent(call.parameters) for call in reads)


def is_consistent(parameters: Parameters) -> bool:
    [read] = parameters["RequestItems"].values() if "RequestItems" in parameters else [parameters]
    return read["ConsistentRead"] is True


def test_a_page_reads_no_more_rows_than_it_shows(ann: Api, finish: Finish, calls: Calls) -> None:
    finish(ann, 45)
    before = len(calls)
    first = page(ann)
    page(ann, page(ann, first["next"])["previous"])
    page(ann, "/api/tasks/?status=success")
    page(ann, "/api/tasks/?page=last")
    limits = [call.parameters["Limit"] for call in calls[before:] if call.operation == "Query"]
    assert limits == [22, 21, 20, 21, 5]


@pytest.mark.parametrize("status", ["success", "failure", "cancelled"])
def test_the_list_of_a_finished_status_reads_its_keys_and_then_its_tasks_with_the_user(
    ann: Api, finish: Finish, calls: Calls, status: str
) -> None:
    ids = finish(ann, 3, status)
    calls.clear()
    page(ann, f"/api/tasks/?status={status}")
    [query] = calls.of("Query")
    assert "IndexName" not in query
    found = calls[0].answer["Items"]
    assert [item["sk"]["S"] for item in found] == [f"{status}#{task_id}" for task_id in ids]
    assert {*found[0]} == {"pk", "sk"}
    [batch] = calls.of("BatchGetItem")
    [read] = batch["RequestItems"].values()
    wanted = [key["sk"]["S"] for key in read["Keys"]]
    assert sorted(wanted) == sorted(["user", *(f"task#{task_id}" for task_id in ids)])


def test_a_batch_that_dynamodb_answers_in_parts_is_read_to_its_end(
    ann: Api, finish: Finish, calls: Calls
) -> None:
    ids = finish(ann, 20)

    def answer_in_part(make: Make) -> Any:
        answer = make()
        [(table, items)] = answer["Responses"].items()
        left, items[3:] = items[3:], []
        keys = [{name: item[name] for name in ("pk", "sk")} for item in left]
        answer["UnprocessedKeys"] = {table: {"Keys": keys, "ConsistentRead": True}}
        return answer

    calls.script("BatchGetItem", answer_in_part, times=1)
    assert ids_of(page(ann, "/api/tasks/?status=success")) == ids


# -- tasks that change during the read


def test_a_task_claimed_during_the_read_is_listed_as_it_is_then(
    ann: Api, lambdas: Lambdas, calls: Calls
) -> None:
    task = ann.created("countdown")
    calls.before("BatchGetItem", lambdas.work_off)
    assert page(ann, "/api/tasks/?status=pending")["count"] == 0
    assert ids_of(page(ann, "/api/tasks/?status=started")) == [task["id"]]


@pytest.mark.parametrize("status", ["pending", "started"])
def test_a_task_finished_during_the_read_is_not_listed_as_active(
    ann: Api, lambdas: Lambdas, calls: Calls, status: str
) -> None:
    task = ann.created()
    calls.before("BatchGetItem", lambda: lambdas.work(message(ann, task)))
    shown = page(ann, f"/api/tasks/?status={status}")
    assert (shown["count"], shown["results"]) == (0, [])
