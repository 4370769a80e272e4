"""What all tests share: an AWS to talk to, and the environment that the app finds it in."""

import os
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from tests import cloud

# The app reads its settings when it is imported, so they are set before any test is.
if cloud.IN_LOCALSTACK:
    cloud.connect_to_localstack()
os.environ |= cloud.ENVIRONMENT


# A session reads AWS's models from disk, and a client is made from them: once is enough.
_SESSION = boto3.Session(region_name=cloud.REGION)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An AWS with nothing in it but the stack of infra/resources.yaml."""
    from chalicelib import security

    monkeypatch.setattr(boto3, "DEFAULT_SESSION", _SESSION)
    security._keys.cache_clear()
    if cloud.IN_LOCALSTACK:
        cloud.empty_resources(_SESSION)
        yield
    else:
        with mock_aws():
            cloud.create_resources(_SESSION)
            yield
