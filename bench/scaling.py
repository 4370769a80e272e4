"""Computes the tables of docs/scaling.md and draws its picture: `make scaling`.

The text around the tables is written by hand. A test holds both files against this script.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from pathlib import Path

from bench import always_on, costs, fairness, fairness_chart, prices
from bench.costs import COUNTDOWN, EXTRAS, INLINE, SUM, Kind
from bench.fairness import FAIR, FAIR_AND_LIMITED, ONE_QUEUE, Scenario
from bench.quotas import QUOTAS, RATES, Quota

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "scaling.md"
PICTURE = ROOT / "docs" / "images" / "fairness.svg"

#: Tasks per second at which the service is compared with an always-on deployment.
COMPARED = (1, 10, 100, 1_000)


def main() -> None:
    DOCUMENT.write_text(render(DOCUMENT.read_text()))
    PICTURE.write_text(fairness_chart.draw())


def render(document: str) -> str:
    """Return the document with each of its tables computed again."""
    tables = {
        "invocations": invocations(),
        "tasks": per_million(),
        "extras": extras(),
        "month": month(SUM),
        "month with Prefer: wait": month(INLINE),
        "month of Celery": month_of_celery(),
        "break-even": break_even(),
        "quotas": quotas(),
        "waits": waits(),
        "prices": price_list(),
    }
    for name, table in tables.items():
        begin, end = f"<!-- table: {name} -->\n", "<!-- end -->"
        before, after = document.split(begin)
        document = before + begin + table + end + after.partition(end)[2]
    return document


def invocations() -> str:
    rows = {
        "POST": SUM.api[0],
        "POST with `Prefer: wait`": INLINE.api[0],
        "GET of a task": SUM.api[1],
        "run of a `sum`": SUM.worker[0],
        "first run of a countdown": COUNTDOWN.worker[0],
    }
    return _table(
        ("invocation", "CPU", "AWS calls", "memory", "takes"),
        (
            (
                name,
                f"{one.cpu:.1f} ms",
                f"{one.cost.calls}",
                f"{one.function.memory:,} MB",
                f"{one.seconds * 1000:.0f} ms",
            )
            for name, one in rows.items()
        ),
    )


def per_million() -> str:
    kinds = (SUM, INLINE, COUNTDOWN)
    columns = [costs.per_million(kind) for kind in kinds]
    return _bill([kind.name for kind in kinds], columns, digits=2)


def extras() -> str:
    rows = ((name, f"{costs.surcharge(one):.2f}") for name, one in EXTRAS.items())
    return _table(("what", "$ per million"), rows)


def month(kind: Kind) -> str:
    columns = [costs.month(kind, rate) for rate in COMPARED]
    return _month(columns, [costs.storage(rate) for rate in COMPARED])


def month_of_celery() -> str:
    columns = [always_on.month(rate) for rate in COMPARED]
    return _month(columns, [always_on.storage(rate) for rate in COMPARED])


def _month(columns: Sequence[Mapping[str, float]], storage: Sequence[float]) -> str:
    heads = [f"{rate:,} task{'s' if rate > 1 else ''}/s" for rate in COMPARED]
    kept = ("the month's tasks, in each later month", *(_dollars(one, 0) for one in storage))
    return _bill(heads, columns, digits=0) + _row(kept)


def break_even() -> str:
    rows = (
        (kind.name, f"{rate:.1f} tasks/s", f"{rate * prices.SECONDS / 1e6:.0f} million")
        for kind in (SUM, INLINE, COUNTDOWN)
        for rate in [_last_cheaper(kind)]
    )
    return _table(("tasks", "the service costs less up to", "tasks per month"), rows)


def _last_cheaper(kind: Kind) -> float:
    """Return the highest rate at which the service costs less; Celery's sizes come in steps."""
    rates = (tenths / 10 for tenths in range(10 * COMPARED[-1], 0, -1))
    return next(one for one in rates if _sum(costs.month(kind, one)) < _sum(always_on.month(one)))


def quotas() -> str:
    heads = ("what", "limit", *(f"{rate:,} tasks/s" for rate in RATES), "what to do then")
    rows = (
        (
            f"[{quota.name}]({quota.source})",
            f"{quota.limit:,}",
            *(_need(quota, rate) for rate in RATES),
            quota.remedy,
        )
        for quota in QUOTAS
    )
    return _table(heads, rows)


def _need(quota: Quota, rate: int) -> str:
    need = quota.need(rate)
    return f"**{ceil(need):,}**" if need > quota.limit else f"{ceil(need):,}"


def waits() -> str:
    rows = {
        "one queue for all": ONE_QUEUE,
        "fair queue": FAIR,
        "fair queue, 5 active tasks per user": FAIR_AND_LIMITED,
    }
    heads = ("a small user waits for", "median", "99th percentile", "longest")
    return _table(heads, ((name, *_spread(scenario)) for name, scenario in rows.items()))


def _spread(scenario: Scenario) -> list[str]:
    waits = fairness.waits_since_flood(scenario)
    places = (len(waits) // 2, len(waits) * 99 // 100, -1)
    return [f"{waits[place]:.1f} s" for place in places]


def price_list() -> str:
    rows = (
        (name, f"{one.dollars:.10f}".rstrip("0"), one.per, _source(one))
        for name, one in prices.NAMED.items()
    )
    return _table(("what", "$", "per", "source"), rows)


def _source(price: prices.Price) -> str:
    return f"[{price.source.split('/')[2]}]({price.source})" if price.source else "†"


def _bill(heads: Iterable[str], columns: Sequence[Mapping[str, float]], digits: int) -> str:
    """Return columns of dollars and their totals."""
    rows = [(name, *(_dollars(column[name], digits) for column in columns)) for name in columns[0]]
    total = ("**total**", *(f"**{_dollars(_sum(column), digits)}**" for column in columns))
    return _table(("$", *heads), [*rows, total])


def _dollars(amount: float, digits: int) -> str:
    return f"{amount:,.{digits}f}" if amount else ""


def _sum(column: Mapping[str, float]) -> float:
    return sum(column.values())


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "".join(map(_row, (heads, ["---"] * len(heads), *rows)))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    main()
