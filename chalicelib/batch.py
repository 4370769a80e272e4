"""A batch of SQS messages, each handled by itself and in the time that it needs."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from aws_lambda_powertools import Logger

from chalicelib import dispatch, logs, metrics
from chalicelib.dispatch import Message
from chalicelib.lifecycle import redelivery_pause

log = Logger(service="tasks", child=True)

#: A record of an SQS event, as Lambda hands it over.
Record = Mapping[str, Any]


class BatchFailed(Exception):
    """Every record of a batch failed: an error of the Lambda, for its metric and its poller."""

    def __init__(self, failed: list[str]) -> None:
        super().__init__(f"all {len(failed)} records of the batch failed")
        #: The ids of the messages.
        self.failed = failed


def handle(
    records: Sequence[Record],
    handler: Callable[[Message], None],
    *,
    queue_url: str,
    time_left: Callable[[], timedelta],
    time_needed: Callable[[Message], timedelta],
) -> list[str]:
    """Handle each record; return the ids of those that the queue must deliver again.

    If there is too little time left for a record, it and the rest of the batch go back to the
    queue at once. A record that failed comes again some seconds later.

    Raises BatchFailed if every record failed.
    """
    failed: list[str] = []
    for position, record in enumerate(records):
        try:
            message = dispatch.parse_message(record["body"])
        except ValueError:
            # The service did not write it, and a retry cannot fix it.
            log.error("message_malformed", message_id=record["messageId"])
            continue
        if time_left() < time_needed(message):
            rest = records[position:]
            log.info("records_given_back", records=len(rest))
            _redeliver(queue_url, rest, timedelta())
            return failed + [one["messageId"] for one in rest]
        if not _succeeds(handler, message, record, queue_url):
            failed.append(record["messageId"])
    if failed and len(failed) == len(records):
        raise BatchFailed(failed)
    return failed


def _succeeds(
    handler: Callable[[Message], None], message: Message, record: Record, queue_url: str
) -> bool:
    keys = {"task_id": message.task_id, "user_id": message.user_id}
    keys |= logs.origin_keys(message.origin)
    log.thread_safe_append_keys(**keys)
    try:
        handler(message)
    except Exception as error:
        receives = int(record["attributes"]["ApproximateReceiveCount"])
        log.error("record_failed", receives=receives, **logs.exception_keys(error))
        metrics.count("RecordsFailed")
        _redeliver(queue_url, [record], redelivery_pause(receives))
        return False
    finally:
        log.thread_safe_remove_keys(list(keys))
    return True


def _redeliver(queue_url: str, records: Sequence[Record], delay: timedelta) -> None:
    try:
        dispatch.change_visibility(queue_url, [one["receiptHandle"] for one in records], delay)
    except Exception as error:
        # Then the queue delivers them after its visibility timeout.
        log.error("change_visibility_failed", records=len(records), **logs.exception_keys(error))
