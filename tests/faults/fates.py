"""What can become of an attempt: throttled, broken, refused, lost, killed ..."""

import json
from datetime import timedelta
from typing import Any, NamedTuple

from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from chalicelib import deadline
from tests.faults.attempts import Attempt, Attempts, Fate
from tests.integration.tools import LambdaDied

#: How each service says that it throttles: status, code, headers.
_THROTTLED: dict[str, tuple[int, str, dict[str, str]]] = {
    "dynamodb": (400, "ProvisionedThroughputExceededException", {}),
    "sqs": (400, "RequestThrottled", {"x-amzn-query-error": "RequestThrottled;Sender"}),
    "scheduler": (429, "ThrottlingException", {"x-amzn-errortype": "ThrottlingException"}),
    "secrets-manager": (400, "ThrottlingException", {}),
}

_TIMEOUTS = timedelta(seconds=deadline.CONNECT_TIMEOUT + deadline.READ_TIMEOUT)


def throttle(attempt: Attempt, attempts: Attempts) -> AWSResponse:
    """AWS refuses for now."""
    if attempt.operation == "TransactWriteItems":
        return _cancel(attempt, "ThrottlingError")
    status, code, headers = _THROTTLED[attempt.service]
    return attempt.respond(status, {"__type": code, "message": code}, headers)


def conflict(attempt: Attempt, attempts: Attempts) -> AWSResponse:
    """Another transaction has the row."""
    if attempt.operation == "TransactWriteItems":
        return _cancel(attempt, "TransactionConflict")
    code = "TransactionConflictException"
    return attempt.respond(400, {"__type": code, "message": code})


def fail(attempt: Attempt, attempts: Attempts) -> AWSResponse:
    """AWS has a fault of its own."""
    code = "InternalServerError"
    return attempt.respond(500, {"__type": code, "message": code}, {"x-amzn-errortype": code})


def refuse(attempt: Attempt, attempts: Attempts) -> AWSResponse:
    """Nothing takes the connection."""
    raise EndpointConnectionError(endpoint_url=attempt.request.url)


def hang(attempt: Attempt, attempts: Attempts) -> AWSResponse:
    """No answer comes until the timeout."""
    attempts.wait(_TIMEOUTS)
    raise ReadTimeoutError(endpoint_url=attempt.request.url)


def lose(attempt: Attempt, attempts: Attempts) -> AWSResponse:
    """It takes effect, but the answer is lost."""
    attempts.answer(attempt)
    return hang(attempt, attempts)


def kill_before(attempt: Attempt, attempts: Attempts) -> AWSResponse:
    """The Lambda dies before it sends."""
    raise LambdaDied


def kill_after(attempt: Attempt, attempts: Attempts) -> AWSResponse:
    """The Lambda dies after it has sent."""
    attempts.answer(attempt)
    raise LambdaDied


def half_do(attempt: Attempt, attempts: Attempts) -> AWSResponse:
    """Of a batch AWS does the first entry, and says so."""
    if attempt.operation == "BatchGetItem":
        [(table, wanted)] = attempt.parameters["RequestItems"].items()
        first, *rest = wanted["Keys"]
        attempt = _with_body(attempt, {"RequestItems": {table: wanted | {"Keys": [first]}}})
        answer = _json(attempts.answer(attempt))
        left = {table: wanted | {"Keys": rest}} if rest else {}
        return attempt.respond(200, answer | {"UnprocessedKeys": left})
    first, *rest = attempt.parameters["Entries"]
    answer = _json(attempts.answer(_with_body(attempt, attempt.parameters | {"Entries": [first]})))
    failed = [{"Id": one["Id"], "SenderFault": False, "Code": "InternalError"} for one in rest]
    return attempt.respond(200, answer | {"Failed": failed})


class Fault(NamedTuple):
    """A fate of one attempt, and of botocore's repetitions of it."""

    name: str
    fate: Fate
    #: The fate of the attempts after the first; None: they work.
    then: Fate | None = None
    #: The operations that it can happen to.
    operations: tuple[str, ...] | None = None

    def can_happen_to(self, attempt: str) -> bool:
        return self.operations is None or attempt.partition(".")[2] in self.operations

    def strike(self) -> Fate:
        """Return its fate for one call."""
        fates = iter([self.fate])

        def strike(attempt: Attempt, attempts: Attempts) -> AWSResponse:
            fate = next(fates, self.then)
            return fate(attempt, attempts) if fate else attempts.answer(attempt)

        return strike


FAULTS = (
    Fault("throttled once", throttle),
    Fault("throttled", throttle, throttle),
    Fault("broken once", fail),
    Fault("broken", fail, fail),
    Fault("refused", refuse, refuse),
    Fault("hanging", hang, hang),
    Fault("lost once", lose),
    Fault("lost", lose, refuse),
    Fault("killed before", kill_before),
    Fault("killed after", kill_after),
    Fault("in conflict", conflict, operations=("UpdateItem", "TransactWriteItems")),
    Fault("half done", half_do, operations=("BatchGetItem", "SendMessageBatch")),
)


def _cancel(attempt: Attempt, code: str) -> AWSResponse:
    reasons = [{"Code": code}, *[{"Code": "None"}] * (len(attempt.parameters["TransactItems"]) - 1)]
    name = "TransactionCanceledException"
    return attempt.respond(400, {"__type": name, "message": name, "CancellationReasons": reasons})


def _with_body(attempt: Attempt, body: Any) -> Attempt:
    content = json.dumps(body).encode()
    attempt.request.body = content
    attempt.request.headers["Content-Length"] = str(len(content))
    del attempt.parameters
    return attempt


def _json(response: AWSResponse) -> Any:
    return json.loads(response.text)
