"""The routes of tasks, and a task as clients see it."""

import base64
import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from aws_lambda_powertools import Logger
from chalice import Blueprint, Response
from pydantic import (
    BaseModel,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from chalicelib import errors, exact_json, listing, task_types, tasks, times
from chalicelib.api.endpoint import Call, answer, resource
from chalicelib.api.fields import NULL, read
from chalicelib.lifecycle import Status
from chalicelib.models import Task, events
from chalicelib.task_types import Run, TaskType

log = Logger(service="tasks", child=True)

#: How far ahead a task may be scheduled.
MAX_AHEAD = timedelta(days=365)

_WRONG_FORMAT = (
    "Datetime has wrong format. Use one of these formats instead: "
    "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)
# No list has so many pages.
_PAGES = 10**9
_VISIBLE_ASCII = re.compile(r"[!-~]{1,255}")


@dataclass(frozen=True)
class _TwoTimes:
    """A request that says `scheduled_at` both at its top level and in `input_data`."""

    outer: object
    inner: object


def _refuse(reason: str) -> PydanticCustomError:
    # As context, not as the message: a reason may have braces of the client's in it.
    return PydanticCustomError("refused", "Invalid.", {"reasons": [reason]})


def _read_type(value: object) -> TaskType:
    if value is None:
        raise _refuse(NULL)
    task_type = task_types.get(value) if isinstance(value, str) else None
    if task_type is None:
        text = value if isinstance(value, str) else exact_json.dumps(value)
        raise _refuse(f'"{text}" is not a valid choice.')
    return task_type


def _read_time(value: object, info: ValidationInfo) -> datetime | None:
    if isinstance(value, _TwoTimes):
        moment = _read_time(value.outer, info)
        if moment != _read_time(value.inner, info):
            raise _refuse("The request says two different times.")
        return moment
    if value is None:
        return None
    moment = _parse_time(value)
    now: datetime = (info.context or {})["now"]
    if moment < now:
        raise _refuse("The time must not be in the past.")
    if moment > now + MAX_AHEAD:
        raise _refuse(f"The time must be at most {MAX_AHEAD.days} days ahead.")
    return moment


def _parse_time(value: object) -> datetime:
    if not isinstance(value, str):
        raise _refuse(_WRONG_FORMAT)
    try:
        return times.parse(value)
    except ValueError:
        raise _refuse(_WRONG_FORMAT) from None
    except OverflowError:
        raise _refuse("Datetime value out of range.") from None


class TaskRequest(BaseModel):
    """A task to create."""

    task_type: Annotated[TaskType, PlainValidator(_read_type), WithJsonSchema({"type": "string"})]
    input_data: dict[str, Any]
    scheduled_at: Annotated[
        datetime | None,
        PlainValidator(_read_time),
        WithJsonSchema(
            {
                "type": ["string", "null"],
                "examples": ["2030-02-20 15:30:00", "2030-02-20T12:30:00Z"],
                "description": "When to start; Moscow time unless it has an offset.",
            }
        ),
    ] = Field(default=None)

    @model_validator(mode="before")
    @classmethod
    def _lift_scheduled_at(cls, body: Any) -> Any:
        """Take the time from `input_data`, where older clients have it."""
        input_data = body.get("input_data")
        if not isinstance(input_data, dict) or "scheduled_at" not in input_data:
            return body
        inner = input_data["scheduled_at"]
        time = _TwoTimes(body["scheduled_at"], inner) if "scheduled_at" in body else inner
        return body | {"scheduled_at": time}

    @field_validator("input_data")
    @classmethod
    def _suits_its_type(cls, input_data: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        task_type: TaskType | None = info.data.get("task_type")
        if task_type:
            task_type.read({k: v for k, v in input_data.items() if k != "scheduled_at"})
        return input_data


def blueprint() -> Blueprint:
    routes = Blueprint(__name__)
    resource(routes, "/api/tasks", get=_list, post=_create)
    resource(routes, "/api/tasks/{task_id}", get=_show)
    resource(routes, "/api/tasks/{task_id}/cancel", post=_cancel, has_body=False)
    return routes


def _create(call: Call) -> Response:
    key = _idempotency_key(call)
    try:
        request = read(TaskRequest, call.body, {"now": call.now})
    except errors.InvalidFields:
        # What was fine when it was first sent may be no longer: its time may have come.
        task = tasks.find_replay(call.user_id, key, call.now) if key else None
        if task is None:
            raise
        is_replay = True
    else:
        new = tasks.NewTask(request.task_type.name, request.input_data, request.scheduled_at)
        task, is_replay = tasks.create(call.user_id, new, key, call.now)
    headers = {"Location": f"{call.url}{task.task_id}/"}
    if is_replay:
        headers["Idempotent-Replayed"] = "true"
    return answer(represent(task, call.now), 201, headers)


def _show(call: Call, task_id: str) -> Response:
    task = tasks.show(call.user_id, task_id)
    text = exact_json.dumps(represent(task, call.now) | {"events": events.history(task)})
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag}
    if task.is_active:
        headers["Retry-After"] = str(_next_look(task, call.now))
    if _matches(call.headers.get("if-none-match", ""), tag):
        return answer("", 304, headers)
    return answer(text, 200, headers)


def _list(call: Call) -> Response:
    status = call.parameter("status")
    if status is not None and status not in list(Status):
        reason = f"Select a valid choice. {status} is not one of the available choices."
        raise errors.InvalidFields({"status": [reason]})
    number = _page_number(call.parameter("page"))
    cursor = call.parameter("cursor")
    position = _read_cursor(cursor) if cursor else None
    page = listing.list_page(call.user_id, status=status, number=number, position=position)
    return answer(
        {
            "count": page.count,
            "next": page.next and _page_link(call, page.number + 1, page.next),
            "previous": page.previous and _page_link(call, page.number - 1, page.previous),
            "results": [represent(task, call.now) for task in page.tasks],
        }
    )


def _cancel(call: Call, task_id: str) -> Response:
    try:
        task = tasks.cancel(call.user_id, task_id, call.now)
    except errors.AlreadyFinished as fault:
        return answer(fault.body() | {"task": represent(fault.task, call.now)}, fault.status)
    return answer(represent(task, call.now))


def represent(task: Task, now: datetime) -> dict[str, Any]:
    """Return a task as clients see it."""
    shown = {
        "id": task.task_id,
        "task_type": task.task_type,
        "input_data": exact_json.Raw(task.input_data),
        "status": task.status,
        "result": task.result and exact_json.Raw(task.result),
        "error": task.error and exact_json.Raw(task.error),
        "attempts": int(task.attempts),
        "scheduled_at": times.show(task.scheduled_at),
        "created_at": times.show(task.created_at),
        "started_at": times.show(task.started_at),
        "finished_at": times.show(task.finished_at),
    }
    progress = _progress(task, now)
    return shown if progress is None else shown | {"progress": progress}


def _progress(task: Task, now: datetime) -> Mapping[str, Any] | None:
    task_type = task_types.get(task.task_type)
    if (
        task.status != Status.STARTED
        or not task_type
        or not task_type.progress
        or not task.started_at
    ):
        return None
    try:
        input_data = exact_json.loads(task.input_data)
        return task_type.progress(input_data, Run(started_at=task.started_at, now=now))
    except Exception:
        # A type may be newer than its tasks; they are shown all the same.
        log.exception("no progress to be had", task_id=task.task_id)
        return None


def _next_look(task: Task, now: datetime) -> int:
    """Return in how many seconds it makes sense to look at an active task again."""
    is_asleep = task.is_waiting or task.status != Status.STARTED
    return max(1, math.ceil((task.due_at - now).total_seconds())) if is_asleep else 1


def _matches(header: str, tag: str) -> bool:
    """Compare an If-None-Match header weakly (RFC 9110, 13.1.2)."""
    known = {candidate.strip().removeprefix("W/") for candidate in header.split(",")}
    return bool({"*", tag} & known)


def _idempotency_key(call: Call) -> tasks.IdempotencyKey | None:
    key = call.headers.get("idempotency-key")
    if key is None:
        return None
    if not _VISIBLE_ASCII.fullmatch(key):
        raise errors.InvalidIdempotencyKey
    body = exact_json.dumps(call.body, sort_keys=True)
    return tasks.IdempotencyKey(key, hashlib.sha256(body.encode()).hexdigest())


def _page_number(text: str | None) -> int | None:
    """Read `page` as Django's paginator does; None stands for the last one."""
    if text is None:
        return 1
    if text == "last":
        return None
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number < _PAGES:
        raise errors.NotFound("Invalid page.")
    return number


def _page_link(call: Call, number: int, position: listing.Position) -> str:
    # Page 1 has no number, as in DRF.
    page = str(number) if number > 1 else None
    return call.link({"page": page, "cursor": _write_cursor(position)})


def _write_cursor(position: listing.Position) -> str:
    raw = bytes([position.above]) + UUID(position.task_id).bytes
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _read_cursor(text: str) -> listing.Position:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        position = listing.Position(task_id=str(UUID(bytes=raw[1:])), above=bool(raw[0]))
    except (ValueError, IndexError):
        raise errors.NotFound("Invalid page.") from None
    # base64 passes over what does not belong to it: only a cursor of ours is as we write it.
    if _write_cursor(position) != text:
        raise errors.NotFound("Invalid page.")
    return position
