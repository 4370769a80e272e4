"""Which quota of AWS, or setting of ours, limits the service at which rate, and what to do then."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench.costs import SUM
from bench.fairness import BATCH_SIZE, MAX_BATCHES
from bench.workload import Invocation
from infra.stage_settings import EVERY_METHOD, StageSettings

#: Tasks per second.
RATES = (10, 1_000, 100_000)
#: As in chalicelib.models, which needs a table to be imported.
SWEEP_SHARDS = 8
#: Write units of a task in the sweeper's index, which it enters and leaves, and in the table.
INDEX_WRITES = 2
TABLE_WRITES = sum(one.cost.writes for one in (*SUM.api, *SUM.worker)) - INDEX_WRITES

_DOCS = "https://docs.aws.amazon.com"
_PARTITION = f"{_DOCS}/amazondynamodb/latest/developerguide/warm-throughput-scenarios.html"
_SCHEDULER = f"{_DOCS}/scheduler/latest/UserGuide/scheduler-quotas.html"
_MAPPING = (
    f"{_DOCS}/AWSCloudFormation/latest/TemplateReference/"
    "aws-properties-lambda-eventsourcemapping-scalingconfig.html"
)
_SETTINGS = StageSettings()


class Quota(NamedTuple):
    name: str
    limit: int
    source: str
    #: What this many tasks per second need of it.
    need: Callable[[float], float]
    remedy: str


def _concurrency(invocations: Sequence[Invocation], rate: float) -> float:
    return rate * sum(one.seconds for one in invocations)


QUOTAS = (
    Quota(
        "our throttle: requests per second of a method",
        _SETTINGS.throttles[EVERY_METHOD].rate,
        "../infra/stage_settings.py",
        lambda rate: rate,
        "raise it",
    ),
    Quota(
        "our limit: the API's concurrency",
        _SETTINGS.api_concurrency,
        "../infra/stage_settings.py",
        lambda rate: _concurrency(SUM.api, rate),
        "raise it",
    ),
    Quota(
        "our limit: the worker's concurrency",
        MAX_BATCHES,
        "../app.py",
        lambda rate: _concurrency(SUM.worker, rate),
        "raise `maximum_concurrency`, to 1,000 at most",
    ),
    Quota(
        "Lambda: concurrency of an event source mapping",
        1_000,
        _MAPPING,
        lambda rate: _concurrency(SUM.worker, rate),
        "several queues, by a hash of the user",
    ),
    Quota(
        "Lambda: concurrency of an account",
        1_000,
        f"{_DOCS}/lambda/latest/dg/lambda-concurrency.html",
        lambda rate: _concurrency((*SUM.api, *SUM.worker), rate),
        "request more; then cells",
    ),
    Quota(
        "API Gateway: requests per second of an account",
        10_000,
        f"{_DOCS}/apigateway/latest/developerguide/limits.html",
        lambda rate: rate * len(SUM.api),
        "`Prefer: wait` halves them; request more; then cells",
    ),
    Quota(
        "DynamoDB: write units per second of a new table",
        4_000,
        _PARTITION,
        lambda rate: rate * TABLE_WRITES,
        "raise the warm throughput before the rush",
    ),
    Quota(
        "DynamoDB: write units per second of a table",
        40_000,
        f"{_DOCS}/amazondynamodb/latest/developerguide/Limits.html",
        lambda rate: rate * TABLE_WRITES,
        "request more; then cells",
    ),
    Quota(
        f"DynamoDB: write units per second of one of the sweeper's {SWEEP_SHARDS} shards",
        1_000,
        _PARTITION,
        lambda rate: rate * INDEX_WRITES / SWEEP_SHARDS,
        "raise `SWEEP_SHARDS`; then a sweeper per shard",
    ),
    Quota(
        "SQS: messages in flight",
        120_000,
        f"{_DOCS}/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html",
        # Lambda deletes the messages of a batch together.
        lambda rate: _concurrency(SUM.worker, rate) * BATCH_SIZE,
        "several queues",
    ),
    Quota(
        "Scheduler: new schedules per second, if every task has one",
        5_000,
        _SCHEDULER,
        lambda rate: rate,
        "request more; outside the large regions it is 250",
    ),
    Quota(
        "Scheduler: invocations per second, likewise",
        1_000,
        _SCHEDULER,
        lambda rate: rate,
        "request more; above it they come late, not never",
    ),
)
