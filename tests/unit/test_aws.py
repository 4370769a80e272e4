"""The clients are made from less than botocore's data, and send the same requests."""

from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from chalicelib import aws

CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "dynamodb": ("list_tables", {}),
    "scheduler": ("list_schedules", {}),
    "secretsmanager": ("list_secrets", {}),
    "sqs": ("list_queues", {}),
}
FULL = botocore.session.get_session()
# A region to come, too: nobody knows its endpoints.
REGIONS = [
    "eu-test-9",
    *(
        region
        for partition in FULL.get_available_partitions()
        for region in FULL.get_available_regions("dynamodb", partition)
    ),
]


@pytest.fixture(autouse=True)
def no_other_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


def request(session: botocore.session.Session, service: str, region: str) -> tuple[str, str]:
    """Return where a client sends a call, and for what it signs it."""
    sent = []

    def answer(request: Any, **_: Any) -> Any:
        scope = request.headers["Authorization"].decode().split("SignedHeaders")[0]
        sent.append((request.url, scope))
        return AWSResponse(request.url, 200, HTTPHeaders(), Body())

    client = session.create_client(
        service, region, aws_access_key_id="key", aws_secret_access_key="secret"
    )
    client.meta.events.register_first("before-send", answer)
    name, arguments = CALLS[service]
    getattr(client, name)(**arguments)
    (one,) = sent
    return one


class Body:
    """An empty answer."""

    def stream(self) -> list[bytes]:
        return [b"{}"]


@pytest.mark.parametrize("service", CALLS)
def test_calls_go_where_botocore_would_send_them(service: str) -> None:
    assert len(REGIONS) > 30
    differing = [
        region
        for region in REGIONS
        if request(aws.session(), service, region) != request(FULL, service, region)
    ]
    assert differing == []


def test_only_the_services_that_have_a_client_are_known() -> None:
    assert aws.session().get_available_services() == list(CALLS)
