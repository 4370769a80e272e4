"""What all tests share: an emulated AWS, and the environment that points the app to it."""

import os
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from tests import cloud, invariants

# The app reads its settings on import, so they are set before any test is imported.
if cloud.IN_LOCALSTACK:
    cloud.connect_to_localstack()
os.environ |= cloud.ENVIRONMENT


# A session reads AWS's models from disk; once is enough.
_SESSION = boto3.Session(region_name=cloud.REGION)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """An AWS that contains only the stack of infra/resources.yaml.

    After the test everything stored must be consistent, unless it is marked `corrupts_data`.
    """
    from chalicelib import security

    monkeypatch.setattr(boto3, "DEFAULT_SESSION", _SESSION)
    security._keys.cache_clear()
    if cloud.IN_LOCALSTACK:
        cloud.empty_resources(_SESSION)
        yield
        _check_invariants(request)
    else:
        with mock_aws():
            cloud.create_resources(_SESSION)
            yield
            _check_invariants(request)


def _check_invariants(request: pytest.FixtureRequest) -> None:
    if not request.node.get_closest_marker("corrupts_data"):
        invariants.check()
