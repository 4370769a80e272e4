"""docs/lifecycle.md and chalicelib/lifecycle.py say the same."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chalicelib import lifecycle
from chalicelib.lifecycle import TRANSITIONS, Status, Transition
from chalicelib.models import Task, task, transitions
from chalicelib.models.table import Row

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "lifecycle.md").read_text()
NOW = datetime(2026, 2, 2, 9, tzinfo=UTC)


def table(heading: str) -> list[list[str]]:
    """Return the rows of the table below a heading, less its head, without backticks."""
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (.*) \|$", section, re.MULTILINE)
    return [[cell.replace("`", "") for cell in row.split(" | ")] for row in rows[2:]]


def test_the_page_lists_every_status_and_which_take_a_slot() -> None:
    documented = {name: slot == "yes" for name, _, slot in table("States")}
    assert documented == {str(status): status in lifecycle.ACTIVE for status in Status}


def test_the_page_lists_every_transition_with_its_write_and_who_makes_it() -> None:
    documented = [
        Transition(
            None if source == "-" else Status(source), Status(target), write, tuple(who.split(", "))
        )
        for source, target, write, who, _ in table("Transitions")
    ]
    assert documented == list(TRANSITIONS)


def test_every_transition_is_a_function() -> None:
    for transition in TRANSITIONS:
        assert callable(getattr(transitions, transition.write)), transition


def test_every_field_of_a_task_is_described() -> None:
    source = Path(task.__file__).read_text()
    fields = source.split("class Task(Row")[1].split("@property")[0]
    before = re.findall(r"^    (.*)\n    (\w+)(?:: .*)? = \w+Attribute\(", fields, re.MULTILINE)
    assert {
        name for _, name in before
    } == Task.get_attributes().keys() - Row.get_attributes().keys()
    assert [name for line, name in before if not line.startswith("#:")] == []


def test_nothing_leaves_a_finished_status() -> None:
    assert not {transition.source for transition in TRANSITIONS} & {*lifecycle.FINISHED}


def test_a_lease_outlives_the_worker_of_every_stage() -> None:
    config = json.loads((ROOT / ".chalice" / "config.json").read_text())
    timeout = timedelta(seconds=config["lambda_functions"]["worker"]["lambda_timeout"])
    assert timeout == lifecycle.LAMBDA_TIMEOUT < lifecycle.LEASE


def test_the_longest_run_fits_into_the_worker() -> None:
    assert lifecycle.MAX_TIMEOUT + lifecycle.TIME_RESERVE <= lifecycle.LAMBDA_TIMEOUT


def test_retries_pause_longer_each_time_up_to_15_minutes() -> None:
    backoff = timedelta(seconds=10)
    for tries in range(1, 25):
        shortest = min(backoff * 2 ** (tries - 1), lifecycle.MAX_BACKOFF)
        pause = lifecycle.retry_pause(tries, backoff)
        assert shortest <= pause <= min(shortest * 1.25, lifecycle.MAX_BACKOFF)


def test_tasks_that_failed_together_do_not_return_together() -> None:
    assert len({lifecycle.retry_pause(1, timedelta(seconds=10)) for _ in range(20)}) > 1


@pytest.mark.parametrize(
    ("receives", "seconds"),
    [(1, 5), (2, 10), (3, 20), (4, 40), (5, 80), (6, 90), (50, 90), (1000, 90)],
)
def test_a_record_that_failed_comes_again_after_seconds(receives: int, seconds: int) -> None:
    assert lifecycle.redelivery_pause(receives) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("late", "pause"),
    [
        ({}, {"seconds": 45}),
        ({"seconds": 50}, {"seconds": 50}),
        ({"minutes": 5}, {"minutes": 5}),
        ({"hours": 3}, {"minutes": 15}),
    ],
)
def test_the_sweeper_waits_longer_the_later_a_task_is(
    late: dict[str, int], pause: dict[str, int]
) -> None:
    assert lifecycle.next_sweep(NOW, NOW - timedelta(**late)) == NOW + timedelta(**pause)


def test_the_sweeper_looks_soon_after_a_run_to_come() -> None:
    due_at = NOW + timedelta(days=1)
    assert lifecycle.next_sweep(NOW, due_at) == due_at + timedelta(seconds=45)
