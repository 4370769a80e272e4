"""The log of `make run`: one line per event, for people."""

import io
import logging
import sys
from collections.abc import Iterator

import pytest
from aws_lambda_powertools import Logger

from infra.local import log_lines


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(out: io.StringIO, request: pytest.FixtureRequest) -> Iterator[Logger]:
    name = request.node.name
    yield Logger(service=name, stream=out)
    logging.getLogger(name).handlers.clear()


def test_an_event_is_one_line_with_its_keys(log: Logger, out: io.StringIO) -> None:
    log_lines.install(log)
    log.append_keys(request_id="r1")
    log.info("task_finished", status="success", attempts=1)
    [line] = out.getvalue().splitlines()
    clock, _, rest = line.partition(" ")
    assert len(clock) == len("12:34:56")
    assert rest == "INFO     task_finished request_id=r1 status=success attempts=1"


def test_an_exception_follows_indented(log: Logger, out: io.StringIO) -> None:
    log_lines.install(log)
    log.error("record_failed", exception_name="OSError", exception='File "a", line 1\nOSError')
    event, *traceback = out.getvalue().splitlines()
    assert event.endswith("ERROR    record_failed")
    assert traceback == ['    File "a", line 1', "    OSError"]


@pytest.mark.parametrize(
    ("stream", "no_color", "is_coloured"),
    [(Terminal(), "", True), (Terminal(), "1", False), (io.StringIO(), "", False)],
)
def test_a_terminal_gets_colours_unless_no_color_is_set(
    log: Logger,
    out: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
    stream: io.StringIO,
    no_color: str,
    is_coloured: bool,
) -> None:
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("NO_COLOR", no_color)
    log_lines.install(log)
    log.warning("task_rescued")
    assert ("\x1b[33mWARNING  task_rescued\x1b[0m" in out.getvalue()) == is_coloured
