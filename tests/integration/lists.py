"""Walking through lists of tasks, for their tests."""

from typing import Any

from tests.drivers import Api

HOST = "http://api.test"
INVALID_PAGE = {"detail": "Invalid page.", "code": "not_found"}


def page(user: Api, link: str = "/api/tasks/") -> Any:
    answer = user.get(link.removeprefix(HOST))
    assert answer.status == 200, answer.text
    return answer.json


def ids_of(shown: Any) -> list[str]:
    return [task["id"] for task in shown["results"]]


def walk(user: Api, shown: Any, direction: str) -> list[list[str]]:
    """Follow `next` or `previous` to its end; return the ids of each page on the way."""
    pages = []
    while shown[direction]:
        shown = page(user, shown[direction])
        pages.append(ids_of(shown))
    return pages
