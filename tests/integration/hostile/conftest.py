"""What hostile requests are sent to: one service per module, since they must not change it."""

from collections.abc import Iterator

import boto3
import pytest
import time_machine
from chalice.test import Client

from chalicelib import security
from chalicelib.config import settings
from tests import cloud, invariants
from tests.drivers import NOON, Api, Clock
from tests.integration.tools import new_user

_SESSION = boto3.Session(region_name=cloud.REGION)


@pytest.fixture(scope="module")
def aws(_stack: None) -> Iterator[None]:
    settings()
    security._keys.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boto3, "DEFAULT_SESSION", _SESSION)
        cloud.empty_resources(_SESSION)
        yield
        invariants.check()


@pytest.fixture(scope="module")
def clock() -> Iterator[Clock]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield Clock(traveller)


@pytest.fixture(scope="module")
def client(aws: None, clock: Clock) -> Iterator[Client]:
    from app import app

    with Client(app) as client:
        yield client


@pytest.fixture(scope="module")
def api(client: Client) -> Api:
    return Api(client)


@pytest.fixture(scope="module")
def ann(client: Client) -> Api:
    return new_user(client, "ann")


@pytest.fixture(scope="module")
def bob(client: Client) -> Api:
    return new_user(client, "bob")
