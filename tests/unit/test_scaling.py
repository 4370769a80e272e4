"""docs/scaling.md is what bench/scaling.py computes, from what the service really does."""

import re
from typing import Any

import pytest

from app import app
from bench import costs, fairness, fairness_chart, prices, quotas, scaling, workload
from chalicelib.models import SWEEP_SHARDS
from infra import ROOT

DOCUMENT = scaling.DOCUMENT.read_text()


def test_the_document_is_up_to_date() -> None:
    assert scaling.render(DOCUMENT) == DOCUMENT, "run `make scaling`"


def test_the_picture_is_up_to_date() -> None:
    assert fairness_chart.draw() == scaling.PICTURE.read_text(), "run `make scaling`"


def test_every_table_is_filled() -> None:
    assert not re.search(r"<!-- table: .* -->\n<!-- end -->", DOCUMENT)


def test_the_text_names_what_was_measured_and_when_prices_were_looked_up() -> None:
    date, machine = workload.MACHINE.split(", ", 1)
    assert f"on {date} ({machine})" in DOCUMENT
    assert f"occupies {workload.RESIDENT} MB" in DOCUMENT
    assert f"{workload.AWS_CALL} ms for AWS to answer" in DOCUMENT
    assert f"looked up on {prices.LOOKED_UP}" in DOCUMENT


def test_the_text_names_the_idle_costs_as_operations_does() -> None:
    assert f"to {costs.IDLE}**" in (ROOT / "docs" / "operations.md").read_text()
    assert f"without tasks it costs ${costs.IDLE:.0f}" in DOCUMENT


def test_the_computation_has_the_settings_of_the_service() -> None:
    worker: Any = next(one for one in app.event_sources if one.name == "worker")
    assert worker.maximum_concurrency == fairness.MAX_BATCHES
    assert worker.batch_size == fairness.BATCH_SIZE
    assert quotas.SWEEP_SHARDS == SWEEP_SHARDS


@pytest.mark.parametrize(("millions", "dollars"), [(2, 7), (333, 1165.5), (433, 1445.5)])
def test_api_gateway_charges_less_for_what_exceeds_a_tier(millions: float, dollars: float) -> None:
    assert costs.gateway(millions) == pytest.approx(dollars)


def test_a_fair_queue_shortens_the_wait_of_small_users_a_hundredfold() -> None:
    slow = {
        scenario: waits[len(waits) * 9 // 10]
        for scenario in (fairness.ONE_QUEUE, fairness.FAIR)
        for waits in [fairness.waits_since_flood(scenario)]
    }
    assert slow[fairness.ONE_QUEUE] > 100 * slow[fairness.FAIR]
