"""What tasks cost on AWS, from their calls, units and times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench import prices, workload
from bench.fairness import BATCH_SIZE
from bench.workload import API, CPU, CREATE, RUN, SHOW, SNOOZE, WORKER, Invocation

# -- bytes of logs; assumed, from the lines that the service writes

ACCESS_LINE = 250
#: What Lambda itself writes per invocation.
LAMBDA_LINES = 350
#: One line of ours: a task was created, or it ended.
EVENT_LINE = 300
METRICS = 450

#: Bytes that a `sum` of four numbers and its key occupy, with DynamoDB's 100 for each row.
STORED = 364 + 71 + 2 * 100
#: Dollars per month of what runs without tasks: docs/operations.md, "Idle".
IDLE = 10.58

#: From this many tasks per second on, all batches are full: assumed.
FULL_BATCHES_FROM = 1_000


@dataclass(frozen=True)
class Kind:
    """One way in which clients have a task done."""

    name: str
    api: tuple[Invocation, ...]
    worker: tuple[Invocation, ...] = ()
    #: Documents of metrics that the API and the worker write.
    api_metrics: int = 2
    worker_metrics: int = 0


_SHOW = Invocation(API, CPU.show, SHOW)
_POST_AND_POLL = (Invocation(API, CPU.create, CREATE), _SHOW)
_SNOOZE = Invocation(WORKER, CPU.snooze, SNOOZE)
_RUN = Invocation(WORKER, CPU.run, RUN)

SUM = Kind("`sum`, polled once", _POST_AND_POLL, (_RUN,), worker_metrics=1)
INLINE = Kind("`sum`, `Prefer: wait`", (Invocation(API, CPU.inline, workload.INLINE),))
COUNTDOWN = Kind("countdown of 30 s", _POST_AND_POLL, (_SNOOZE, _RUN), worker_metrics=1)


def per_million(kind: Kind, batch: int = 1, request: float | None = None) -> dict[str, float]:
    """Return the dollars per million tasks, with this many messages per batch.

    `request` is API Gateway's price of a million requests, if it is not the highest one.
    """
    costs = [one.cost for one in (*kind.api, *kind.worker)]
    requests, runs = len(kind.api), len(kind.worker)
    return {
        "API Gateway": requests * (request or prices.API_GATEWAY.dollars),
        "API Lambda": _lambda(kind.api),
        "worker Lambda": _lambda(kind.worker, batch),
        "SQS": runs * _message(batch),
        "DynamoDB, writes": sum(cost.writes for cost in costs) * prices.WRITES.dollars,
        "DynamoDB, reads": sum(cost.reads for cost in costs) * prices.READS.dollars,
        "CloudWatch Logs": _logs(
            ACCESS_LINE * requests
            + LAMBDA_LINES * (requests + runs / batch)
            + EVENT_LINE * 2
            + METRICS * (kind.api_metrics + kind.worker_metrics / batch)
        ),
    }


def month(kind: Kind, rate: float) -> dict[str, float]:
    """Return the dollars of a month of this many tasks per second."""
    millions = rate * prices.SECONDS / 1e6
    requests = millions * len(kind.api)
    batch = BATCH_SIZE if rate >= FULL_BATCHES_FROM else 1
    dollars = per_million(kind, batch, gateway(requests) / requests)
    return {name: millions * price for name, price in dollars.items()} | {"idle": IDLE}


def storage(rate: float) -> float:
    """Return the dollars that a month's tasks cost in every month after it."""
    gigabytes = rate * prices.SECONDS * STORED / 1e9
    return gigabytes * (prices.STORAGE.dollars + prices.BACKUP.dollars)


@dataclass(frozen=True)
class Extra:
    """What a variant of a task needs on top."""

    writes: int = 0
    reads: int = 0
    polls: int = 0
    #: Messages, each with an invocation of the worker.
    messages: int = 0
    schedules: int = 0
    log_bytes: int = 0


#: A `sum` is what they are compared with.
EXTRAS: Mapping[str, Extra] = {
    "one more poll": Extra(polls=1),
    "`Idempotency-Key`": Extra(writes=2),
    "countdown of up to 35 s": Extra(writes=2, messages=1),
    "countdown of up to 15 minutes": Extra(writes=4, messages=1),
    "countdown of more": Extra(writes=5, reads=1, messages=2, schedules=1),
    "`scheduled_at`, up to 15 minutes ahead": Extra(writes=5, reads=2, messages=2, schedules=1),
    "`scheduled_at`, more than that ahead": Extra(writes=4, reads=1, messages=1, schedules=1),
    "a failed attempt, with its traceback": Extra(writes=4, messages=1, log_bytes=2_000),
}


def surcharge(extra: Extra) -> float:
    """Return the dollars of a million of them."""
    poll = prices.API_GATEWAY.dollars + _lambda([_SHOW]) + SHOW.reads * prices.READS.dollars
    message = _message(batch=1) + _lambda([_SNOOZE]) + _logs(LAMBDA_LINES)
    return (
        extra.writes * prices.WRITES.dollars
        + extra.reads * prices.READS.dollars
        + extra.polls * (poll + _logs(ACCESS_LINE + LAMBDA_LINES))
        + extra.messages * message
        + extra.schedules * prices.SCHEDULES.dollars
        + _logs(extra.log_bytes)
    )


def _lambda(invocations: Sequence[Invocation], batch: int = 1) -> float:
    requests = len(invocations) / batch * prices.LAMBDA_REQUESTS.dollars
    gb_seconds = sum(1e6 * one.seconds * one.function.memory / 1024 for one in invocations)
    return requests + gb_seconds * prices.LAMBDA_ARM.dollars


def _message(batch: int) -> float:
    """Return what a million messages cost: to send, and to receive and delete in batches."""
    return (1 + 2 / batch) * (prices.SQS.dollars + prices.SQS_FAIR.dollars)


def _logs(size: float) -> float:
    """Return what this many bytes per task cost, a million times."""
    return size * 1e6 / 1e9 * prices.LOGS.dollars


def gateway(millions: float) -> float:
    """Return what this many million requests cost in a month."""
    dollars = 0.0
    ends = [begin for begin, _ in prices.API_GATEWAY_TIERS[1:]] + [float("inf")]
    for (begin, price), end in zip(prices.API_GATEWAY_TIERS, ends, strict=True):
        dollars += max(0.0, min(millions, end) - begin) * price
    return dollars
