"""The Lambdas of the service: the HTTP API, the worker, the dead letters, the sweeper."""

import gc

# What a start allocates stays, so a collection finds nothing: all of them together took a tenth of
# it. The end of this file has the rest.
gc.disable()

import os
from datetime import timedelta
from typing import Any

from aws_lambda_powertools import Logger
from chalice import Chalice
from chalice.app import CloudWatchEvent, SQSEvent

from chalicelib import metrics, times
from chalicelib.config import settings

#: A sweep stops when its Lambda has this little time left.
SWEEP_RESERVE = timedelta(seconds=10)

log = Logger(service="tasks")
app = Chalice(app_name="tasks", configure_logs=False)


def _is_for(*handlers: str) -> bool:
    """Tell whether this process is for one of the Lambdas; outside of Lambda, it is for all."""
    return os.environ.get("_HANDLER", handlers[0]) in handlers


# A new container is waited for, so it imports what its Lambda needs. It does so here and not when
# the first event comes: Lambda gives more CPU time to a start.
if _is_for("app.app"):
    from chalicelib import api

    api.mount(app)
if _is_for("app.work", "app.handle_dead_letters"):
    from chalicelib import batch, worker
if _is_for("app.sweep"):
    from chalicelib import sweeper


@app.on_sqs_message(
    queue=settings().queue_name, batch_size=10, maximum_concurrency=100, name="worker"
)
@metrics.flushed
def work(event: SQSEvent) -> Any:
    return _handle(event, worker.handle_message, settings().queue_url)


@app.on_sqs_message(queue=settings().dead_letter_queue_name, batch_size=10, name="dead_letters")
@metrics.flushed
def handle_dead_letters(event: SQSEvent) -> Any:
    return _handle(event, worker.handle_dead_letter, settings().dead_letter_queue_url)


@app.schedule("rate(1 minute)", name="sweeper")
@metrics.flushed
def sweep(event: CloudWatchEvent) -> None:
    sweeper.sweep(times.now(), lambda: _time_left(event) > SWEEP_RESERVE)


def _handle(event: SQSEvent, handler: Any, queue_url: str) -> Any:
    """Answer as ReportBatchItemFailures wants it: the queue keeps the records named."""
    failed = batch.handle(
        event.to_dict()["Records"],
        handler,
        queue_url=queue_url,
        time_left=lambda: _time_left(event),
        time_needed=worker.time_needed,
    )
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _time_left(event: Any) -> timedelta:
    return timedelta(milliseconds=event.context.get_remaining_time_in_millis())


# No collection need ever look through what a start has left.
gc.freeze()
gc.enable()
