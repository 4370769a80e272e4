"""What the tests of `Prefer: wait` have in common."""

from typing import Any

from tests.drivers import Answer, Api


def wait(api: Api, task_type: str = "sum", **fields: Any) -> Answer:
    """Create a task as a client that prefers to wait for its end."""
    if task_type == "probe":
        fields.setdefault("input_data", {})
    return api.create(task_type, prefer="wait", **fields)


def is_finished(answer: Answer, status: str = "success") -> bool:
    """Tell whether an answer has a finished task and says that the preference was applied."""
    assert answer.status == 201, answer.text
    applied = answer.headers.get("preference-applied")
    return bool(answer.json["status"] == status and applied == "wait")


def is_pending(answer: Answer) -> bool:
    """Tell whether an answer is that of a request without the preference."""
    assert answer.status == 201, answer.text
    return answer.json["status"] == "pending" and "preference-applied" not in answer.headers
