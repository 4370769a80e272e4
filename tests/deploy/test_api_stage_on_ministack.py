"""The API's stage on MiniStack, which removes a method's settings as API Gateway does.

tests/unit/test_stage_settings.py has what both ways of deploying set.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import boto3
import pytest

from infra import api_stage, stage_settings
from infra.local.cloud import cloud
from infra.stage_settings import EVERY_METHOD, StageSettings, Throttle

STAGE = "prod"
SETTINGS = stage_settings.of(STAGE)
#: What guesses of passwords go through.
THROTTLED = ("/api/register/POST", "/api/token/POST", "/console/session/POST")
LESS = replace(SETTINGS, throttles={EVERY_METHOD: Throttle(rate=500, burst=500)})


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with cloud("embedded", tmp_path_factory.mktemp("ministack")) as endpoint:
        yield endpoint


class Api:
    """An API with a stage, as Chalice leaves it."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._id: str = client.create_rest_api(name="tasks")["id"]
        resource = client.get_resources(restApiId=self._id)["items"][0]["id"]
        method = {"restApiId": self._id, "resourceId": resource, "httpMethod": "GET"}
        client.put_method(**method, authorizationType="NONE")
        client.put_integration(**method, type="MOCK")
        client.create_deployment(restApiId=self._id, stageName=STAGE)

    def configure(self, settings: StageSettings) -> None:
        api_stage.configure(STAGE, self._id, settings)

    def set_by_hand(self, path: str, value: str) -> None:
        patch = [{"op": "replace", "path": path, "value": value}]
        self._client.update_stage(restApiId=self._id, stageName=STAGE, patchOperations=patch)

    @property
    def rates(self) -> Mapping[str, float]:
        """How many requests per second each method accepts that has settings of its own."""
        settings = self._client.get_stage(restApiId=self._id, stageName=STAGE)["methodSettings"]
        return {method: one["throttlingRateLimit"] for method, one in settings.items()}


@pytest.fixture
def api(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Api:
    session = boto3.Session("test", "test", region_name="us-east-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    monkeypatch.setattr(boto3, "client", lambda name: session.client(name, endpoint_url=endpoint))
    return Api(session.client("apigateway", endpoint_url=endpoint))


def test_a_throttle_that_leaves_the_table_leaves_the_stage(api: Api) -> None:
    api.configure(SETTINGS)
    assert api.rates == {"*/*": 500} | dict.fromkeys(THROTTLED, 20)
    api.configure(LESS)
    assert api.rates == {"*/*": 500}


def test_a_throttle_that_somebody_set_by_hand_goes(api: Api) -> None:
    api.configure(SETTINGS)
    api.set_by_hand("/~1api~1tasks/POST/throttling/rateLimit", "1")
    assert "/api/tasks/POST" in api.rates
    api.configure(SETTINGS)
    assert api.rates.keys() == {"*/*", *THROTTLED}
