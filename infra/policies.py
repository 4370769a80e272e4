"""The IAM policy of each Lambda: the rights in rights.json, written out per stage to `.chalice/`.

rights.json comes from the AWS calls that the integration tests see; `make policies` records it
and renders the policies. Chalice reads plain JSON and substitutes nothing, so there is one file
per function and stage.
"""

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

CHALICE = Path(__file__).parents[1] / ".chalice"
STAGES = ("dev", "prod")

#: What the code of each function may do: function -> kind of resource -> IAM actions.
Rights = dict[str, dict[str, list[str]]]
RIGHTS = Path(__file__).with_name("rights.json")

#: The kinds of resources, and their ARNs in a stage.
RESOURCES = {
    "table": "arn:aws:dynamodb:*:*:table/tasks-{stage}",
    "sweep index": "arn:aws:dynamodb:*:*:table/tasks-{stage}/index/sweep",
    "queue": "arn:aws:sqs:*:*:tasks-{stage}",
    "dead-letter queue": "arn:aws:sqs:*:*:tasks-{stage}-dead-letters",
    "schedules": "arn:aws:scheduler:*:*:schedule/tasks-{stage}/*",
    "schedule role": "arn:aws:iam::*:role/tasks-{stage}-schedules",
    # Secrets Manager appends six characters to the name.
    "signing keys": "arn:aws:secretsmanager:*:*:secret:tasks-{stage}-signing-keys-*",
}
_CONDITIONS = {
    "schedule role": {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
}

#: The queues that Lambda polls for a function, with the function's role.
_POLLED = {"worker": "queue", "dead_letters": "dead-letter queue"}
_POLL = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]

Policy = dict[str, Any]
Statement = dict[str, Any]

#: For X-Ray, which has no resources.
TRACING: Statement = {
    "Effect": "Allow",
    "Action": ["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
    "Resource": ["*"],
}


def read_rights() -> Rights:
    rights: Rights = json.loads(RIGHTS.read_text())
    return rights


def write_rights(rights: Rights) -> None:
    RIGHTS.write_text(to_json(rights))


def kind_of(arn: str, stage: str) -> str | None:
    """Return the kind of resource that an ARN of a stage belongs to, None if it is none of them."""
    parts = arn.split(":", 5)
    for kind, pattern in RESOURCES.items():
        # Part by part, so that no star reaches across a colon.
        if all(map(fnmatchcase, parts, pattern.format(stage=stage).split(":", 5))):
            return kind
    return None


def policies(stage: str, *, tracing: bool = False) -> dict[str, Policy]:
    """Return the policy document of each function, by Chalice's name for it."""
    documents = {}
    for function, rights in read_rights().items():
        statements = [_allow(actions, kind, stage) for kind, actions in rights.items()]
        if function in _POLLED:
            statements.append(_allow(_POLL, _POLLED[function], stage))
        statements.append(_logs(stage))
        if tracing:
            statements.append(TRACING)
        documents[function] = {"Version": "2012-10-17", "Statement": statements}
    return documents


def policy_file(function: str, stage: str) -> Path:
    return CHALICE / f"policy-{stage}-{function}.json"


def to_json(document: Policy | Rights) -> str:
    """Return a document as its file contains it."""
    return json.dumps(document, indent=2) + "\n"


def _allow(actions: list[str], kind: str, stage: str) -> Statement:
    statement: Statement = {
        "Effect": "Allow",
        "Action": actions,
        "Resource": [RESOURCES[kind].format(stage=stage)],
    }
    if kind in _CONDITIONS:
        statement["Condition"] = _CONDITIONS[kind]
    return statement


def _logs(stage: str) -> Statement:
    """With `autogen_policy: false` Chalice does not add this."""
    return {
        "Effect": "Allow",
        "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": [f"arn:aws:logs:*:*:log-group:/aws/lambda/tasks-{stage}*"],
    }


def main() -> None:
    for stage in STAGES:
        for function, document in policies(stage).items():
            policy_file(function, stage).write_text(to_json(document))


if __name__ == "__main__":
    main()
