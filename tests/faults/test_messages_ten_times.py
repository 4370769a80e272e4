"""Messages come ten times, in any order, and each of 1,000 tasks ends once."""

import random
from collections import Counter

import pytest

from tests.faults import emulated, report
from tests.faults.world import World, message_of, task_rows

#: Four times 50 users with 5 tasks each, so that the processors share them.
SEEDS, USERS, TIMES = range(4), 50, 10


@pytest.mark.parametrize("seed", SEEDS)
def test_tasks_end_once_though_every_message_comes_ten_times(world: World, seed: int) -> None:
    bodies = []
    for number in range(USERS):
        user = world.sign_up(f"user{number}")
        for kind in ("nothing", "nothing", "nothing", "refuse", "nothing"):
            task = world.create(user, "probe", input_data={"do": kind})
            bodies.append(message_of(task, user))
    emulated.queue(emulated.QUEUE)._messages.clear()
    messages = bodies * TIMES
    random.Random(seed).shuffle(messages)
    for start in range(0, len(messages), 10):
        for body in messages[start : start + 10]:
            world.send(body)
        world.deliver()
    world.check_quiet()
    ends = Counter((row["status"]["S"], row["attempts"]["N"]) for row in task_rows())
    assert ends == {("success", "1"): USERS * 4, ("failure", "1"): USERS}
    report.record("every message ten times", survived=True, recovery=0, cases=len(bodies))
