"""The event source mappings between the queues and their functions: what Chalice leaves undone."""

import time
from typing import TYPE_CHECKING

import boto3

from infra import PATIENCE, DeployError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

PARTIAL_FAILURES = ["ReportBatchItemFailures"]


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
