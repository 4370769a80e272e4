"""GET /api/tasks/: any list in pages of any size, and any text as a cursor."""

import base64
import re
from collections.abc import Callable
from itertools import count
from unittest.mock import patch
from urllib.parse import urlencode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib import listing
from tests.drivers import Api
from tests.integration.lists import INVALID_PAGE, ids_of, page, walk
from tests.integration.tools import Finish

NAMES = count()


@settings(max_examples=20)
@given(number=st.integers(0, 9), size=st.integers(1, 4), status=st.sampled_from(["", "success"]))
def test_any_walk_shows_each_task_once_and_in_order(
    sign_up: Callable[[str], Api], finish: Finish, number: int, size: int, status: str
) -> None:
    user = sign_up(f"user-{next(NAMES)}")
    ids = finish(user, number)
    expected = [ids[start : start + size] for start in range(0, number, size)] or [[]]
    with patch.object(listing, "PAGE_SIZE", size):
        first, last = (page(user, f"/api/tasks/?status={status}&page={n}") for n in ("", "last"))
        assert [ids_of(first), *walk(user, first, "next")] == expected
        assert [*walk(user, last, "previous")[::-1], ids_of(last)] == expected
        numbered = [
            ids_of(page(user, f"/api/tasks/?status={status}&page={number}"))
            for number in range(1, len(expected) + 1)
        ]
        assert numbered == expected


@pytest.fixture
def tasks(ann: Api, finish: Finish) -> list[str]:
    return finish(ann, 45)


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@given(cursor=st.text() | st.binary(min_size=15, max_size=19).map(encoded))
@example(cursor=encoded(bytes(17)))
@example(cursor=encoded(bytes([1] * 17)))
@example(cursor=encoded(bytes([255] * 17)))
def test_any_cursor_is_a_place_in_the_list_or_an_invalid_page(
    ann: Api, tasks: list[str], cursor: str
) -> None:
    answer = ann.get(f"/api/tasks/?page=2&{urlencode({'cursor': cursor})}")
    if answer.status == 404:
        assert answer.json == INVALID_PAGE
        return
    assert answer.status == 200
    assert not cursor or re.fullmatch(r"A[AQ][\w-]{21}", cursor, re.ASCII)
    shown = ids_of(answer.json)
    start = tasks.index(shown[0]) if shown else 0
    assert shown == tasks[start : start + len(shown)]
