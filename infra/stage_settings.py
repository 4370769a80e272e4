"""How each stage runs: one table for `make deploy` and `make package`."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

#: One line of JSON per request; no tokens, no bodies.
ACCESS_LOG = json.dumps(
    {
        "time": "$context.requestTime",
        "request_id": "$context.requestId",
        "ip": "$context.identity.sourceIp",
        "method": "$context.httpMethod",
        "path": "$context.path",
        "status": "$context.status",
        "error": "$context.error.responseType",
        "ms": "$context.responseLatency",
        "bytes": "$context.responseLength",
    },
    separators=(",", ":"),
)

#: API Gateway's word for all paths and all methods.
EVERY_METHOD = ("/*", "*")


@dataclass(frozen=True)
class Throttle:
    """Requests per second that a method accepts, and how many may come at once."""

    rate: int
    burst: int


#: Each of these costs an argon2 hash, and nobody has signed in yet.
_GUESSES = Throttle(rate=20, burst=40)


def _throttles() -> Mapping[tuple[str, str], Throttle]:
    return {
        EVERY_METHOD: Throttle(rate=500, burst=500),
        ("/api/register", "POST"): _GUESSES,
        ("/api/token", "POST"): _GUESSES,
        ("/console/session", "POST"): _GUESSES,
    }


@dataclass(frozen=True)
class StageSettings:
    """The settings of a stage that are neither code nor secrets."""

    #: By path and method.
    throttles: Mapping[tuple[str, str], Throttle] = field(default_factory=_throttles)
    #: Metrics per method. They are custom metrics: $0.30 each, and each method has seven.
    detailed_metrics: bool = False
    #: X-Ray. `TRACING=on` also turns it on, for one deployment.
    tracing: bool = False
    #: How many API Lambdas may run at once, which leaves the rest to the worker; 0 for no limit.
    api_concurrency: int = 200
    log_retention_days: int = 30
    #: Requests per address and 5 minutes; 0 for no web ACL.
    waf_limit: int = 0
    #: Dollars per month of the whole account; 0 for no budget.
    monthly_budget: int = 0
    #: How CodeDeploy shifts the package's traffic to new code; None for all at once, no rollback.
    canary: str | None = None

    @property
    def parameters(self) -> dict[str, str]:
        """Return the settings that are parameters of resources.yaml."""
        return {
            "LogRetentionDays": str(self.log_retention_days),
            "WafLimit": str(self.waf_limit),
            "MonthlyBudget": str(self.monthly_budget),
        }


#: What differs from the defaults. A stage that is not here has them all.
STAGES = {"prod": StageSettings(canary="Canary10Percent10Minutes")}


def of(stage: str) -> StageSettings:
    """Return the settings of a stage."""
    settings = STAGES.get(stage, StageSettings())
    return replace(settings, tracing=True) if os.environ.get("TRACING") == "on" else settings


def tags(stage: str) -> dict[str, str]:
    """Return the tags of everything in a stage, for cost reports."""
    return {"service": "tasks", "stage": stage}


def access_log_group(stage: str) -> str:
    """Return the name of the log group that resources.yaml makes for the access log."""
    return f"/aws/apigateway/tasks-{stage}"


def method_settings(settings: StageSettings) -> list[dict[str, Any]]:
    """Return the settings of the API's methods in CloudFormation's words.

    A method's own settings replace those of `EVERY_METHOD`, so each has all of them.
    """
    return [
        {
            "ResourcePath": path if path == "/*" else "/" + path.replace("/", "~1"),
            "HttpMethod": method,
            "MetricsEnabled": settings.detailed_metrics,
            "ThrottlingRateLimit": throttle.rate,
            "ThrottlingBurstLimit": throttle.burst,
        }
        for (path, method), throttle in settings.throttles.items()
    ]
