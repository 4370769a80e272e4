"""Every attempt of every use case goes wrong in every way, and nothing is lost or done twice."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

import pytest

from tests.faults import emulated, report
from tests.faults.attempts import Fate
from tests.faults.fates import FAULTS, Fault
from tests.faults.use_cases import USE_CASES, UseCase
from tests.faults.world import World, task_rows

#: A single fault delays nothing by more than this, in seconds.
RECOVERY = 120


class Play:
    """A use case that is played again and again from the same state."""

    def __init__(self, world: World, case: UseCase) -> None:
        self.world = world
        self.case = case
        self._given = case.given(world)
        self._state = emulated.save(world.clock.now)
        self.faults: list[str] = []
        #: The attempts of the use case if nothing goes wrong, and when everything is done then.
        self.attempts: list[str] = []
        self._done_at = self._run({})
        assert self.case.answers == tuple(answer.status for answer in world.answers) or (
            [answer.status for answer in world.answers][:1] == list(self.case.answers)[:1]
        )
        self.attempts = [*world.attempts]

    def play(self, label: str, faults: Mapping[int, Fate], group: str = "") -> None:
        """Play it with faults, and note what does not hold."""
        try:
            late = (self._run(faults) - self._done_at).total_seconds()
            assert late <= RECOVERY, f"{late} s late"
        except AssertionError as error:
            self.faults.append(f"{label}: {error}")
            report.record(group or self.case.group, survived=False, recovery=0)
        else:
            report.record(group or self.case.group, survived=True, recovery=max(late, 0))

    def _run(self, faults: Mapping[int, Fate]) -> datetime:
        """Return when everything was done."""
        self.world.begin(self._state)
        self.world.attempts.watch(faults)
        self.case.act(self.world, self._given)
        self.world.attempts.stop()
        done_at = self.world.clock.now
        self.world.settle()
        self.world.check_quiet()
        self._check_end()
        return max([done_at, *map(_finished_at, task_rows())])

    def _check_end(self) -> None:
        ends = [row["status"]["S"] for row in task_rows()]
        if not (self.case.may_double and set(ends) == set(self.case.ends)):
            assert sorted(ends) == sorted(self.case.ends)
        for answer in self.world.answers:
            assert answer.status in {503, *self.case.answers}, answer.text


def _finished_at(row: emulated.Row) -> datetime:
    return datetime.fromisoformat(row["finished_at"]["S"].replace("+0000", "+00:00"))


@pytest.mark.parametrize("case", USE_CASES, ids=lambda case: case.name)
def test_no_fault_of_one_call_loses_or_doubles_anything(world: World, case: UseCase) -> None:
    play = Play(world, case)
    for number, attempt in enumerate(play.attempts):
        for fault in FAULTS:
            if fault.can_happen_to(attempt):
                label = f"attempt {number} ({attempt}) {fault.name}"
                play.play(label, {number: fault.strike()})
    assert not play.faults, "\n".join(play.faults)
