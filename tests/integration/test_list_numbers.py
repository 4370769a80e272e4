"""GET /api/tasks/?page=N: pages by number, from either end of the list."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import listing
from chalicelib.models import User
from chalicelib.models.table import Item
from tests.aws_calls import Calls
from tests.drivers import Api, Lambdas
from tests.integration.lists import INVALID_PAGE, ids_of, page, walk
from tests.integration.tools import Finish

FINISHED = ("success", "failure", "cancelled")


def test_a_page_can_be_requested_by_its_number(ann: Api, finish: Finish) -> None:
    ids = finish(ann, 45)
    pages = {"1": ids[:20], "2": ids[20:40], "3": ids[40:], "last": ids[40:], "%203%20": ids[40:]}
    assert {name: ids_of(page(ann, f"/api/tasks/?page={name}")) for name in pages} == pages
    filtered = {
        name: ids_of(page(ann, f"/api/tasks/?page={name}&status=success")) for name in pages
    }
    assert filtered == pages


def test_links_lead_on_from_a_page_requested_by_its_number(ann: Api, finish: Finish) -> None:
    ids = finish(ann, 65)
    for number in ("2", "3"):
        shown = page(ann, f"/api/tasks/?page={number}")
        finish(ann, 1)
        around = [ids_of(page(ann, shown[way])) for way in ("previous", "next")]
        start = ids.index(ids_of(shown)[0])
        assert around == [ids[max(start - 20, 0) : start], ids[start + 20 : start + 40]]


def test_a_missing_page_is_invalid(ann: Api, finish: Finish) -> None:
    finish(ann, 21)
    numbers = ["0", "-1", "abc", "1.0", "3", "9" * 20, "9" * 5000, "Last", "%00", "1e0", "None"]
    for number in numbers:
        answer = ann.get(f"/api/tasks/?page={number}")
        assert (number, answer.status, answer.json) == (number, 404, INVALID_PAGE)


def test_a_page_beyond_a_filtered_list_is_invalid(ann: Api, finish: Finish) -> None:
    finish(ann, 21)
    ann.created()
    for query in ("status=success&page=3", "status=cancelled&page=2", "status=pending&page=2"):
        answer = ann.get(f"/api/tasks/?{query}")
        assert (answer.status, answer.json) == (404, INVALID_PAGE)


# -- every way through a list shows the same


@pytest.fixture
def reference(ann: Api, finish: Finish, lambdas: Lambdas) -> dict[str | None, list[str]]:
    """All ids of ann's tasks, newest first, by status and in all (None).

    Among the finished tasks are active ones: the oldest of all, the newest, and others.
    """
    active = [ann.created("countdown")["id"]]
    finished = finish(ann, 41, *FINISHED)
    active.append(ann.created(scheduled_at="2026-03-01T12:00")["id"])
    finished = finish(ann, 83, *FINISHED) + finished
    active += [ann.created(scheduled_at="2026-03-01T12:00")["id"] for _ in range(2)]
    everything = sorted(finished + active, reverse=True)
    listed: dict[str | None, list[str]] = {None: everything}
    for status in FINISHED:
        row_ids = {
            key.sk.partition("#")[2]
            for key in Item.query(f"user#{ann.user_id}", Item.sk.startswith(f"{status}#"))
        }
        listed[status] = [one for one in everything if one in row_ids]
    assert {status: len(ids) for status, ids in listed.items()} == {
        None: 128,
        "success": 42,
        "failure": 42,
        "cancelled": 40,
    }
    return listed


def pages_of(ids: list[str]) -> list[list[str]]:
    return [ids[start : start + 20] for start in range(0, len(ids), 20)]


def link(status: str | None, number: int | str) -> str:
    return f"/api/tasks/?page={number}" + (f"&status={status}" if status else "")


@pytest.mark.parametrize("status", [None, *FINISHED])
def test_every_page_by_its_number_is_the_slice_of_the_list(
    ann: Api, reference: dict[str | None, list[str]], status: str | None
) -> None:
    expected = pages_of(reference[status])
    shown = [page(ann, link(status, number + 1)) for number in range(len(expected))]
    assert [ids_of(one) for one in shown] == expected
    assert {one["count"] for one in shown} == {len(reference[status])}
    assert page(ann, link(status, "last")) == shown[-1]
    assert ann.get(link(status, len(expected) + 1)).json == INVALID_PAGE


@pytest.mark.parametrize("status", [None, *FINISHED])
def test_next_and_previous_lead_through_the_same_pages(
    ann: Api, reference: dict[str | None, list[str]], status: str | None
) -> None:
    expected = pages_of(reference[status])
    first, last = page(ann, link(status, 1)), page(ann, link(status, "last"))
    assert [ids_of(first), *walk(ann, first, "next")] == expected
    assert [ids_of(last), *walk(ann, last, "previous")] == expected[::-1]


@pytest.mark.parametrize("status", [None, *FINISHED])
def test_a_page_by_its_number_has_the_neighbours_of_the_list(
    ann: Api, reference: dict[str | None, list[str]], status: str | None
) -> None:
    expected = pages_of(reference[status])
    for place in range(len(expected)):
        shown = page(ann, link(status, place + 1))
        for direction, beside in (("previous", place - 1), ("next", place + 1)):
            there = ids_of(page(ann, shown[direction])) if shown[direction] else []
            assert there == (expected[beside] if 0 <= beside < len(expected) else [])


# -- how a page is found


@pytest.fixture
def queries(ann: Api, calls: Calls) -> Callable[[str], list[tuple[Any, ...]]]:
    """`queries("?page=2")`: what the Queries of a list count or load, from which end."""

    def queries(query: str) -> list[tuple[Any, ...]]:
        before = len(calls)
        assert ann.get(f"/api/tasks/{query}").status == 200
        return [
            (
                "count" if one.parameters.get("Select") == "COUNT" else "load",
                one.parameters["Limit"],
                "from the oldest" if one.parameters["ScanIndexForward"] else "from the newest",
            )
            for one in calls[before:]
            if one.operation == "Query"
        ]

    return queries


@pytest.mark.parametrize("status", ["", "&status=success"])
def test_a_page_is_found_from_the_nearer_end_and_what_lies_before_it_is_only_counted(
    finish: Finish, ann: Api, queries: Callable[[str], Any], status: str
) -> None:
    finish(ann, 125)
    assert queries(f"?page=2{status}") == [
        ("count", 20, "from the newest"),
        ("load", 21, "from the newest"),
    ]
    assert queries(f"?page=3{status}") == [
        ("count", 40, "from the newest"),
        ("load", 21, "from the newest"),
    ]
    assert queries(f"?page=5{status}") == [
        ("count", 24, "from the oldest"),
        ("load", 21, "from the oldest"),
    ]
    assert queries(f"?page=6{status}") == [
        ("count", 4, "from the oldest"),
        ("load", 21, "from the oldest"),
    ]
    assert queries(f"?page=7{status}") == [("load", 5, "from the oldest")]
    assert queries(f"?page=last{status}") == [("load", 5, "from the oldest")]


def test_a_count_that_dynamodb_answers_in_parts_goes_on(
    ann: Api, finish: Finish, calls: Calls
) -> None:
    # One Query reads at most 1 MB, counted or not.
    ids = finish(ann, 65, result=f'"{"x" * 150_000}"')
    calls.clear()
    assert ids_of(page(ann, "/api/tasks/?page=2")) == ids[20:40]
    counted = [one["Limit"] for one in calls.of("Query") if one.get("Select") == "COUNT"]
    assert counted[0] == 20
    assert len(counted) > 1
    assert counted == sorted(counted, reverse=True)


@pytest.mark.parametrize("query", ["?", "?status=success", "?page=last", "?page=2"])
def test_a_page_of_large_tasks_is_complete(ann: Api, finish: Finish, query: str) -> None:
    # 20 of them are more than the 1 MB that one Query answers.
    ids = finish(ann, 25, result=f'"{"x" * 200_000}"')
    shown = page(ann, f"/api/tasks/{query}")
    assert ids_of(shown) == (ids[20:] if "page" in query else ids[:20])
    assert {len(task["result"]) for task in shown["results"]} == {200_000}
    assert bool(shown["next"]) == ("page" not in query)


# -- the reach of numbers


@pytest.fixture
def short_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages have numbers within 40 tasks of either end."""
    monkeypatch.setattr(listing, "NUMBERED_REACH", 40)


@pytest.mark.usefixtures("short_reach")
@pytest.mark.parametrize("status", ["", "&status=success"])
def test_a_page_far_from_both_ends_has_no_number(
    ann: Api, finish: Finish, calls: Calls, status: str
) -> None:
    ids = finish(ann, 165)
    statuses = {n: ann.get(f"/api/tasks/?page={n}{status}").status for n in range(1, 10)}
    assert statuses == dict.fromkeys((1, 2, 3, 7, 8, 9), 200) | dict.fromkeys((4, 5, 6), 404)
    calls.clear()
    assert ann.get(f"/api/tasks/?page=5{status}").json == INVALID_PAGE
    assert calls.operations == ["GetItem"]
    assert ids_of(page(ann, f"/api/tasks/?page=7{status}")) == ids[120:140]


@pytest.mark.usefixtures("short_reach")
def test_next_and_previous_go_on_where_numbers_end(ann: Api, finish: Finish) -> None:
    ids = finish(ann, 165)
    first, last = page(ann), page(ann, "/api/tasks/?page=last")
    assert [ids_of(first), *walk(ann, first, "next")] == pages_of(ids)
    assert [ids_of(last), *walk(ann, last, "previous")] == pages_of(ids)[::-1]


@pytest.mark.corrupts_data
def test_numbers_reach_10_000_tasks_from_either_end(
    ann: Api, queries: Callable[[str], Any]
) -> None:
    # As if there were a million tasks: 50,000 pages.
    User(f"user#{ann.user_id}", "user").update([User.success.set(1_000_000)])
    assert queries("?page=501")[0] == ("count", 10_000, "from the newest")
    assert queries("?page=49500")[0] == ("count", 9_999, "from the oldest")
    assert queries("?page=50000") == [("load", 20, "from the oldest")]
    for number in (502, 25_000, 49_499, 50_001):
        answer = ann.get(f"/api/tasks/?page={number}")
        assert (number, answer.status, answer.json) == (number, 404, INVALID_PAGE)
