"""What the same load costs on an always-on deployment: Django, Celery, Redis and PostgreSQL.

It runs on Fargate in two availability zones. What is assumed favors it.
"""

from bench import costs, prices
from bench.workload import CPU

#: How much of its processors a deployment uses on average.
USED = 0.5
#: vCPUs of the smallest deployment: two containers each, and Celery's beat.
LEAST_WEB, LEAST_WORKERS, BEAT = 2 * 0.5, 2 * 0.25, 0.25
GB_PER_CPU = 2
#: Clients keep their connections open.
REQUESTS_PER_CONNECTION = 10
#: New connections per second of one unit of the load balancer.
CONNECTIONS_PER_LCU = 25
ZONES = 2
STORAGE_GB = 20

#: The database, and the node of Redis per zone, that suffice up to this many tasks per second.
SIZES = (
    (10, "db.t4g.medium", "cache.t4g.small"),
    (100, "db.m7g.large", "cache.t4g.small"),
    (1_000, "db.m7g.2xlarge", "cache.m7g.large"),
)


def month(rate: float) -> dict[str, float]:
    """Return the dollars of a month of this many `sum`s per second, each polled once."""
    database, cache = next((db, cache) for limit, db, cache in SIZES if rate <= limit)
    units = 2 * rate / REQUESTS_PER_CONNECTION / CONNECTIONS_PER_LCU
    log_bytes = 2 * costs.ACCESS_LINE + 2 * costs.EVENT_LINE
    hourly = {
        "web": _fargate(max(LEAST_WEB, rate * (CPU.create + CPU.show) / 1000 / USED)),
        "workers": _fargate(max(LEAST_WORKERS, rate * CPU.run / 1000 / USED)),
        "beat": _fargate(BEAT),
        "PostgreSQL": prices.DATABASES[database].dollars,
        "Redis": ZONES * prices.CACHES[cache].dollars,
        "load balancer": prices.LOAD_BALANCER.dollars + units * prices.LCU.dollars,
    }
    return {name: prices.HOURS * dollars for name, dollars in hourly.items()} | {
        "storage": STORAGE_GB * prices.DATABASE_STORAGE.dollars,
        "CloudWatch Logs": rate * prices.SECONDS * log_bytes / 1e9 * prices.LOGS.dollars,
    }


def storage(rate: float) -> float:
    """Return the dollars that a month's tasks cost in every month after it, at the same size."""
    gigabytes = rate * prices.SECONDS * costs.STORED / 1e9
    return gigabytes * prices.DATABASE_STORAGE.dollars


def _fargate(cpus: float) -> float:
    return cpus * (prices.FARGATE_CPU.dollars + GB_PER_CPU * prices.FARGATE_MEMORY.dollars)
