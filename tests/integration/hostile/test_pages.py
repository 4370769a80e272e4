"""Whatever comes as a query of a list shows the user's own tasks or a reason."""

import base64
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

import pytest

from tests.drivers import Api

INVALID_PAGE = {"detail": "Invalid page.", "code": "not_found"}
TASK_ID = "019c1d94-8a80-7000-8000-000000000000"


def cursor(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def no_choice(status: str) -> dict[str, list[str]]:
    return {"status": [f"Select a valid choice. {status} is not one of the available choices."]}


#: Queries that are refused, and the whole answer to each.
REFUSED: dict[str, tuple[str, int, Any]] = {
    **{
        f"page {name}": (urlencode({"page": text}), 404, INVALID_PAGE)
        for name, text in {
            "0": "0",
            "-1": "-1",
            "2 of 1": "2",
            "a fraction": "1.5",
            "a word": "first",
            "a list": "[1]",
            "in hexadecimal": "0x1",
            "with an exponent": "1e0",
            "NUL": "\0",
            "1 and NUL": "1\0",
            "infinite": "inf",
            "a power": "10**9",
            "10^9": "1000000000",
            "of 4,300 digits": "9" * 4300,
            "of 8,000 digits": "9" * 8000,
            "Last": "Last",
            "a circled one": "\u2460",
            "an emoji": "\U0001f600",
        }.items()
    },
    **{
        f"cursor {name}": (urlencode({"cursor": text}), 404, INVALID_PAGE)
        for name, text in {
            "of one sign": "A",
            "of words": "next",
            "of an id": TASK_ID,
            "NUL": "\0",
            "not ASCII": "\u00e9" * 23,
            "of 16 bytes": cursor(bytes(16)),
            "of 18 bytes": cursor(bytes(18)),
            "of 6,000 bytes": cursor(bytes(6000)),
            "of another direction": cursor(b"\x02" + UUID(TASK_ID).bytes),
            "with padding": cursor(b"\0" + UUID(TASK_ID).bytes) + "=",
            "with a space": " " + cursor(b"\0" + UUID(TASK_ID).bytes),
            "with a newline": cursor(b"\0" + UUID(TASK_ID).bytes) + "\n",
            "with a foreign sign": cursor(b"\0" + UUID(TASK_ID).bytes).replace("A", "!A", 1),
            "with bits to spare": cursor(b"\0" + UUID(TASK_ID).bytes)[:-1] + "B",
            "in base64's other alphabet": "/" + cursor(b"\0" + UUID(TASK_ID).bytes)[1:],
            "of padding alone": "=" * 5000,
            "a key": '{"pk": {"S": "user#1"}}',
        }.items()
    },
    **{
        f"status {name}": (urlencode({"status": text}), 400, no_choice(text))
        for name, text in {
            "unknown": "done",
            "in capitals": "SUCCESS",
            "with a space": "success ",
            "with NUL": "success\0",
            "two": "success,failure",
            "a wildcard": "*",
            "a key": "user",
            "the end of a key": "task#",
            "HTML": "<script>alert(1)</script>",
            "of 8,000 letters": "x" * 8000,
            "a replacement character": "\ufffd",
        }.items()
    },
    "status no UTF-8": ("status=%FF", 400, no_choice("\ufffd")),
    "the last of two statuses counts": ("status=success&status=x", 400, no_choice("x")),
    "a page of a status of active tasks": ("status=pending&page=2", 404, INVALID_PAGE),
}

#: Queries that mean nothing and change nothing.
IGNORED: dict[str, str] = {
    "another user": "user_id=somebody&user=bob&owner=bob",
    "a limit": "limit=1000000&page_size=1000000",
    "an order": "ordering=-created_at",
    "fields": "fields=*&expand=user",
    "a list of parameters": "page[]=2&status[]=success&cursor[0]=x",
    "capitals": "STATUS=success&Page=2",
    "500 parameters": "&".join(f"a{number}=1" for number in range(500)),
    "no name": "=1&&=&",
    "empty values": "status=&page=&cursor=",
    "2,000 spaces": "a=" + "%20" * 2000,
    "an escape of nothing": "a=%&b=%zz&%00=%00",
    "page one in other digits": "page=" + quote("\u0661"),
}


@pytest.mark.parametrize(("query", "status", "body"), REFUSED.values(), ids=REFUSED.keys())
def test_a_strange_query_is_refused(ann: Api, query: str, status: int, body: Any) -> None:
    answer = ann.get(f"/api/tasks/?{query}")
    assert (answer.status, answer.json) == (status, body)


@pytest.mark.parametrize("query", IGNORED.values(), ids=IGNORED.keys())
def test_a_query_that_means_nothing_changes_nothing(ann: Api, query: str) -> None:
    answer = ann.get(f"/api/tasks/?{query}")
    assert (answer.status, answer.json) == (
        200,
        {"count": 0, "next": None, "previous": None, "results": []},
    )
