"""Messages come ten times, in any order, and each task ends once."""

import random
from collections import Counter

from tests.faults import emulated, report
from tests.faults.world import World, message_of, task_rows

USERS, TIMES, SEED = 200, 10, 20260202


def test_1000_tasks_end_once_though_every_message_comes_ten_times(world: World) -> None:
    bodies = []
    for number in range(USERS):
        user = world.sign_up(f"user{number}")
        for kind in ("nothing", "nothing", "nothing", "refuse", "nothing"):
            task = world.create(user, "probe", input_data={"do": kind})
            bodies.append(message_of(task, user))
    emulated.queue(emulated.QUEUE)._messages.clear()
    messages = bodies * TIMES
    random.Random(SEED).shuffle(messages)
    for start in range(0, len(messages), 10):
        for body in messages[start : start + 10]:
            world.send(body)
        world.deliver()
        if start % 1000 == 0:
            world.check()
    world.check_quiet()
    ends = Counter((row["status"]["S"], row["attempts"]["N"]) for row in task_rows())
    assert ends == {("success", "1"): USERS * 4, ("failure", "1"): USERS}
    report.record("every message ten times", survived=True, recovery=0, cases=len(bodies))
