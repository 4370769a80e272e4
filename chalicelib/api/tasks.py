"""The routes of tasks."""

import hashlib
import math
import re
from dataclasses import replace
from datetime import datetime
from typing import Annotated
from urllib.request import parse_http_list

from chalice import Response
from pydantic import BaseModel, Field, WithJsonSchema

from chalicelib import exact_json, listing, models, tasks
from chalicelib.api import pagination
from chalicelib.api.answers import answer, answer_error
from chalicelib.api.call import Call
from chalicelib.api.errors import InvalidIdempotencyKey
from chalicelib.api.fields import read
from chalicelib.api.headers import RETRY_AFTER, Header
from chalicelib.api.routing import header, in_path, query, route
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

    count: Annotated[int, Field(ge=0)]
    next: Link
    previous: Link
    results: Annotated[list[Task], Field(max_length=listing.PAGE_SIZE)]


_LOCATION = Header("Location", "Where the task is.", {"type": "string", "format": "uri"})
_REPLAYED = Header(
    "Idempotent-Replayed",
    "The Idempotency-Key came before: this is the first answer again.",
    {"type": "string", "const": "true"},
    is_required=False,
)
_APPLIED = Header(
    "Preference-Applied",
    "The request preferred to wait, and the task has finished.",
    {"type": "string", "const": "wait"},
    is_required=False,
)
_ETAG = Header("ETag", "For If-None-Match.", {"type": "string", "pattern": '^"[0-9a-f]{32}"$'})
_POLL = replace(
    RETRY_AFTER,
    description="After how many seconds the task may look different, until it has finished.",
    is_required=False,
)

_TASK_ID = in_path(
    "task_id",
    {
        "type": "string",
        "format": "uuid",
        "examples": ["019c1d94-8a80-7000-8000-000000000000"],
    },
    "The id of the task.",
)
_THE_TASK = {"task_id": "$response.body#/id"}


@route(
    "POST",
    "/api/tasks",
    summary="Create a task",
    body=TaskRequest,
    answers={201: Task},
    errors=[InvalidIdempotencyKey, UserNotFound, IdempotencyKeyReused, ActiveTaskLimit],
    parameters=[
        header(
            "Idempotency-Key",
            {
                "type": "string",
                "pattern": f"^{_VISIBLE_ASCII.pattern}$",
                "examples": ["b8e0ac32-5d26-4b0c-9d4b-0e8e3a7d2f11"],
            },
            "The same key and body give the first answer again, for 24 hours.",
        ),
        header(
            "Prefer",
            {"type": "string", "examples": ["wait"]},
            "`wait`: answer with the finished task, if its type is inline (RFC 7240).",
        ),
    ],
    headers=[_LOCATION, _REPLAYED, _APPLIED],
    links={
        "show": {"operationId": "tasks_show", "parameters": _THE_TASK},
        "cancel": {"operationId": "tasks_cancel", "parameters": _THE_TASK},
        "list": {"operationId": "tasks_list"},
    },
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
    parameters=[
        query("status", {"type": "string", "enum": list(Status)}, "Only tasks of this status."),
        *pagination.PARAMETERS,
    ],
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
    parameters=[
        _TASK_ID,
        header(
            "If-None-Match",
            {"type": "string", "examples": ['"5d41402abc4b2a76b9719d911017c592"']},
            "The ETag of an earlier answer: 304 if it is still the same.",
        ),
    ],
    headers=[_ETAG, _POLL],
)
def show(call: Call, task_id: str) -> Response:
    task = tasks.show(call.user_id, task_id)
    text = exact_json.dumps(serialize(task, call.now, detail=True))
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag}
    if task.is_active:
        headers["Retry-After"] = str(_retry_after(task, call.now))
    if call.has(tag):
        return answer("", 304, headers)
    return answer(text, 200, headers)


@route(
    "POST",
    "/api/tasks/{task_id}/cancel",
    summary="Cancel a task",
    answers={200: Task},
    errors=[NotFound, AlreadyFinished],
    parameters=[_TASK_ID],
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
