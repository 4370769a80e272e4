"""DynamoDB: the one table, its rows, and every expression that reads or changes them.

partition key     sort key               row
user#<user id>    user                   User: the ids of its active tasks, counts of the others
user#<user id>    task#<task id>         Task
user#<user id>    <status>#<task id>     Finished: keys alone, one per finished task
user#<user id>    idempotency#<key>      IdempotencyRecord
name#<username>   name                   Account: makes the username unique
name#<username>   attempts[#<address>]   Attempts: failed sign-ins that still count
address#<address> attempts, registrations  Attempts: the same, of an address
token#<session>   token                  Session: which refresh token is its current one

The key of a task begins with its owner, so another user's task cannot be read even by
mistake. One query fetches what belongs together: descending from `user` come the counts and
then the newest tasks.
"""

from chalicelib.models.accounts import Account
from chalicelib.models.idempotency import IdempotencyRecord
from chalicelib.models.limits import registration_limits, sign_in_limits
from chalicelib.models.sessions import Session
from chalicelib.models.sweep import SWEEP_SHARDS, count_due, read_due
from chalicelib.models.table import check_health, get_many
from chalicelib.models.task import Task
from chalicelib.models.transitions import KeyTaken, SlotsTaken
from chalicelib.models.user import User

__all__ = [
    "SWEEP_SHARDS",
    "Account",
    "IdempotencyRecord",
    "KeyTaken",
    "Session",
    "SlotsTaken",
    "Task",
    "User",
    "check_health",
    "count_due",
    "get_many",
    "read_due",
    "registration_limits",
    "sign_in_limits",
]
