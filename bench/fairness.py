"""Simulates the queue while one user floods it: how long do the tasks of the others wait?

The rules are AWS's; docs/scaling.md has their sources. bench/fairness_chart.py draws the result.
"""

import math
import random
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import simpy

from chalicelib.lifecycle import ACTIVE_LIMIT

Process = Generator[simpy.Event, Any, None]

# -- the event source mapping: where it begins, how it grows, and how app.py sets it

FIRST_BATCHES = 5
MORE_BATCHES_PER_SECOND = 300 / 60
MAX_BATCHES = 100
BATCH_SIZE = 10

# -- a fair queue: when a user is a noisy neighbor

NOISY_SHARE = 0.1
NOISY_IN_FLIGHT = 30

# -- the load

SECONDS = 300
#: A task's run, in seconds.
RUN = 0.5
FLOOD = "flood"
FLOOD_BEGINS = 30
FLOOD_TASKS = 30_000
FLOOD_TASKS_PER_SECOND = 1_000
SMALL_USERS = 20
#: Seconds between two tasks of one small user, on average.
SMALL_PAUSE = 10


class Scenario(NamedTuple):
    is_fair: bool
    is_limited: bool


ONE_QUEUE = Scenario(is_fair=False, is_limited=False)
FAIR = Scenario(is_fair=True, is_limited=False)
#: What the service does.
FAIR_AND_LIMITED = Scenario(is_fair=True, is_limited=True)


@dataclass
class Message:
    user: str
    sent: float
    done: simpy.Event
    #: How long it waited until its run began; endless if it never did.
    wait: float = math.inf


@dataclass
class Queue:
    """Gives the oldest message first, or a fair queue's choice."""

    is_fair: bool
    waiting: dict[str, deque[Message]] = field(default_factory=dict)
    in_flight: dict[str, int] = field(default_factory=dict)

    def send(self, message: Message) -> None:
        self.waiting.setdefault(message.user, deque()).append(message)

    def receive(self) -> list[Message]:
        """Return up to a batch of messages, which are then in flight."""
        batch: list[Message] = []
        while len(batch) < BATCH_SIZE and self.waiting:
            user = self._next_user()
            batch.append(self.waiting[user].popleft())
            if not self.waiting[user]:
                del self.waiting[user]
            self.in_flight[user] = self.in_flight.get(user, 0) + 1
        return batch

    def delete(self, message: Message) -> None:
        self.in_flight[message.user] -= 1

    def _next_user(self) -> str:
        if not self.is_fair:
            return min(self.waiting, key=lambda user: self.waiting[user][0].sent)
        return min(self.waiting, key=lambda user: (self._noise(user), self.waiting[user][0].sent))

    def _noise(self, user: str) -> int:
        """Return 0 for a quiet user, and how many messages of a noisy one are in flight."""
        own, total = self.in_flight.get(user, 0), sum(self.in_flight.values())
        return own if own >= NOISY_IN_FLIGHT and own > NOISY_SHARE * total else 0


class Simulation:
    """One run of the queue, its pollers and its users."""

    def __init__(self, scenario: Scenario, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._clock = simpy.Environment()
        self._queue = Queue(scenario.is_fair)
        self._new = self._clock.event()
        self.sent: list[Message] = []
        self._clock.process(self._scale())
        for number in range(SMALL_USERS):
            self._clock.process(self._small_user(f"small-{number}"))
        flood = [self._limited_flood() for _ in range(ACTIVE_LIMIT)]
        for process in flood if scenario.is_limited else [self._flood()]:
            self._clock.process(process)

    def run(self) -> list[Message]:
        """Return the messages of the small users."""
        self._clock.run(until=SECONDS)
        return [message for message in self.sent if message.user != FLOOD]

    def _send(self, user: str) -> Message:
        message = Message(user, self._clock.now, self._clock.event())
        self.sent.append(message)
        self._queue.send(message)
        self._new.succeed()
        self._new = self._clock.event()
        return message

    def _small_user(self, user: str) -> Process:
        while True:
            yield self._clock.timeout(self._random.expovariate(1 / SMALL_PAUSE))
            self._send(user)

    def _flood(self) -> Process:
        yield self._clock.timeout(FLOOD_BEGINS)
        for _ in range(FLOOD_TASKS):
            self._send(FLOOD)
            yield self._clock.timeout(1 / FLOOD_TASKS_PER_SECOND)

    def _limited_flood(self) -> Process:
        """Send a task, and the next one as soon as it has ended: one slot of a user."""
        yield self._clock.timeout(FLOOD_BEGINS)
        while True:
            yield self._send(FLOOD).done

    def _scale(self) -> Process:
        """Read more batches side by side as long as messages wait."""
        for _ in range(FIRST_BATCHES):
            self._clock.process(self._poll())
        for _ in range(MAX_BATCHES - FIRST_BATCHES):
            yield self._clock.timeout(1 / MORE_BATCHES_PER_SECOND)
            while not self._queue.waiting:
                yield self._clock.timeout(1 / MORE_BATCHES_PER_SECOND)
            self._clock.process(self._poll())

    def _poll(self) -> Process:
        while True:
            while not (batch := self._queue.receive()):
                yield self._new
            for message in batch:
                message.wait = self._clock.now - message.sent
                yield self._clock.timeout(RUN)
                self._queue.delete(message)
                message.done.succeed()


#: The seconds of one point in the picture.
SPAN = 10


def longest_waits(scenario: Scenario) -> list[float]:
    """Return the longest wait of the small users' tasks that were sent in each span."""
    longest = [0.0] * (SECONDS // SPAN)
    for message in Simulation(scenario).run():
        span = int(message.sent // SPAN)
        longest[span] = max(longest[span], message.wait)
    return longest


def waits_since_flood(scenario: Scenario) -> list[float]:
    """Return the waits of the small users' tasks that were sent since the flood, in order."""
    small = Simulation(scenario).run()
    return sorted(message.wait for message in small if message.sent >= FLOOD_BEGINS)
