"""Holds every AWS call of a Lambda against infra/rights.json, or records what the calls need.

Emulators check no rights, so this does. A call that its function may not make fails the test
that caused it, and after a run of all integration tests the summary lists the rights that no
call needed. With RECORD_RIGHTS set every call is allowed, and the run rewrites infra/rights.json:
that is `make policies`. As a pytest plugin this also brings the processes of xdist together.
"""

import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from infra.policies import Rights, kind_of, read_rights, write_rights
from tests import cloud

Parameters = Mapping[str, Any]

RECORDING = bool(os.environ.get("RECORD_RIGHTS"))


class Right(NamedTuple):
    """A function may take one IAM action on one kind of resource."""

    function: str
    kind: str
    action: str


#: The rights that the calls of this process needed.
needed: set[Right] = set()


def check(function: str, service: str, operation: str, parameters: Parameters) -> str | None:
    """Return what is wrong with a call of a function, None if the function may make it."""
    rights: set[Right] = set()
    for action, arn in _needs(service, operation, parameters):
        kind = kind_of(arn, cloud.STAGE)
        if kind is None:
            return f"{function} calls {action} on {arn}: infra/policies.py has no such resource"
        rights.add(Right(function, kind, action))
    if not RECORDING:
        for right in rights - granted():
            return f"{function} may not {right.action} on the {right.kind}: run `make policies`"
    needed.update(rights)
    return None


@cache
def granted() -> frozenset[Right]:
    """Return the rights in infra/rights.json."""
    return frozenset(
        Right(function, kind, action)
        for function, kinds in read_rights().items()
        for kind, actions in kinds.items()
        for action in actions
    )


def recorded() -> Rights:
    """Return the rights that were needed, as infra/rights.json has them."""
    rights: Rights = {}
    for function, kind, action in sorted(needed):
        rights.setdefault(function, {}).setdefault(kind, []).append(action)
    return rights


#: IAM actions whose name is not the operation's.
_ACTIONS = {
    "dynamodb:ConditionCheck": "dynamodb:ConditionCheckItem",
    "dynamodb:Delete": "dynamodb:DeleteItem",
    "dynamodb:Get": "dynamodb:GetItem",
    "dynamodb:Put": "dynamodb:PutItem",
    "dynamodb:Update": "dynamodb:UpdateItem",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}


def _needs(service: str, operation: str, parameters: Parameters) -> Iterator[tuple[str, str]]:
    """Yield the IAM actions that a call takes, each with the ARN that it acts on."""
    if "TransactItems" in parameters:
        # IAM has no action for a transaction, only for what is in it.
        for item in parameters["TransactItems"]:
            for part, its_parameters in item.items():
                yield from _needs(service, part, its_parameters)
        return
    name = f"{service}:{operation}"
    action = _ACTIONS.get(name, name)
    for resource in _resources(service, parameters):
        yield action, f"arn:aws:{service}:{cloud.REGION}:{cloud.ACCOUNT}:{resource}"
    if "RoleArn" in parameters.get("Target", {}):
        yield "iam:PassRole", parameters["Target"]["RoleArn"]


def _resources(service: str, parameters: Parameters) -> list[str]:
    """Return what a call acts on: the ends of ARNs."""
    match service, parameters:
        case "dynamodb", {"TableName": table, "IndexName": index}:
            return [f"table/{table}/index/{index}"]
        case "dynamodb", {"TableName": table}:
            return [f"table/{table}"]
        case "dynamodb", {"RequestItems": tables}:
            return [f"table/{table}" for table in tables]
        case "sqs", {"QueueUrl": url}:
            return [url.rsplit("/", 1)[1]]
        case "scheduler", {"Name": name}:
            return [f"schedule/{parameters.get('GroupName', 'default')}/{name}"]
        case "secretsmanager", {"SecretId": name}:
            # The tests know the secret by its name; AWS appends six characters to it.
            return [f"secret:{name}-xxxxxx"]
    return ["*"]


# -- the hooks of pytest


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a process of xdist: hand over what was needed."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["needed_rights"] = [list(right) for right in needed]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """In xdist's main process: take it."""
    # A process that crashed has handed over nothing.
    output = getattr(node, "workeroutput", {})
    needed.update(Right(*right) for right in output.get("needed_rights", []))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: pytest.ExitCode
) -> None:
    """Record the rights, or list those that no call needed; part of the tests cannot tell."""
    if not _all_integration_tests_ran(terminalreporter):
        return
    terminalreporter.section("AWS rights")
    if RECORDING and exitstatus != pytest.ExitCode.OK:
        terminalreporter.line("Nothing was recorded, because a test failed.")
    elif RECORDING:
        write_rights(recorded())
        terminalreporter.line("Recorded in infra/rights.json.")
    elif not granted() - needed:
        terminalreporter.line("A test needed every right.")
    else:
        for right in sorted(granted() - needed):
            terminalreporter.line(
                f"No test needs {right.action} on the {right.kind} for {right.function}: "
                "run `make policies`."
            )


def _all_integration_tests_ran(terminalreporter: pytest.TerminalReporter) -> bool:
    ran = {
        report.nodeid.split("::")[0]
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport)
    }
    folder = Path(__file__).with_name("integration")
    files = {f"tests/integration/{file.name}" for file in folder.glob("test_*.py")}
    return files <= ran and "deselected" not in terminalreporter.stats
