"""The life of a task: its states, the writes that change them, and all of its times.

docs/lifecycle.md is the same table in prose; a test holds the two against each other.
"""

import random
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """Where a task is in its life."""

    #: Stored; no worker has taken it up yet.
    PENDING = "pending"
    #: A worker has taken it up; it runs, or waits for its next run.
    STARTED = "started"
    #: Ended with a result.
    SUCCESS = "success"
    #: Ended with an error.
    FAILURE = "failure"
    #: Ended by its owner.
    CANCELLED = "cancelled"


#: A task in one of these takes one of its owner's slots.
ACTIVE = (Status.PENDING, Status.STARTED)
#: A task in one of these never changes again.
FINISHED = (Status.SUCCESS, Status.FAILURE, Status.CANCELLED)

#: Pending and started tasks that one user may have at a time.
ACTIVE_LIMIT = 5


class Transition(NamedTuple):
    """One way from a state to the next."""

    #: None: the task did not exist before.
    source: Status | None
    target: Status
    #: The function of `chalicelib.models.transitions` that writes it.
    write: str
    #: The Lambda functions that make this write, by their Chalice names.
    by: tuple[str, ...]


TRANSITIONS = (
    Transition(None, Status.PENDING, "create", ("api_handler",)),
    Transition(Status.PENDING, Status.STARTED, "claim", ("worker",)),
    Transition(Status.STARTED, Status.STARTED, "claim", ("worker",)),
    Transition(Status.STARTED, Status.STARTED, "snooze", ("worker",)),
    Transition(Status.STARTED, Status.STARTED, "schedule_retry", ("worker",)),
    Transition(Status.STARTED, Status.SUCCESS, "finish", ("worker",)),
    Transition(Status.STARTED, Status.FAILURE, "finish", ("worker",)),
    Transition(Status.STARTED, Status.FAILURE, "discard", ("worker", "dead_letters")),
    Transition(Status.PENDING, Status.CANCELLED, "cancel", ("api_handler",)),
    Transition(Status.STARTED, Status.CANCELLED, "cancel", ("api_handler",)),
)

# -- all times of retry, lease and rescue

#: The timeout of the worker's Lambda; .chalice/config.json has the same.
LAMBDA_TIMEOUT = timedelta(seconds=60)
#: How long a worker holds a task: until its Lambda has certainly ended.
LEASE = LAMBDA_TIMEOUT + timedelta(seconds=5)
#: How long one run of a type may take, unless the type says otherwise, and at most.
DEFAULT_TIMEOUT = timedelta(seconds=30)
MAX_TIMEOUT = timedelta(seconds=50)
#: What a worker needs besides a type's timeout, to claim the task and record the outcome.
TIME_RESERVE = timedelta(seconds=5)

#: Attempts without progress before a task ends in failure, unless its type says otherwise.
DEFAULT_MAX_TRIES = 5
MAX_TRIES = 25
#: The pause before the second try, unless the type says otherwise; it doubles with each try.
DEFAULT_BACKOFF = timedelta(seconds=10)
MAX_BACKOFF = timedelta(minutes=15)

#: The longest DelaySeconds of an SQS message (SendMessage). A longer wait needs a schedule.
MAX_DELAY = timedelta(minutes=15)
#: The pause before a record whose handling failed is delivered again; it doubles, to a limit.
FIRST_REDELIVERY = timedelta(seconds=5)
LAST_REDELIVERY = timedelta(seconds=90)
#: The pause before a dead letter of a task with tries left is delivered again.
DEAD_LETTER_DELAY = timedelta(seconds=60)

#: A task not taken up this long after it was sent, or after its time, counts as lost.
RESCUE_AFTER = timedelta(seconds=45)
#: The sweeper may look this early after a run is due: moving its look costs two write units.
RESCUE_MARGIN = timedelta(seconds=10)
#: The longest pause between two rescues of one task: a backlog must not feed itself.
MAX_RESCUE_PAUSE = timedelta(minutes=15)


def retry_pause(tries: int, backoff: timedelta) -> timedelta:
    """Return the pause after the given number of failed tries: exponential, with jitter.

    Jitter adds up to a quarter, so that tasks that failed together do not return together.
    """
    doubled = backoff * (1 << min(tries - 1, 16))
    return min(doubled * random.uniform(1, 1.25), MAX_BACKOFF)  # noqa: S311  # nosec B311


def redelivery_pause(receives: int) -> timedelta:
    """Return the pause before a record that failed is delivered again."""
    return min(FIRST_REDELIVERY * (1 << min(receives - 1, 16)), LAST_REDELIVERY)


def next_sweep(now: datetime, next_run_at: datetime) -> datetime:
    """Return when the sweeper looks at a task that was just sent to run at `next_run_at`.

    A task that is late already was rescued before: the pause grows with its lateness.
    """
    if next_run_at > now:
        return next_run_at + RESCUE_AFTER
    return now + min(max(now - next_run_at, RESCUE_AFTER), MAX_RESCUE_PAUSE)
