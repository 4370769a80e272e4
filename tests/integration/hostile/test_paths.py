"""Whatever stands where a task's id belongs is a task that does not exist."""

from typing import Any

import pytest

from tests.aws_calls import Calls
from tests.drivers import Api

NO_TASK = {"detail": "No Task matches the given query.", "code": "not_found"}
TASK_ID = "019c1d94-8a80-7000-8000-000000000000"
DIGITS = TASK_ID.replace("-", "")

#: Ids as they stand in the path.
IDS: dict[str, str] = {
    "a number": "1",
    "a negative number": "-1",
    "a word": "tasks",
    "the name of a route": "cancel",
    "null": "null",
    "an id without hyphens": DIGITS,
    "an id in braces": "{" + TASK_ID + "}",
    "an id as a URN": f"urn:uuid:{TASK_ID}",
    "an id cut short": TASK_ID[:-1],
    "an id and one digit": TASK_ID + "0",
    "an id and a space": TASK_ID + "%20",
    "an id and NUL": TASK_ID + "%00",
    "an id and a newline": TASK_ID + "%0A",
    "an id and an extension": TASK_ID + ".json",
    "an id with its hyphens elsewhere": DIGITS[:4] + "-" + DIGITS[4:],
    "an id with underscores": TASK_ID.replace("-", "_"),
    "an id with a letter too many": TASK_ID.replace("c", "g"),
    "an id in escapes": "%30" + TASK_ID[1:],
    "an id in full-width digits": "\uff10" + TASK_ID[1:],
    "an id in Arabic digits": "\u0660" * 32,
    "two ids": f"{TASK_ID},{TASK_ID}",
    "a key": f"task%23{TASK_ID}",
    "the key of the user": "user",
    "a list": f"[{TASK_ID}]",
    "a wildcard": "*",
    "this folder": ".",
    "the folder above": "..",
    "the folder above in escapes": "%2e%2e",
    "the folder above, escaped twice": "%252e%252e",
    "a path in escapes": "..%2f..%2fetc%2fpasswd",
    "a backslash": "..%5c..",
    "a slash in escapes": "a%2Fb",
    "NUL": "%00",
    "no UTF-8": "%FF",
    "half an escape": "%",
    "an overlong slash": "%c0%af",
    "an emoji": "%F0%9F%98%80",
    "a line break and a header": "%0d%0aSet-Cookie:%20a=1",
    "a space": "%20",
    "SQL": "1'%20OR%20'1'='1",
    "HTML": "%3Cscript%3E",
    "a template": "{{7*7}}",
    "a format": "%25s%25n",
    "a URL": "https:%2f%2fevil.test",
    "8,000 letters": "a" * 8000,
    "8,000 hyphens": "-" * 8000,
    "2,000 prefixes": "urn:" * 2000,
}


@pytest.mark.parametrize("task_id", IDS.values(), ids=IDS.keys())
def test_a_strange_id_is_a_task_that_does_not_exist(
    ann: Api, api: Api, calls: Calls, task_id: str
) -> None:
    for method, path in (
        ("GET", f"/api/tasks/{task_id}"),
        ("POST", f"/api/tasks/{task_id}/cancel"),
    ):
        answer = ann.request(method, path)
        assert (answer.status, answer.json) == (404, NO_TASK)
        assert (api.request(method, path).status, ann.request("PUT", path).status) == (401, 405)
    assert calls == []


@pytest.fixture(scope="module")
def own(ann: Api) -> dict[str, Any]:
    """A task of ann's."""
    return ann.created()


def test_an_id_in_capitals_is_the_same_id(ann: Api, own: dict[str, Any]) -> None:
    assert ann.get(f"/api/tasks/{own['id'].upper()}/").json["id"] == own["id"]
