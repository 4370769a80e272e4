"""What the tests of faults start from: a world that is cheap to begin again."""

from collections.abc import Iterator

import pytest
from chalice.test import Client

from chalicelib import models, sweeper
from chalicelib.config import settings
from tests.drivers import Clock
from tests.faults import attempts, probe, report
from tests.faults.world import World


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(report)


@pytest.fixture
def world(aws: None, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The service with one user, Ann."""
    from app import app

    settings()
    for module in (sweeper, models.task):
        # Each shard is one more call of a sweep, with the same faults.
        monkeypatch.setattr(module, "SWEEP_SHARDS", 1)
    with probe.registered(), Client(app) as client:
        yield World(client, clock, attempts.install(monkeypatch, clock))
