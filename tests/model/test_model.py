"""Runs of the service beside its model, each one a search by hypothesis."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from chalice.test import Client
from hypothesis import seed, settings
from hypothesis.stateful import run_state_machine_as_test

from chalicelib.config import settings as own_settings
from tests import aws_calls
from tests.aws_calls import Calls
from tests.model.machine import Machine
from tests.model.types import define_types


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return aws_calls.install(monkeypatch)


@pytest.fixture
def client(aws: None) -> Iterator[Client]:
    from app import app

    # Before Chalice's client sets the variables of a stage.
    own_settings()
    with Client(app) as client:
        yield client


# Two halves of the search, for two processors.
@pytest.mark.parametrize("half", [1, 2])
def test_the_service_answers_as_its_model(client: Client, calls: Calls, half: int) -> None:
    define_types()
    machine: Any = partial(Machine, client, calls)
    if settings().derandomize:
        # Without a seed both halves would search the same.
        machine = seed(half)(machine)
    run_state_machine_as_test(machine)
