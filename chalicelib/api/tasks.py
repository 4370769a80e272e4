"""The routes of tasks."""

import hashlib
import math
import re
from datetime import datetime
from typing import Annotated
from urllib.request import parse_http_list

from chalice import Response
from pydantic import BaseModel, WithJsonSchema

from chalicelib import exact_json, listing, models, tasks
from chalicelib.api import pagination
from chalicelib.api.answers import answer, answer_error
from chalicelib.api.call import Call
from chalicelib.api.errors import InvalidIdempotencyKey
from chalicelib.api.fields import read
from chalicelib.api.routing import header, query, route
from chalicelib.api.task_answer import Task, TaskDetail, serialize
from chalicelib.api.task_request import TaskRequest
from chalicelib.errors import (
    ActiveTaskLimit,
    AlreadyFinished,
    IdempotencyKeyReused,
    InvalidFields,
    NotFound,
    UserNotFound,
)
from chalicelib.lifecycle import Status

_VISIBLE_ASCII = re.compile(r"[!-~]{1,255}")
# How long a client waits, in whole seconds; an empty value is none (RFC 7240, 2).
_SECONDS = re.compile(r'0*[1-9][0-9]*|"0*[1-9][0-9]*"|""|')

Link = Annotated[str | None, WithJsonSchema({"type": ["string", "null"], "format": "uri"})]


class TaskPage(BaseModel):
    """A page of tasks."""

    count: int
    next: Link
    previous: Link
    results: list[Task]


@route(
    "POST",
    "/api/tasks",
    summary="Create a task",
    body=TaskRequest,
    answers={201: Task},
    errors=[InvalidIdempotencyKey, UserNotFound, IdempotencyKeyReused, ActiveTaskLimit],
    parameters=[
        header("Idempotency-Key", {"type": "string", "minLength": 1, "maxLength": 255}),
        header("Prefer", {"type": "string", "examples": ["wait"]}),
    ],
)
def create(call: Call) -> Response:
    key, wait = _idempotency_key(call), _prefers_to_wait(call)
    try:
        request = read(TaskRequest, call.body, {"now": call.now})
    except InvalidFields:
        # A request that was valid when it was first sent may be invalid now: its time may
        # have passed.
        task = tasks.find_replay(call.user_id, key, call.now) if key else None
        if task is None:
            raise
        is_replay = True
    else:
        new = tasks.NewTask(
            request.task_type.name, request.input_data, request.scheduled_at, call.origin, wait
        )
        task, is_replay = tasks.create(call.user_id, new, key, call.now)
    headers = {"Location": f"{call.url}{task.task_id}/"}
    if is_replay:
        headers["Idempotent-Replayed"] = "true"
    if wait and not task.is_active:
        headers["Preference-Applied"] = "wait"
    return answer(serialize(task, call.now), 201, headers)


@route(
    "GET",
    "/api/tasks",
    summary="List tasks, newest first",
    answers={200: TaskPage},
    errors=[InvalidFields, UserNotFound, NotFound],
    parameters=[query("status", {"enum": list(Status)}), *pagination.PARAMETERS],
)
def list_(call: Call) -> Response:
    status = call.parameter("status")
    if status is not None and status not in list(Status):
        reason = f"Select a valid choice. {status} is not one of the available choices."
        raise InvalidFields({"status": [reason]})
    page = listing.list_page(
        call.user_id,
        status=status,
        number=pagination.read_number(call),
        position=pagination.read_position(call),
    )
    results = [serialize(task, call.now) for task in page.tasks]
    return answer({"count": page.count, **pagination.links(call, page), "results": results})


@route(
    "GET",
    "/api/tasks/{task_id}",
    summary="Show a task",
    answers={200: TaskDetail, 304: None},
    errors=[NotFound],
    parameters=[header("If-None-Match", {"type": "string"})],
)
def show(call: Call, task_id: str) -> Response:
    task = tasks.show(call.user_id, task_id)
    text = exact_json.dumps(serialize(task, call.now, detail=True))
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag}
    if task.is_active:
        headers["Retry-After"] = str(_retry_after(task, call.now))
    if _matches(call.headers.get("if-none-match", ""), tag):
        return answer("", 304, headers)
    return answer(text, 200, headers)


@route(
    "POST",
    "/api/tasks/{task_id}/cancel",
    summary="Cancel a task",
    answers={200: Task},
    errors=[NotFound, AlreadyFinished],
)
def cancel(call: Call, task_id: str) -> Response:
    try:
        task = tasks.cancel(call.user_id, task_id, call.now)
    except AlreadyFinished as error:
        return answer_error(error, {"task": serialize(error.task, call.now)})
    return answer(serialize(task, call.now))


def _retry_after(task: models.Task, now: datetime) -> int:
    """Return after how many seconds an active task may look different."""
    runs = task.status == Status.STARTED and not task.is_waiting
    return 1 if runs else max(1, math.ceil((task.due_at - now).total_seconds()))


def _matches(header: str, tag: str) -> bool:
    """Compare an If-None-Match header weakly (RFC 9110, 13.1.2)."""
    known = {candidate.strip().removeprefix("W/") for candidate in header.split(",")}
    return bool({"*", tag} & known)


def _prefers_to_wait(call: Call) -> bool:
    """Read the preference `wait` (RFC 7240, 4.3); of several ones the first counts."""
    for preference in parse_http_list(call.headers.get("prefer", "")):
        name, _, seconds = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "wait":
            return _SECONDS.fullmatch(seconds.strip()) is not None
    return False


def _idempotency_key(call: Call) -> tasks.IdempotencyKey | None:
    key = call.headers.get("idempotency-key")
    if key is None:
        return None
    if not _VISIBLE_ASCII.fullmatch(key):
        raise InvalidIdempotencyKey
    body = exact_json.dumps(call.body, sort_keys=True)
    return tasks.IdempotencyKey(key, hashlib.sha256(body.encode()).hexdigest())
