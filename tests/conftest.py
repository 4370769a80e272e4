"""What all tests share: an AWS to talk to, and the environment that the app finds it in."""

import os
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from tests import cloud

# The app reads its settings when it is imported, so they are set before any test is.
os.environ |= cloud.ENVIRONMENT


@pytest.fixture
def aws() -> Iterator[None]:
    """An AWS with nothing in it but the stack of infra/resources.yaml."""
    from chalicelib import security

    with mock_aws():
        cloud.create_resources(boto3.Session(region_name=cloud.REGION))
        security._keys.cache_clear()
        yield
