"""The net: finds tasks whose message or schedule was lost, and sends them again."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice

from aws_lambda_powertools import Logger

from chalicelib import dispatch, logs, metrics, models, scheduling
from chalicelib.lifecycle import Status, next_sweep
from chalicelib.models import SWEEP_SHARDS, Task, transitions

log = Logger(service="tasks", child=True)

#: Tasks that are read in one BatchGetItem (its quota).
BATCH = 100


@dataclass
class Tally:
    """What became of the rows that were due."""

    due: int = 0
    rescued: int = 0
    left_over: int = 0


def sweep(now: datetime, has_time: Callable[[], bool] = lambda: True) -> Tally:
    """Look at every task that is due for it, all shards side by side.

    A shard with many tasks does not hold up the others. If time runs out, the next sweep does
    the rest; it begins with another shard.
    """
    first = int(now.timestamp() // 60) % SWEEP_SHARDS
    shards = [(first + number) % SWEEP_SHARDS for number in range(SWEEP_SHARDS)]
    with ThreadPoolExecutor(SWEEP_SHARDS) as threads:
        tallies = list(threads.map(lambda shard: _sweep_shard(shard, now, has_time), shards))
    total = Tally(
        due=sum(tally.due for tally in tallies),
        rescued=sum(tally.rescued for tally in tallies),
        left_over=sum(tally.left_over for tally in tallies),
    )
    if total != Tally():
        log.info("sweep_finished", **asdict(total))
    metrics.count("SweepRescued", total.rescued)
    metrics.count("SweepLeftOver", total.left_over)
    return total


def _sweep_shard(shard: int, now: datetime, has_time: Callable[[], bool]) -> Tally:
    tally = Tally()
    try:
        keys = models.read_due(shard, now)
        while batch := list(islice(keys, BATCH)):
            if not has_time():
                rest = models.count_due(shard, now)
                tally.due += rest
                tally.left_over += rest
                break
            tally.due += len(batch)
            _sweep_batch(batch, now, tally)
    except Exception as error:
        # A shard that fails must not keep the others from being swept. Nobody knows how many
        # tasks it leaves over; one is enough for the alarm.
        tally.left_over += 1
        log.error("sweep_failed", shard=shard, **logs.exception_keys(error))
    return tally


def _sweep_batch(keys: list[tuple[str, str]], now: datetime, tally: Tally) -> None:
    lost = []
    for task in models.get_many(keys):
        # The index may lag behind the table, which has the last word.
        if not isinstance(task, Task) or not task.sweep_at or task.sweep_at > now:
            continue
        if task.is_active and task.due_at <= now:
            lost.append(task)
        else:
            _attempt(_look_after, task, now, tally)
    for batch in _chunks(lost, dispatch.MAX_BATCH):
        _send_again(batch, now, tally)


def _send_again(lost: Sequence[Task], now: datetime, tally: Tally) -> None:
    """Send tasks that should have been taken up by now."""
    try:
        sent = dispatch.send_batch(lost)
    except Exception as error:
        log.error("rescue_failed", tasks=len(lost), **logs.exception_keys(error))
        sent = set()
    tally.rescued += len(sent)
    tally.left_over += len(lost) - len(sent)
    for task in lost:
        if task.task_id in sent:
            _attempt(_note_rescue, task, now, tally)


def _note_rescue(task: Task, now: datetime) -> None:
    log.warning(
        "task_rescued",
        task_id=task.task_id,
        status=task.status,
        **logs.origin_keys(task.origin),
    )
    transitions.move_sweep(task, next_sweep(now, task.due_at))


def _look_after(task: Task, now: datetime) -> None:
    """Look after a task that has ended or whose next run is to come."""
    if not task.is_active:
        # It was cancelled; its schedule may have been created after that.
        dispatch.delete_schedule(task)
        transitions.move_sweep(task, None)
    elif task.status == Status.PENDING:
        scheduling.schedule(task, now)
    else:
        dispatch.send_later(task, task.due_at, now)
        transitions.move_sweep(task, next_sweep(now, task.due_at))


def _attempt(
    action: Callable[[Task, datetime], None], task: Task, now: datetime, tally: Tally
) -> None:
    try:
        action(task, now)
    except Exception as error:
        # One row must not keep the others from being looked after.
        tally.left_over += 1
        log.error(
            "sweep_of_task_failed",
            task_id=task.task_id,
            **logs.origin_keys(task.origin),
            **logs.exception_keys(error),
        )


def _chunks(tasks: Sequence[Task], size: int) -> Iterator[Sequence[Task]]:
    for start in range(0, len(tasks), size):
        yield tasks[start : start + size]
