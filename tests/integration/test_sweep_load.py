"""A sweep of many tasks: shards side by side, and the time of its Lambda."""

import json
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from threading import Barrier
from typing import Any

import pytest
from moto.dynamodb.models import dynamodb_backends

from chalicelib import sweeper
from chalicelib.models import SWEEP_SHARDS, Task
from tests import cloud
from tests.aws_calls import Calls, Make, Parameters
from tests.drivers import Api, Clock, Lambdas, sweep
from tests.integration.sweeps import Metrics, lost, reports
from tests.integration.tools import OUTAGE, Fail, message, minutes_pass, named
from tests.status_changes import StatusChanges

#: `store(3, 20_000)`: this many tasks in a shard whose messages were lost; returns their ids.
Store = Callable[[int, int], list[str]]


def ids_in(shard: int) -> Iterator[str]:
    """Yield ids of tasks that are in a shard of the sweeper's index."""
    for number in range(10**9):
        task_id = f"019c1d94-8a80-7000-8000-{number:012x}"
        if zlib.crc32(task_id.encode()) % SWEEP_SHARDS == shard:
            yield task_id


@pytest.fixture
def store(ann: Api, clock: Clock, status_changes: StatusChanges) -> Store:
    """Tasks are stored without a call: 20,000 of them would take minutes."""
    if cloud.IN_LOCALSTACK:
        pytest.skip("it stores its tasks inside moto")
    table = dynamodb_backends[cloud.ACCOUNT][cloud.REGION].tables[cloud.ENVIRONMENT["TABLE_NAME"]]

    def store(shard: int, number: int) -> list[str]:
        task_ids = list(islice(ids_in(shard), number))
        for task_id in task_ids:
            task = Task.new(
                ann.user_id,
                task_id,
                task_type="sum",
                input_data='{"values":[16]}',
                scheduled_at=None,
                now=clock.now,
            )
            table.put_item(task.serialize())
            status_changes.begin(task.pk, task.sk, task.status)
        return task_ids

    return store


@pytest.fixture
def metrics(capsys: pytest.CaptureFixture[str]) -> Metrics:
    """`metrics()`: the numbers that the sweeps since the last call reported, by name."""

    def metrics() -> dict[str, int]:
        found = {"SweepRescued": 0, "SweepLeftOver": 0}
        for report in reports(capsys):
            for name in found.keys() & report.keys():
                found[name] += int(sum(report[name]))
        return found

    return metrics


def shard_of(parameters: Parameters) -> int:
    """Return the shard that a Query of the index is for."""
    return int(parameters["ExpressionAttributeValues"][":0"]["N"])


def sent_ids(lambdas: Lambdas) -> list[str]:
    return [json.loads(sent["MessageBody"])["task"] for sent in lambdas.sent()]


def test_a_sweep_over_a_quiet_table_costs_8_queries(
    ann: Api, lambdas: Lambdas, clock: Clock, calls: Calls
) -> None:
    ann.created()
    lambdas.work_off()
    minutes_pass(clock, 11)
    calls.clear()
    sweep()
    assert calls.operations == ["Query"] * 8
    assert {query["IndexName"] for query in calls.of("Query")} == {"sweep"}
    assert sorted(map(shard_of, calls.of("Query"))) == [*range(8)]


def test_all_shards_are_read_at_the_same_time(ann: Api, calls: Calls) -> None:
    everybody = Barrier(SWEEP_SHARDS)

    def wait_for_the_others(make: Make) -> Any:
        everybody.wait(timeout=30)
        return make()

    calls.script("Query", wait_for_the_others)
    sweep()
    assert not everybody.broken
    assert calls.operations == ["Query"] * 8


def test_each_minute_another_shard_comes_first(
    ann: Api, clock: Clock, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With one thread the shards come one after the other, in the order in which they begin.
    monkeypatch.setattr(sweeper, "ThreadPoolExecutor", lambda _: ThreadPoolExecutor(1))
    firsts = []
    for _ in range(SWEEP_SHARDS):
        calls.clear()
        minutes_pass(clock, 1)
        order = [shard_of(query) for query in calls.of("Query")]
        assert sorted(order) == [*range(SWEEP_SHARDS)]
        firsts.append(order[0])
    assert sorted(firsts) == [*range(SWEEP_SHARDS)]


@pytest.mark.corrupts_data
def test_a_shard_whose_query_fails_does_not_stop_the_others(
    lambdas: Lambdas, clock: Clock, fail: Fail, store: Store
) -> None:
    ids = [store(shard, 1)[0] for shard in range(SWEEP_SHARDS)]
    clock.advance(minutes=1)

    def is_of_shard_5(operation: str, parameters: Parameters) -> bool:
        return operation == "Query" and shard_of(parameters) == 5

    fail(is_of_shard_5, OUTAGE, times=1)
    sweep()
    assert sorted(sent_ids(lambdas)) == sorted([*ids[:5], *ids[6:]])
    sweep()
    assert sent_ids(lambdas) == [ids[5]]


@pytest.mark.corrupts_data
def test_one_task_is_rescued_in_the_first_sweep_whatever_another_shard_holds(
    lambdas: Lambdas, clock: Clock, calls: Calls, store: Store, metrics: Metrics
) -> None:
    clock.advance(minutes=1)
    first = int(clock.now.timestamp() // 60 + 1) % SWEEP_SHARDS
    # The shard that begins is the full one.
    full, [lonely] = store(first, 20_000), store((first + 1) % SWEEP_SHARDS, 1)

    def take_its_time(make: Make) -> Any:
        answer = make()
        clock.advance(seconds=2.5)
        return answer

    def is_full(operation: str, parameters: Parameters) -> bool:
        return operation == "SendMessageBatch" and len(parameters["Entries"]) == 10

    calls.script(is_full, take_its_time)
    clock.advance(minutes=1)
    metrics()
    sweep()
    rescued = sent_ids(lambdas)
    assert lonely in rescued
    assert rescued.count(lonely) == 1
    # Of its 60 seconds the Lambda keeps the last 10: time for 20 batches of 10.
    assert len({*rescued} & {*full}) == 200
    assert metrics() == {"SweepRescued": 201, "SweepLeftOver": 19_800}


@pytest.mark.corrupts_data
def test_the_next_sweep_goes_on_with_what_was_left_over(
    lambdas: Lambdas, clock: Clock, calls: Calls, store: Store, metrics: Metrics
) -> None:
    ids = store(0, 250)
    clock.advance(minutes=1)
    lambdas.time_left = 15_000
    calls.before("SendMessageBatch", lambda: clock.advance(seconds=10))
    lambdas.sweep()
    first = sent_ids(lambdas)
    assert len(first) == 100
    assert metrics() == {"SweepRescued": 100, "SweepLeftOver": 150}
    lambdas.sweep()
    assert sorted(first + sent_ids(lambdas)) == sorted(ids)
    assert metrics() == {"SweepRescued": 150, "SweepLeftOver": 0}


def test_a_sweep_without_time_rescues_nothing_and_says_so(
    ann: Api, lambdas: Lambdas, clock: Clock, fail: Fail, metrics: Metrics
) -> None:
    task = lost(ann, fail)
    clock.advance(minutes=1)
    lambdas.time_left = 10_000
    lambdas.sweep()
    assert lambdas.sent() == []
    assert metrics() == {"SweepRescued": 0, "SweepLeftOver": 1}
    sweep()
    assert sent_ids(lambdas) == [task["id"]]


@pytest.mark.corrupts_data
def test_tasks_are_read_by_the_hundred_and_sent_by_the_ten(
    clock: Clock, calls: Calls, store: Store
) -> None:
    store(3, 125)
    clock.advance(minutes=1)
    sweep()
    read = [len(one["RequestItems"]["tasks-test"]["Keys"]) for one in calls.of("BatchGetItem")]
    assert read == [100, 25]
    sent = [len(one["Entries"]) for one in calls.of("SendMessageBatch")]
    assert sent == [10] * 12 + [5]


def test_a_rescued_task_has_the_message_and_the_group_of_any_other(
    ann: Api, lambdas: Lambdas, clock: Clock, fail: Fail
) -> None:
    task = lost(ann, fail)
    minutes_pass(clock, 1)
    [sent] = lambdas.sent()
    assert named(sent) == message(ann, task)
    assert (sent["Id"], sent["MessageGroupId"]) == (task["id"], ann.user_id)


@pytest.mark.corrupts_data
def test_messages_that_the_queue_refuses_are_left_to_the_next_sweep(
    lambdas: Lambdas, clock: Clock, calls: Calls, store: Store, metrics: Metrics
) -> None:
    store(3, 10)
    clock.advance(minutes=1)
    refused: list[str] = []

    def refuse_two(make: Make) -> Any:
        answer = make()
        refused.extend(answer["Successful"].pop()["Id"] for _ in range(2))
        failed = [{"Id": one, "SenderFault": False, "Code": "InternalError"} for one in refused]
        return answer | {"Failed": failed}

    calls.script("SendMessageBatch", refuse_two, times=1)
    sweep()
    assert metrics() == {"SweepRescued": 8, "SweepLeftOver": 2}
    lambdas.sent()
    clock.advance(seconds=1)
    sweep()
    assert sorted(sent_ids(lambdas)) == sorted(refused)


@pytest.mark.corrupts_data
def test_a_batch_that_fails_does_not_stop_the_next_one(
    lambdas: Lambdas, clock: Clock, fail: Fail, store: Store, metrics: Metrics
) -> None:
    ids = store(3, 30)
    clock.advance(minutes=1)
    fail("SendMessageBatch", OUTAGE, times=1)
    sweep()
    first = sent_ids(lambdas)
    assert len(first) == 20
    assert metrics() == {"SweepRescued": 20, "SweepLeftOver": 10}
    sweep()
    assert sorted(first + sent_ids(lambdas)) == sorted(ids)


@pytest.mark.parametrize("operation", ["Query", "BatchGetItem"])
def test_a_shard_that_fails_is_reported_as_left_over(
    ann: Api, clock: Clock, fail: Fail, metrics: Metrics, operation: str
) -> None:
    lost(ann, fail)
    clock.advance(minutes=1)
    fail(operation, OUTAGE)
    sweep()
    assert metrics()["SweepLeftOver"] == {"Query": SWEEP_SHARDS, "BatchGetItem": 1}[operation]
