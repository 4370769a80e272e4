"""What can go wrong, one class per code of the service.

TasksError
├── Unreachable               no answer came
├── UnexpectedAnswer          the answer is not this service's
├── WaitTimeout               the task did not finish in the time given
└── ServiceError              the service refused; of a code that is not below
    ├── InvalidFields         (has no code)
    ├── ParseError            parse_error
    ├── InvalidHost           invalid_host
    ├── InvalidIdempotencyKey invalid_idempotency_key
    ├── NotSignedIn
    │   ├── NotAuthenticated        not_authenticated
    │   ├── BadAuthorizationHeader  bad_authorization_header
    │   ├── TokenNotValid           token_not_valid
    │   ├── UserNotFound            user_not_found
    │   └── WrongCredentials        no_active_account
    ├── NotFound              not_found
    ├── NotAcceptable         not_acceptable
    ├── AlreadyFinished       already_finished
    ├── RequestTooLarge       request_too_large
    ├── UnsupportedMediaType  unsupported_media_type
    ├── IdempotencyKeyReused  idempotency_key_reused
    ├── LimitReached
    │   ├── ActiveTaskLimit         active_task_limit
    │   └── Throttled               throttled
    ├── InternalError         internal
    └── Unavailable           unavailable
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import httpx

from moscow_tasks import exact_json
from moscow_tasks.models import Task

#: What a gateway in front of the service answers while the service cannot.
_GATEWAY_STATUSES = {502, 503, 504}


class TasksError(Exception):
    """The base of all errors of this package."""


class Unreachable(TasksError):
    """No answer came: the service is down, or the URL or the network is wrong."""


class UnexpectedAnswer(TasksError):
    """The answer is not one of this service."""


class WaitTimeout(TasksError, TimeoutError):
    """The task did not finish in the time given; it goes on."""

    def __init__(self, task: Task) -> None:
        """`task` is as it was seen last."""
        super().__init__(f"The task {task.id} is still {task.status}.")
        self.task = task


#: The class of each code.
BY_CODE: dict[str, type["ServiceError"]] = {}


class ServiceError(TasksError):
    """The service refused a request: `detail` says why in words, `code` for programs."""

    code: str = ""

    def __init_subclass__(cls, code: str = "") -> None:
        cls.code = code
        if code:
            BY_CODE[code] = cls

    def __init__(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        self.status = status
        self.body = body
        self.detail = str(body.get("detail") or f"HTTP status {status}")
        self.code = str(body.get("code") or self.code)
        self.request_id = headers.get("X-Request-Id")
        seconds = headers.get("Retry-After", "")
        #: After how many seconds to try again, if the service said so.
        self.retry_after = int(seconds) if seconds.isdecimal() else None
        super().__init__(self.detail)


class InvalidFields(ServiceError):
    """Some fields are invalid; `fields` has the reasons for each, nested as the request is."""

    @property
    def fields(self) -> Mapping[str, Any]:
        return self.body

    def reasons(self) -> list[str]:
        """Return the reasons as lines, such as `input_data.values: This field is required.`"""
        return _lines(self.body)


class ParseError(ServiceError, code="parse_error"):
    """The body is not JSON."""


class InvalidHost(ServiceError, code="invalid_host"):
    """The host in the URL is no valid one."""


class InvalidIdempotencyKey(ServiceError, code="invalid_idempotency_key"):
    """The Idempotency-Key is not 1 to 255 visible ASCII characters."""


class NotSignedIn(ServiceError):
    """There is no user to act for. Sign in (again)."""


class NotAuthenticated(NotSignedIn, code="not_authenticated"):
    """Nobody has signed in."""


class BadAuthorizationHeader(NotSignedIn, code="bad_authorization_header"):
    """The Authorization header is malformed."""


class TokenNotValid(NotSignedIn, code="token_not_valid"):
    """The session has expired or was ended."""


class UserNotFound(NotSignedIn, code="user_not_found"):
    """The user no longer exists."""


class WrongCredentials(NotSignedIn, code="no_active_account"):
    """The user is unknown or the password is wrong."""


class NotFound(ServiceError, code="not_found"):
    """It does not exist, or belongs to another user."""


class NotAcceptable(ServiceError, code="not_acceptable"):
    """The request does not accept JSON."""


class AlreadyFinished(ServiceError, code="already_finished"):
    """The task has finished and cannot be cancelled."""

    @property
    def task(self) -> Task:
        return Task.model_validate(self.body["task"])


class RequestTooLarge(ServiceError, code="request_too_large"):
    """The request is larger than 64 KiB."""


class UnsupportedMediaType(ServiceError, code="unsupported_media_type"):
    """The body is not declared as JSON."""


class IdempotencyKeyReused(ServiceError, code="idempotency_key_reused"):
    """The Idempotency-Key was used for another task within the last 24 hours."""


class LimitReached(ServiceError):
    """A limit does not allow this now."""


class ActiveTaskLimit(LimitReached, code="active_task_limit"):
    """The user has as many active tasks as a user may have."""

    @property
    def active(self) -> int:
        return int(self.body["active"])

    @property
    def limit(self) -> int:
        return int(self.body["limit"])


class Throttled(LimitReached, code="throttled"):
    """There were too many failed sign-ins, or registrations; `retry_after` says how to go on."""


class InternalError(ServiceError, code="internal"):
    """The service has a bug; its log has more under `request_id`."""


class Unavailable(ServiceError, code="unavailable"):
    """Something that the service depends on is down."""


def read(response: httpx.Response) -> ServiceError:
    """Return the error that a response tells of."""
    try:
        body = exact_json.loads(response.content)
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    return _class(response.status_code, body)(response.status_code, body, response.headers)


def _class(status: int, body: Mapping[str, Any]) -> type[ServiceError]:
    if "code" in body:
        return BY_CODE.get(str(body["code"]), ServiceError)
    if status in _GATEWAY_STATUSES:
        return Unavailable
    is_about_fields = status == HTTPStatus.BAD_REQUEST and body and "detail" not in body
    return InvalidFields if is_about_fields else ServiceError


def _lines(reasons: Any, path: str = "") -> list[str]:
    if isinstance(reasons, Mapping):
        named = {name: f"{path}.{name}".lstrip(".") for name in reasons}
        return [line for name in reasons for line in _lines(reasons[name], named[name])]
    if isinstance(reasons, list):
        return [line for reason in reasons for line in _lines(reason, path)]
    return [f"{path}: {reasons}".removeprefix("non_field_errors: ")]
