"""DynamoDB: the one table, its rows, and every expression that reads or changes them.

partition key     sort key               row
user#<user id>    user                   User: the ids of its active tasks, counts of the others
user#<user id>    task#<task id>         Task
user#<user id>    <status>#<task id>     Finished: keys alone, one per finished task
user#<user id>    idempotency#<key>      IdempotencyRecord
name#<username>   name                   Account: makes the username unique
name#<username>   failure#<time>#<id>    SignInFailure
token#<jti>       token                  RevokedToken

The key of a task begins with its owner, so another user's task cannot be read even by
mistake. One query fetches what belongs together: descending from `user` come the counts and
then the newest tasks; descending from `name` come the account and its newest failures.
"""

from chalicelib.models.accounts import (
    SIGN_IN_FAILURES,
    SIGN_IN_WINDOW,
    Account,
    RevokedToken,
    SignInFailure,
)
from chalicelib.models.idempotency import IdempotencyRecord
from chalicelib.models.sweep import SWEEP_SHARDS, count_due, read_due
from chalicelib.models.table import check_health, connect, get_many
from chalicelib.models.task import Task
from chalicelib.models.transitions import KeyTaken, SlotsTaken
from chalicelib.models.user import User

__all__ = [
    "SIGN_IN_FAILURES",
    "SIGN_IN_WINDOW",
    "SWEEP_SHARDS",
    "Account",
    "IdempotencyRecord",
    "KeyTaken",
    "RevokedToken",
    "SignInFailure",
    "SlotsTaken",
    "Task",
    "User",
    "check_health",
    "connect",
    "count_due",
    "get_many",
    "read_due",
]
