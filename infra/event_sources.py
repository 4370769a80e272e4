"""The event source mappings between the queues and their functions: what Chalice leaves undone."""

import time
from collections.abc import Collection
from typing import TYPE_CHECKING

import boto3

from infra import PATIENCE, DeployError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

PARTIAL_FAILURES = ["ReportBatchItemFailures"]


def remove_leftovers(queue_arn: str, known_ids: Collection[str]) -> None:
    """Delete the mappings of a failed Chalice run that Chalice does not know about.

    Chalice would create them again, which Lambda refuses. The messages wait in their queues.
    """
    client: LambdaClient = boto3.client("lambda")
    deadline = time.monotonic() + PATIENCE
    while leftovers := [
        mapping
        for source in (queue_arn, f"{queue_arn}-dead-letters")
        for mapping in client.list_event_source_mappings(EventSourceArn=source)[
            "EventSourceMappings"
        ]
        if mapping["UUID"] not in known_ids
    ]:
        if time.monotonic() > deadline:
            raise DeployError("Event source mappings of an earlier run cannot be deleted.")
        for mapping in leftovers:
            if mapping["State"] != "Deleting":
                client.delete_event_source_mapping(UUID=mapping["UUID"])
        time.sleep(1)


def report_partial_failures(mapping_id: str) -> None:
    """Let a queue's function report which messages failed, and check that the setting took effect.

    Otherwise Lambda would delete the failed messages too. Chalice cannot set this.
    """
    client: LambdaClient = boto3.client("lambda")
    deadline = time.monotonic() + PATIENCE
    is_requested = False
    while time.monotonic() < deadline:
        mapping = client.get_event_source_mapping(UUID=mapping_id)
        is_set = mapping.get("FunctionResponseTypes") == PARTIAL_FAILURES
        if mapping["State"] == "Enabled" and is_set:
            return
        if mapping["State"] == "Enabled" and not is_requested:
            client.update_event_source_mapping(
                UUID=mapping_id,
                FunctionResponseTypes=PARTIAL_FAILURES,  # type: ignore[arg-type]
            )
            is_requested = True
        else:
            time.sleep(2)
    raise DeployError(f"Event source mapping {mapping_id} does not report partial failures.")
