"""Services fail for minutes or hours: nothing is lost, and everything comes back soon."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from botocore.awsrequest import AWSResponse

from tests.drivers import Api
from tests.faults import report
from tests.faults.attempts import Attempt, Attempts, Fate
from tests.faults.fates import fail, hang, refuse, throttle
from tests.faults.world import World, moment, task_rows

SERVICES = ("dynamodb", "sqs", "scheduler", "secrets-manager")
FATES = {"refusing": refuse, "failing": fail, "throttling": throttle, "hanging": hang}
MINUTES = (2, 20, 180)
#: How long after the end of an outage everything that was due is done.
RECOVERY = {2: timedelta(minutes=2), 20: timedelta(minutes=5), 180: timedelta(minutes=5)}


@contextmanager
def outage(world: World, services: tuple[str, ...], fate: Fate) -> Iterator[None]:
    def strike(attempt: Attempt, attempts: Attempts) -> AWSResponse:
        strikes = attempt.service in services
        return fate(attempt, attempts) if strikes else attempts.answer(attempt)

    world.attempts.outage = strike
    # What AWS does by itself needs its services, too; a service that throttles us serves AWS.
    world.down = set(services) if fate in (refuse, fail) else set()
    yield
    world.attempts.outage, world.down = None, set()


def use(world: World, user: Api) -> None:
    """Ask for one task of each kind, as a client that takes 503 for an answer."""
    tasks = [
        {"task_type": "sum", "input_data": {"values": [1, 2]}},
        {"task_type": "countdown", "input_data": {"seconds": 40}},
        {"task_type": "probe", "input_data": {"do": "break"}},
        {
            "task_type": "sum",
            "input_data": {"values": [3]},
            "scheduled_at": (world.clock.now + timedelta(seconds=70)).isoformat(),
        },
    ]
    for body in tasks:
        answer = world.ask_once(user, "POST", "/api/tasks/", body)
        assert answer is None or answer.status in {201, 503}, answer.text


@pytest.mark.parametrize("minutes", MINUTES, ids="{} minutes".format)
@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("services", [*((one,) for one in SERVICES), SERVICES], ids="+".join)
def test_an_outage_loses_nothing_and_all_comes_back_soon(
    world: World, services: tuple[str, ...], fate: str, minutes: int
) -> None:
    users = [world.sign_up(f"user{number}") for number in range(3)]
    use(world, users[0])
    with outage(world, services, FATES[fate]):
        begin = world.clock.now
        world.live(timedelta(seconds=30))
        use(world, users[1])
        world.live(begin + timedelta(minutes=minutes) - world.clock.now)
    end = world.clock.now
    world.sign_in(users[2])
    use(world, users[2])
    world.settle()
    world.check_quiet()
    assert {row["status"]["S"] for row in task_rows()} == {"success"}
    took = back_at(end) - end
    survived = took <= RECOVERY[minutes]
    report.record(f"outage of {minutes} minutes", survived, took.total_seconds())
    assert survived


def back_at(end: datetime) -> datetime:
    """Return when the last task was done that was created before the end of the outage."""
    created = [row for row in task_rows() if moment(row, "created_at") < end]
    return max([end, *(moment(row, "finished_at") for row in created)])
