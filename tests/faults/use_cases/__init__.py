"""All that the service does, one use case each: what is given, and what is done.

In every use case AWS is called, or may be. `ends` are the statuses of all tasks when everything
is quiet; `answers` are those of the last answer to each request. Where a client that got no answer
repeats what took effect, more than one is right.
"""

# Importing these registers their use cases.
from tests.faults.use_cases import accounts, sweeper, tasks, worker  # noqa: F401
from tests.faults.use_cases.base import USE_CASES, UseCase

__all__ = ["USE_CASES", "UseCase"]
