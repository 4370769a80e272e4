"""The operations of the service's OpenAPI document, under their ids there."""

from dataclasses import dataclass

#: How long an answer may take, in seconds; the service promises one within 20.
ANSWER = 30.0


@dataclass(frozen=True)
class Operation:
    id: str
    method: str
    path: str
    is_public: bool = False
    #: Whether doing it twice does no harm, for when nobody knows if it was done.
    is_repeatable: bool = True
    timeout: float = ANSWER


# A second try would be refused because of the first one: the name is taken.
REGISTER = Operation(
    "accounts_register", "POST", "/api/register/", is_public=True, is_repeatable=False
)
SIGN_IN = Operation("accounts_sign_in", "POST", "/api/token/", is_public=True)
# A rotated token gets its answer again for 10 seconds, so three tries must fit into them.
REFRESH = Operation("accounts_refresh", "POST", "/api/token/refresh/", is_public=True, timeout=4)
VERIFY = Operation("accounts_verify", "POST", "/api/token/verify/", is_public=True)
SIGN_OUT = Operation("accounts_sign_out", "POST", "/api/token/blacklist/", is_public=True)
TASK_TYPES = Operation("meta_list_task_types", "GET", "/api/task-types/", is_public=True)
HEALTH = Operation("meta_show_health", "GET", "/api/health/", is_public=True)
OPENAPI = Operation("meta_show_openapi", "GET", "/api/openapi.json", is_public=True)
# Repeatable because of its Idempotency-Key.
CREATE = Operation("tasks_create", "POST", "/api/tasks/")
LIST = Operation("tasks_list", "GET", "/api/tasks/")
SHOW = Operation("tasks_show", "GET", "/api/tasks/{task_id}/")
CANCEL = Operation("tasks_cancel", "POST", "/api/tasks/{task_id}/cancel/")

ALL = (
    *(REGISTER, SIGN_IN, REFRESH, VERIFY, SIGN_OUT),
    *(TASK_TYPES, HEALTH, OPENAPI),
    *(CREATE, LIST, SHOW, CANCEL),
)
