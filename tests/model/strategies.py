"""What the model test chooses from: users, requests, times and accidents."""

from dataclasses import dataclass
from datetime import timedelta

from hypothesis import strategies as st

USERS = st.sampled_from(["ann", "bob"])
#: Counted backwards from the newest, or from the next one.
NTH = st.integers(0, 7)
BODIES = st.sampled_from(
    [
        {"task_type": "sum", "input_data": {"values": [1, 2, 3, 10]}},
        {"task_type": "countdown", "input_data": {"seconds": 0}},
        {"task_type": "countdown", "input_data": {"seconds": 90}},
        {"task_type": "countdown", "input_data": {"seconds": 7200}},
        {"task_type": "refusing", "input_data": {}},
        {"task_type": "failing", "input_data": {}},
        {"task_type": "retrying", "input_data": {"seconds": 600}},
        {"task_type": "retrying", "input_data": {"seconds": 86_400}},
    ]
)
AHEAD = st.sampled_from(
    [None, None, timedelta(seconds=30), timedelta(minutes=10), timedelta(days=2)]
)
PAUSE = st.sampled_from([0.25, 1, 10, 30, 66, 360, 900, 3600, 86_400, 259_200])


@dataclass(frozen=True)
class Incident:
    """Something that happens at one of the AWS calls that a worker makes for a message."""

    call: int
    what: str


INCIDENTS = st.none() | st.builds(
    Incident,
    st.integers(1, 4),
    st.sampled_from(
        [
            "it dies before",
            "it dies after",
            "AWS fails before",
            "AWS fails after",
            "made twice",
            "cancelled meanwhile",
            "delivered meanwhile",
            "outlives its lease",
        ]
    ),
)
