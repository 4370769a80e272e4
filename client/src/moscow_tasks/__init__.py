"""A client of the task service, for programs; `moscow-tasks` is the one for people.

client      what the service can do, as methods
session     one request: signed, repeated where that is safe, its errors read
operations  the operations of the service's OpenAPI document
tokens      where the tokens of a user are kept
models      tasks, task types and accounts as the service shows them
errors      what can go wrong, one class per code
exact_json  JSON whose numbers keep every digit
cli         the command line; arguments and show are parts of it
"""

from moscow_tasks import errors
from moscow_tasks.client import Client
from moscow_tasks.models import Account, Event, Page, Task, TaskType
from moscow_tasks.tokens import FileStore, MemoryStore, Tokens, TokenStore

__all__ = [
    "Account",
    "Client",
    "Event",
    "FileStore",
    "MemoryStore",
    "Page",
    "Task",
    "TaskType",
    "TokenStore",
    "Tokens",
    "errors",
]
