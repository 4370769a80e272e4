"""The API without AWS: for requests that it answers by itself."""

from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from chalice.test import Client
from moto import mock_aws

from chalicelib import security
from tests import cloud
from tests.drivers import Api, Clock
from tests.integration.protocol.tools import SESSION, USER_ID


@pytest.fixture
def door(clock: Clock) -> Iterator[Api]:
    """A client of a service that has only its signing keys, and no other AWS resource.

    It answers only what needs neither the table nor the queue.
    """
    from app import app

    security._keys.cache_clear()
    with nullcontext() if cloud.IN_LOCALSTACK else mock_aws():
        cloud.restore_signing_keys(SESSION)
        yield Api(Client(app))


@pytest.fixture
def inside(door: Api, clock: Clock) -> Api:
    """The same client with a token."""
    return Api(door._client, security.issue_token(security.ACCESS, USER_ID, clock.now))
