"""What each Lambda may do: the least that its code needs, written to `.chalice/`.

Chalice reads plain JSON and substitutes nothing, so there is one file for each function of
each stage. `python -m infra.policies` writes them all; a test makes sure that they are current.
"""

import json
from pathlib import Path
from typing import Any

CHALICE = Path(__file__).parents[1] / ".chalice"
STAGES = ("dev", "prod")

Statement = dict[str, Any]


def policies(stage: str) -> dict[str, dict[str, Any]]:
    """Return the policy documents of a stage by the name that Chalice has for the function."""
    table = f"arn:aws:dynamodb:*:*:table/tasks-{stage}"
    queue = f"arn:aws:sqs:*:*:tasks-{stage}"
    dead_letters = f"{queue}-dead-letters"
    schedules = [
        _allow(
            ["scheduler:CreateSchedule", "scheduler:DeleteSchedule"],
            f"arn:aws:scheduler:*:*:schedule/tasks-{stage}/*",
        ),
        _allow(["iam:PassRole"], f"arn:aws:iam::*:role/tasks-{stage}-schedules")
        | {"Condition": {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}},
    ]
    consume = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    rows = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
    statements = {
        "api_handler": [
            _allow([*rows, "dynamodb:PutItem", "dynamodb:Query"], table),
            _allow(["dynamodb:Query"], f"{table}/index/by_status"),
            _allow(["sqs:SendMessage", "sqs:GetQueueAttributes"], queue),
            *schedules,
            _allow(
                ["secretsmanager:GetSecretValue"],
                f"arn:aws:secretsmanager:*:*:secret:tasks-{stage}-signing-keys-*",
            ),
        ],
        "worker": [
            _allow(rows, table),
            _allow([*consume, "sqs:SendMessage", "sqs:ChangeMessageVisibility"], queue),
        ],
        "dead_letters": [_allow(rows, table), _allow(consume, dead_letters)],
        "sweeper": [
            _allow(rows, table),
            _allow(["dynamodb:Query"], f"{table}/index/by_status", f"{table}/index/watched"),
            _allow(["sqs:SendMessage"], queue),
            *schedules,
        ],
    }
    return {
        function: {"Version": "2012-10-17", "Statement": [*own, *_telemetry(stage)]}
        for function, own in statements.items()
    }


def policy_file(function: str, stage: str) -> Path:
    return CHALICE / f"policy-{stage}-{function}.json"


def text(document: dict[str, Any]) -> str:
    """Return a policy as it stands in its file."""
    return json.dumps(document, indent=2) + "\n"


def _allow(actions: list[str], *resources: str) -> Statement:
    return {"Effect": "Allow", "Action": sorted(actions), "Resource": list(resources)}


def _telemetry(stage: str) -> list[Statement]:
    """Logs and X-Ray: with `autogen_policy: false` Chalice adds neither."""
    return [
        _allow(
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            f"arn:aws:logs:*:*:log-group:/aws/lambda/tasks-{stage}*",
        ),
        # X-Ray knows no resources.
        _allow(["xray:PutTelemetryRecords", "xray:PutTraceSegments"], "*"),
    ]


def main() -> None:
    for stage in STAGES:
        for function, document in policies(stage).items():
            policy_file(function, stage).write_text(text(document))


if __name__ == "__main__":
    main()
