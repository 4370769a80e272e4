"""One table of stage settings reaches API Gateway the same way by `make deploy` and the package."""

import json
from typing import Any

import boto3
import pytest

from infra import ROOT, api_stage, gateway, sam_api, stage_settings
from infra.stage_settings import EVERY_METHOD, StageSettings

CONFIG = json.loads((ROOT / ".chalice" / "config.json").read_text())
ROLE = "arn:aws:iam::123456789012:role/tasks-prod-api-logs"


class ApiGateway:
    """An API Gateway that notes what it is told."""

    def __init__(self) -> None:
        self.patches: dict[str, str] = {}
        self.removed: list[str] = []
        #: The methods with settings of their own.
        self.configured: list[str] = []
        self.responses: dict[str, Any] = {}
        self.tagged: dict[str, Any] = {}

    def update_stage(self, patchOperations: list[dict[str, str]], **_: Any) -> None:  # noqa: N803
        self.patches = {one["path"]: one["value"] for one in patchOperations if "value" in one}
        self.removed = [one["path"] for one in patchOperations if one["op"] == "remove"]

    def get_stage(self, **_: Any) -> dict[str, Any]:
        return {"methodSettings": {key: {} for key in self.configured}}

    def put_gateway_response(self, responseType: str, **response: Any) -> None:  # noqa: N803
        self.responses[responseType] = response

    def tag_resource(self, resourceArn: str, tags: Any) -> None:  # noqa: N803
        self.tagged[resourceArn] = tags

    def create_deployment(self, **_: Any) -> None: ...

    def get_account(self) -> dict[str, str]:
        return {"cloudwatchRoleArn": ROLE}


@pytest.fixture
def api_gateway(monkeypatch: pytest.MonkeyPatch) -> ApiGateway:
    fake = ApiGateway()
    monkeypatch.setattr(boto3, "client", lambda _: fake)
    monkeypatch.setattr(api_stage, "_location", lambda: ("123456789012", "eu-west-1", "aws"))
    return fake


def package_api(settings: StageSettings) -> Any:
    return sam_api.resources("prod", settings)["RestAPI"]["Properties"]


@pytest.mark.parametrize("path", ["/api/register", "/api/token", "/console/session"])
def test_accounts_and_sign_ins_are_throttled_to_tens_per_second(path: str) -> None:
    throttles = stage_settings.of("prod").throttles
    assert 10 <= throttles[path, "POST"].rate < 100 <= throttles[EVERY_METHOD].rate < 1000


def test_both_ways_of_deploying_set_the_same_throttles(api_gateway: ApiGateway) -> None:
    settings = stage_settings.of("prod")
    api_stage.configure("prod", "api", settings)
    for method in package_api(settings)["MethodSettings"]:
        key = f"{method['ResourcePath']}/{method['HttpMethod']}"
        assert api_gateway.patches[f"{key}/throttling/rateLimit"] == str(
            method["ThrottlingRateLimit"]
        )
        assert api_gateway.patches[f"{key}/metrics/enabled"] == "false"
    assert "/~1api~1token/POST/throttling/burstLimit" in api_gateway.patches
    assert "/*/*/throttling/burstLimit" in api_gateway.patches


# As AWS's example of `update-stage` shows them, and as emulators do.
@pytest.mark.parametrize("slash", ["~1", "/"])
def test_only_methods_that_are_not_in_the_table_lose_their_settings(
    api_gateway: ApiGateway, slash: str
) -> None:
    methods = [("*", "*"), ("/api/token", "POST"), ("/api/tasks/{task_id}", "GET")]
    api_gateway.configured = [path.replace("/", slash) + "/" + method for path, method in methods]
    api_stage.configure("prod", "api", stage_settings.of("prod"))
    assert api_gateway.removed == ["/~1api~1tasks~1{task_id}/GET"]


def test_both_ways_of_deploying_write_the_same_access_log(api_gateway: ApiGateway) -> None:
    settings = stage_settings.of("prod")
    api_stage.configure("prod", "api", settings)
    log = package_api(settings)["AccessLogSetting"]
    assert api_gateway.patches["/accessLogSettings/format"] == log["Format"]
    assert api_gateway.patches["/accessLogSettings/destinationArn"] == (
        "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/apigateway/tasks-prod"
    )
    assert log["DestinationArn"] == {"Fn::GetAtt": ["AccessLogGroup", "Arn"]}


def test_the_access_log_has_no_header_body_or_query() -> None:
    for value in json.loads(stage_settings.ACCESS_LOG).values():
        assert not any(word in value for word in ("header", "body", "querystring", "authorizer"))


@pytest.mark.parametrize("tracing", ["on", "off", ""])
def test_x_ray_is_off_unless_tracing_is_on(
    api_gateway: ApiGateway, monkeypatch: pytest.MonkeyPatch, tracing: str
) -> None:
    monkeypatch.setenv("TRACING", tracing)
    settings = stage_settings.of("prod")
    api_stage.configure("prod", "api", settings)
    assert api_gateway.patches["/tracingEnabled"] == str(tracing == "on").lower()
    assert package_api(settings)["TracingEnabled"] is (tracing == "on")


def test_the_api_and_its_stage_are_tagged(api_gateway: ApiGateway) -> None:
    api_stage.configure("prod", "api", stage_settings.of("prod"))
    api = "arn:aws:apigateway:eu-west-1::/restapis/api"
    assert set(api_gateway.tagged) == {api, f"{api}/stages/prod"}
    for tags in api_gateway.tagged.values():
        assert tags == {"service": "tasks", "stage": "prod"}


# CloudWatch counts a gateway response whose status was changed as a 4XXError.
@pytest.mark.parametrize(
    "name", ["INTEGRATION_TIMEOUT", "INTEGRATION_FAILURE", "DEFAULT_5XX", "DEFAULT_4XX"]
)
def test_faults_of_api_gateway_keep_their_status(api_gateway: ApiGateway, name: str) -> None:
    settings = stage_settings.of("prod")
    api_stage.configure("prod", "api", settings)
    assert "statusCode" not in api_gateway.responses[name]
    assert "StatusCode" not in package_api(settings)["GatewayResponses"][name]


@pytest.mark.parametrize("name", gateway.RESPONSES)
def test_api_gateways_own_responses_have_the_security_headers(
    api_gateway: ApiGateway, name: str
) -> None:
    settings = stage_settings.of("prod")
    api_stage.configure("prod", "api", settings)
    deployed = api_gateway.responses[name]["responseParameters"]
    packaged = package_api(settings)["GatewayResponses"][name]["ResponseParameters"]["Headers"]
    assert deployed == {f"gatewayresponse.header.{key}": value for key, value in packaged.items()}
    # A constant stands in single quotes; its own remain as they are.
    assert packaged.items() >= {
        ("Cache-Control", "'no-store'"),
        ("Content-Security-Policy", "'default-src 'none'; frame-ancestors 'none''"),
        ("Referrer-Policy", "'no-referrer'"),
        ("Strict-Transport-Security", "'max-age=31536000'"),
        ("X-Content-Type-Options", "'nosniff'"),
    }


def test_a_status_is_changed_only_between_4xx() -> None:
    assert {one.status for one in gateway.RESPONSES.values()} <= {None, 404, 413, 429}


@pytest.mark.parametrize("stage", list(CONFIG["stages"]))
def test_chalice_tags_the_lambdas_in_the_same_way(stage: str) -> None:
    tags = CONFIG["tags"] | CONFIG["stages"][stage]["tags"]
    assert tags == stage_settings.tags(stage)


def test_a_role_of_another_api_stays(
    api_gateway: ApiGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not api_stage.has_foreign_log_role("prod")
    monkeypatch.setattr(api_gateway, "get_account", lambda: {"cloudwatchRoleArn": "other"})
    assert api_stage.has_foreign_log_role("prod")
