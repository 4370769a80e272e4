"""Processes that act at the same moment, as many Lambdas do."""

import json
import multiprocessing
from collections.abc import Callable, Sequence
from multiprocessing.synchronize import Barrier
from typing import Any

from infra.local.loops import TIMEOUT_MS
from tests.drivers import Context

#: Concurrent processes; two cores cannot run more.
PROCESSES = 8
#: The longest that a race may take, in seconds.
PATIENCE = 120

Call = tuple[str, str, Any, dict[str, str]]


def race(*jobs: tuple[Callable[..., Any], tuple[Any, ...]]) -> list[Any]:
    """Run each job in its own process, all from the same moment; return their results."""
    spawn = multiprocessing.get_context("spawn")
    barrier, results = spawn.Barrier(len(jobs)), spawn.Queue()
    processes = [
        spawn.Process(target=_run, args=(number, barrier, results, job, arguments))
        for number, (job, arguments) in enumerate(jobs)
    ]
    for process in processes:
        process.start()
    found = dict(results.get(timeout=PATIENCE) for _ in processes)
    for process in processes:
        process.join(PATIENCE)
    return [found[number] for number in range(len(jobs))]


def spread(calls: Sequence[Call]) -> list[tuple[int, Any]]:
    """Make HTTP calls from all processes at once; return the status and body of each."""
    shares = [calls[number::PROCESSES] for number in range(min(PROCESSES, len(calls)))]
    return [answer for share in race(*((http, (share,)) for share in shares)) for answer in share]


def http(calls: Sequence[Call]) -> list[tuple[int, Any]]:
    """Make HTTP calls one after the other: method, path, body, headers."""
    from chalice.test import Client

    from app import app

    answers = []
    with Client(app) as client:
        for method, path, body, headers in calls:
            sent = {"Content-Type": "application/json", "Host": "api.test", **headers}
            content = b"" if body is None else json.dumps(body).encode()
            answer = client.http.request(method, path, sent, content)
            answers.append((answer.status_code, json.loads(answer.body or b"null")))
    return answers


def deliver(body: str) -> list[str]:
    """Deliver a message to the worker; return the ids of the messages that failed."""
    from app import app

    record = {
        "messageId": "0",
        "receiptHandle": "receipt-0",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
    }
    answer = app.handler_map["worker"]({"Records": [record]}, Context("worker", TIMEOUT_MS))
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def _run(
    number: int, barrier: Barrier, results: Any, job: Callable[..., Any], arguments: Any
) -> None:
    # A cold start is not part of the race.
    import app  # noqa: F401
    from chalicelib import dispatch, models

    models.check_health()
    dispatch.check_health()
    barrier.wait(PATIENCE)
    try:
        results.put((number, job(*arguments)))
    except Exception as error:
        results.put((number, error))
