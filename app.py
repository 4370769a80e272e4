"""The Lambdas of the service: the HTTP API, the worker, the dead letters, the sweeper."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from chalice import Chalice
from chalice.app import CloudWatchEvent, SQSEvent

from chalicelib import api, moscow, sweeper, worker
from chalicelib.config import settings

#: A sweep stops when so little of its Lambda's time is left.
SWEEP_RESERVE_MS = 10_000

log = Logger(service="tasks")
app = Chalice(app_name="tasks", configure_logs=False)
api.mount(app)


@app.on_sqs_message(
    queue=settings().queue_name, batch_size=10, maximum_concurrency=100, name="worker"
)
def work(event: SQSEvent) -> Any:
    return _each(event, worker.work)


@app.on_sqs_message(queue=settings().dead_letter_queue_name, batch_size=10, name="dead_letters")
def bury(event: SQSEvent) -> Any:
    return _each(event, worker.bury)


@app.schedule("rate(1 minute)", name="sweeper")
def sweep(event: CloudWatchEvent) -> None:
    context: Any = event.context
    sweeper.sweep(moscow.now(), lambda: context.get_remaining_time_in_millis() > SWEEP_RESERVE_MS)


def _each(event: SQSEvent, handler: Any) -> Any:
    """Handle each record by itself; those that failed are named, for the queue to keep."""
    return process_partial_response(
        event=event.to_dict(),
        record_handler=handler,
        processor=BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False),
        context=event.context,  # type: ignore[arg-type]  # Chalice says dict, Lambda does not
    )
