"""What one task asks of AWS: calls and units, which tests assert, and measured times."""

import json
from pathlib import Path
from typing import NamedTuple


class Cost(NamedTuple):
    """What an operation costs in AWS calls and in DynamoDB's units."""

    calls: int
    writes: int
    reads: float


# -- tests/integration/test_costs.py asserts these

#: POST of a task that runs at once.
CREATE = Cost(2, 5, 0)
#: The run that ends a task.
RUN = Cost(2, 8, 0)
#: The run of a countdown that waits for at most 35 seconds.
SNOOZE = Cost(3, 2, 0)
#: GET of a task.
SHOW = Cost(1, 0, 1)

#: POST with `Prefer: wait`: one transaction of the task, the user, and the key under `success`.
INLINE = Cost(1, 6, 0)


class Cpu(NamedTuple):
    """CPU time in ms, botocore's part included, of a warm process; `make bench-cpu` measures it."""

    create: float
    show: float
    run: float
    snooze: float
    inline: float


CPU = Cpu(create=3.3, show=1.8, run=3.9, snooze=4.6, inline=2.7)
MACHINE = "2026-11-25, x86_64, AMD EPYC, Python 3.11.7"
#: MB that a process occupies which has imported everything.
RESIDENT = 64

#: Assumed, not measured: how long AWS takes to answer a call, in ms.
AWS_CALL = 6
#: MB with which a Lambda has a whole vCPU
#: (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html).
MB_PER_CPU = 1_769

_CONFIG = json.loads((Path(__file__).parents[1] / ".chalice" / "config.json").read_text())


class Function(NamedTuple):
    name: str

    @property
    def memory(self) -> int:
        """Its MB."""
        return int(_CONFIG["lambda_functions"][self.name]["lambda_memory_size"])


API, WORKER = Function("api_handler"), Function("worker")


class Invocation(NamedTuple):
    """One invocation of a Lambda."""

    function: Function
    #: ms.
    cpu: float
    cost: Cost

    @property
    def seconds(self) -> float:
        """How long it takes: its CPU time with that memory, and its AWS calls."""
        slowdown = max(1, MB_PER_CPU / self.function.memory)
        return (self.cpu * slowdown + self.cost.calls * AWS_CALL) / 1000
