"""A run that takes too long is interrupted where that can be done."""

import signal
import time
from contextlib import suppress
from datetime import timedelta
from threading import Thread

import pytest

from chalicelib.time_limit import TimeLimitExceeded, time_limit

SHORT = timedelta(seconds=0.02)


def spin() -> None:
    while True:
        pass


def test_endless_python_is_interrupted() -> None:
    with pytest.raises(TimeLimitExceeded), time_limit(SHORT):
        spin()


def test_a_call_that_waits_is_interrupted() -> None:
    started = time.monotonic()
    with pytest.raises(TimeLimitExceeded), time_limit(SHORT):
        time.sleep(60)
    assert time.monotonic() - started < 60


def test_a_handler_of_all_exceptions_does_not_swallow_the_interruption() -> None:
    def careless() -> None:
        with suppress(Exception):
            spin()

    with pytest.raises(TimeLimitExceeded), time_limit(SHORT):
        careless()


def test_nothing_comes_after_a_block_that_ended_in_time() -> None:
    with time_limit(SHORT):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_the_signal_handler_of_before_is_restored() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with time_limit(SHORT):
        assert signal.getsignal(signal.SIGALRM) != before
    assert signal.getsignal(signal.SIGALRM) == before


def test_in_another_thread_nothing_is_interrupted() -> None:
    outcomes: list[str] = []

    def run() -> None:
        with time_limit(timedelta(microseconds=1)):
            outcomes.append("ran to its end")

    thread = Thread(target=run)
    thread.start()
    thread.join()
    assert outcomes == ["ran to its end"]
