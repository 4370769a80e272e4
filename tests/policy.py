"""Holds every AWS call of a Lambda against that Lambda's own policy in infra/policies.py.

Emulators check no rights, so this does: a call that its function may not make fails the test
that caused it, and after a run of all integration tests the summary lists what is allowed but
was never needed. As a plugin of pytest it also brings the processes of xdist together.
"""

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from infra.policies import policies
from tests import cloud

Parameters = Mapping[str, Any]


class Need(NamedTuple):
    """A right that a call takes, and what IAM knows besides."""

    action: str
    resource: str
    facts: Mapping[str, str] | None = None


class Grant(NamedTuple):
    """A right that a function has: one action on one pattern of resources."""

    function: str
    action: str
    pattern: str


#: The grants that this process has seen a call for.
used: set[Grant] = set()


def check(function: str, service: str, operation: str, parameters: Parameters) -> str | None:
    """Return what is wrong with a call of a function, None if its policy allows it."""
    try:
        needs = _needs(f"{service}:{operation}", parameters)
    except KeyError as error:
        return (
            f"{function} calls {service}:{operation}, and tests/policy.py does not say what "
            f"right that takes ({error} is unknown)"
        )
    granted: set[Grant] = set()
    for need in needs:
        found = _granted(function, need)
        if not found:
            return f"{function} may not {need.action} on {need.resource}: see infra/policies.py"
        granted |= found
    used.update(granted)
    return None


def unused() -> list[Grant]:
    """Return the grants that no call was seen for, less those that are not for the code."""
    return sorted(grant for grant in _grants().keys() - used if not _is_for_lambda_itself(grant))


def _needs(call: str, parameters: Parameters) -> list[Need]:
    """Return the rights that a call takes. Raises KeyError for a call that is not known."""
    if call == "dynamodb:TransactWriteItems":
        return [
            Need(_IN_TRANSACTIONS[kind], _rows(one))
            for item in parameters["TransactItems"]
            for kind, one in item.items()
        ]
    needs = [Need(call, _RESOURCES[call](parameters))]
    if call == "scheduler:CreateSchedule":
        facts = {"iam:PassedToService": "scheduler.amazonaws.com"}
        needs.append(Need("iam:PassRole", parameters["Target"]["RoleArn"], facts))
    return needs


def _rows(parameters: Parameters) -> str:
    index = f"/index/{parameters['IndexName']}" if "IndexName" in parameters else ""
    return _arn("dynamodb", f"table/{parameters['TableName']}{index}")


def _queue(parameters: Parameters) -> str:
    return _arn("sqs", parameters["QueueUrl"].rsplit("/", 1)[1])


def _schedule(parameters: Parameters) -> str:
    group = parameters.get("GroupName", "default")
    return _arn("scheduler", f"schedule/{group}/{parameters['Name']}")


def _secret(parameters: Parameters) -> str:
    # The tests know the secret by its name; AWS ends its ARN with six characters of its own.
    return _arn("secretsmanager", f"secret:{parameters['SecretId']}-xxxxxx")


def _arn(service: str, name: str) -> str:
    return f"arn:aws:{service}:{cloud.REGION}:{cloud.ACCOUNT}:{name}"


#: What a call acts on. These need the right of their own name.
_RESOURCES: dict[str, Callable[[Parameters], str]] = {
    "dynamodb:GetItem": _rows,
    "dynamodb:PutItem": _rows,
    "dynamodb:Query": _rows,
    "dynamodb:UpdateItem": _rows,
    "scheduler:CreateSchedule": _schedule,
    "scheduler:DeleteSchedule": _schedule,
    "secretsmanager:GetSecretValue": _secret,
    "sqs:ChangeMessageVisibility": _queue,
    "sqs:GetQueueAttributes": _queue,
    "sqs:SendMessage": _queue,
}
#: IAM has no right to transactions, only to what is in them.
_IN_TRANSACTIONS = {"Put": "dynamodb:PutItem", "Update": "dynamodb:UpdateItem"}


@cache
def _grants() -> dict[Grant, Mapping[str, Any]]:
    """Return everything that the functions may do, with the condition of each."""
    return {
        Grant(function, action, pattern): statement.get("Condition", {})
        for function, document in policies(cloud.STAGE).items()
        for statement in document["Statement"]
        for action in statement["Action"]
        for pattern in statement["Resource"]
    }


def _granted(function: str, need: Need) -> set[Grant]:
    return {
        grant
        for grant, condition in _grants().items()
        if (grant.function, grant.action) == (function, need.action)
        and _matches(grant.pattern, need.resource)
        and _holds(condition, need.facts or {})
    }


def _matches(pattern: str, arn: str) -> bool:
    """Tell whether an ARN is meant, part by part: no star reaches over a colon between them."""
    wanted, parts = pattern.split(":", 5), arn.split(":", 5)
    return len(wanted) == len(parts) and all(map(fnmatchcase, parts, wanted))


def _holds(condition: Mapping[str, Any], facts: Mapping[str, str]) -> bool:
    # What this cannot judge does not hold.
    known = condition.keys() <= {"StringEquals"}
    return known and condition.get("StringEquals", {}).items() <= facts.items()


#: The event source mappings feed these functions, with the functions' own roles.
_FED = ("worker", "dead_letters")
_FEEDING = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


def _is_for_lambda_itself(grant: Grant) -> bool:
    feeds = grant.function in _FED and grant.action in _FEEDING
    return feeds or grant.action.startswith(("logs:", "xray:"))


# -- the hooks of pytest


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a process of xdist: hand over what was seen."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["used_grants"] = [list(grant) for grant in used]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """In xdist's main process: take it."""
    # A process that crashed has handed over nothing.
    output = getattr(node, "workeroutput", {})
    used.update(Grant(*grant) for grant in output.get("used_grants", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the grants without a call; a part of the tests says nothing about them."""
    ran = {
        report.nodeid.split("::")[0]
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport)
    }
    folder = Path(__file__).with_name("integration")
    if not {f"tests/integration/{file.name}" for file in folder.glob("test_*.py")} <= ran:
        return
    terminalreporter.section("AWS policies")
    left = unused()
    if not left:
        terminalreporter.line("Everything that a function may do was done in a test.")
    for grant in left:
        terminalreporter.line(f"no test needs: {grant.function} {grant.action} {grant.pattern}")
