"""What all tests share: an emulated AWS, and the environment that points the app to it."""

import gc
import os
from collections.abc import Iterator

import boto3
import pytest
import time_machine
from hypothesis import HealthCheck, settings
from moto import mock_aws

from tests import cloud, fast_moto, invariants
from tests.drivers import NOON, Clock

# The app reads its settings on import, so they are set before any test is imported.
if cloud.IN_LOCALSTACK:
    cloud.connect_to_localstack()
os.environ |= cloud.ENVIRONMENT
# Each test starts with empty queues; like AWS, moto purges a queue once a minute otherwise.
os.environ["MOTO_SQS_ENFORCE_STRICT_QUEUE_PURGE_BEHAVIOUR"] = "false"


# A session reads AWS's models from disk; once is enough.
_SESSION = boto3.Session(region_name=cloud.REGION)


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was imported, and look for cycles less often.

    It takes a fifth of the time otherwise.
    """
    gc.freeze()
    gc.set_threshold(20_000)


@pytest.fixture(scope="module")
def _stack() -> Iterator[None]:
    if cloud.IN_LOCALSTACK:
        yield
    else:
        with mock_aws(), pytest.MonkeyPatch.context() as patch:
            fast_moto.install(patch)
            cloud.create_resources(_SESSION)
            yield


@pytest.fixture
def aws(
    _stack: None, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[None]:
    """An AWS that contains only the stack of infra/resources.yaml.

    After the test everything stored must be consistent, unless it is marked `corrupts_data`.
    """
    from chalicelib import security

    monkeypatch.setattr(boto3, "DEFAULT_SESSION", _SESSION)
    security._keys.cache_clear()
    cloud.empty_resources(_SESSION)
    yield
    _check_invariants(request)


@pytest.fixture
def clock() -> Iterator[Clock]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield Clock(traveller)


def _check_invariants(request: pytest.FixtureRequest) -> None:
    if not request.node.get_closest_marker("corrupts_data"):
        invariants.check()


def _register_profiles() -> None:
    """Let hypothesis search the same examples in each run, or with HYPOTHESIS_PROFILE=long others.

    A long search takes hours. What it finds is kept in .hypothesis/ and tried first next time.
    """
    common = settings(deadline=None, suppress_health_check=[*HealthCheck], stateful_step_count=20)
    settings.register_profile("short", common, derandomize=True, database=None)
    settings.register_profile(
        "long", common, max_examples=10_000, stateful_step_count=50, print_blob=True
    )
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


_register_profiles()
