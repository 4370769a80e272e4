"""Every attempt of every use case goes wrong in every way, and nothing is lost or done twice."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pytest

from tests.faults import emulated, report
from tests.faults.attempts import Fate
from tests.faults.fates import FAULTS
from tests.faults.use_cases import USE_CASES, UseCase
from tests.faults.world import FINISHED, World, moment, task_rows

#: A single fault delays nothing by more than this, in seconds.
RECOVERY = 120
#: A second fault strikes the attempt after the first one.
PAIRS = (("lost", "killed before"), ("broken", "killed after"), ("killed after", "lost"))

every_use_case = pytest.mark.parametrize("case", USE_CASES, ids=lambda case: case.name)
#: Nobody else changes what the others are about.
with_tasks = pytest.mark.parametrize(
    "case",
    [case for case in USE_CASES if case.group not in {"accounts", "show and list", "health"}],
    ids=lambda case: case.name,
)


class Play:
    """A use case that is played again and again from the same state."""

    def __init__(self, world: World, case: UseCase) -> None:
        self.world = world
        self.case = case
        self._given = case.given(world)
        self._state = emulated.save(world.clock.now)
        #: Every case that fell short, and how.
        self.failed: list[str] = []
        #: When everything is done, and the attempts that it takes, if nothing goes wrong.
        self._done_at = self._run({}, {})
        self._check_ends()
        assert [answer.status for answer in world.answers][:1] == [*case.answers][:1]
        self.attempts = [*world.attempts]

    def with_faults(self, label: str, faults: Mapping[int, Fate], group: str = "") -> None:
        """Play it with faults."""

        def play() -> float:
            late = (self._run(faults, {}) - self._done_at).total_seconds()
            self._check_ends()
            assert late <= RECOVERY * len(faults), f"{late} s late"
            return max(late, 0)

        self._note(label, group or self.case.group, play)

    def with_others(self, label: str, number: int, act: Callable[[World], Any]) -> None:
        """Play it while somebody else acts before an attempt; it may end in another way."""

        def play() -> float:
            self._run({}, {number: lambda: act(self.world)})
            return 0

        self._note(label, "others act in between", play)

    def _note(self, label: str, group: str, play: Callable[[], float]) -> None:
        try:
            recovery = play()
        except AssertionError as error:
            self.failed.append(f"{label}: {error}")
            report.record(group, survived=False, recovery=0)
        else:
            report.record(group, survived=True, recovery=recovery)

    def _run(self, faults: Mapping[int, Fate], others: Mapping[int, Callable[[], Any]]) -> datetime:
        """Return when everything was done."""
        self.world.begin(self._state)
        self.world.attempts.watch(faults)
        self.world.attempts.meanwhile = dict(others)
        self.case.act(self.world, self._given)
        self.world.attempts.stop()
        done_at = self.world.clock.now
        self.world.settle()
        self.world.check_quiet()
        return max([done_at, *(moment(row, "finished_at") for row in task_rows())])

    def _check_ends(self) -> None:
        ends = [row["status"]["S"] for row in task_rows()]
        if not (self.case.may_double and set(ends) == set(self.case.ends)):
            assert sorted(ends) == sorted(self.case.ends)
        for answer in self.world.answers:
            assert answer.status in {503, *self.case.answers}, answer.text


@every_use_case
def test_no_fault_of_one_call_loses_or_doubles_anything(world: World, case: UseCase) -> None:
    play = Play(world, case)
    for number, attempt in enumerate(play.attempts):
        for fault in FAULTS:
            if fault.can_happen_to(attempt):
                label = f"attempt {number} ({attempt}) {fault.name}"
                play.with_faults(label, {number: fault.strike()})
    assert not play.failed, "\n".join(play.failed)


@every_use_case
def test_no_two_faults_in_a_row_lose_or_double_anything(world: World, case: UseCase) -> None:
    play = Play(world, case)
    faults = {fault.name: fault for fault in FAULTS}
    for number, attempt in enumerate(play.attempts):
        for first, second in PAIRS:
            label = f"attempt {number} ({attempt}) {first}, the next one {second}"
            both = {number: faults[first].strike(), number + 1: faults[second].strike()}
            play.with_faults(label, both, "two faults")
    assert not play.failed, "\n".join(play.failed)


def cancel_all(world: World) -> None:
    """Ann cancels whatever she has."""
    for row in task_rows():
        if row["status"]["S"] not in FINISHED:
            task_id = row["sk"]["S"].removeprefix("task#")
            world.ask_once(world.ann, "POST", f"/api/tasks/{task_id}/cancel/")


OTHERS: dict[str, Callable[[World], Any]] = {
    "the owner cancels": cancel_all,
    "the sweeper ticks": World.tick,
    "a second worker gets messages": World.deliver,
}


@with_tasks
def test_nobody_who_acts_in_between_loses_or_doubles_anything(world: World, case: UseCase) -> None:
    play = Play(world, case)
    for number, attempt in enumerate(play.attempts):
        for name, act in OTHERS.items():
            play.with_others(f"{name} before attempt {number} ({attempt})", number, act)
    assert not play.failed, "\n".join(play.failed)
