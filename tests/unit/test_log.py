"""`log`: one line for each event, from a thread of its own, never in the daemon's way."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from acmd.log import QUEUE_LINES, Logger


class Sink(logging.Handler):
    """Collects lines; `open` lets them through."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()
        self.open.set()
        self.records: list[logging.LogRecord] = []

    def handle(self, record: logging.LogRecord) -> bool:
        """Take a record, or wait like a stuck syslog."""
        self.open.wait(10)
        self.records.append(record)
        return True

    def lines(self) -> list[str]:
        """What was written."""
        return [record.getMessage() for record in self.records]


@pytest.fixture
def raising() -> Iterator[None]:
    """`Logger` turns off logging's own complaints; other tests get them back."""
    before = logging.raiseExceptions
    yield
    logging.raiseExceptions = before


@pytest.fixture
def logger(raising: None) -> Iterator[tuple[Logger, Sink]]:
    """A logger into a sink."""
    made, sink = Logger(target="stderr"), Sink()
    made._handler = sink
    yield made, sink
    sink.open.set()
    made.close()


def test_one_line_for_an_event(logger: tuple[Logger, Sink]) -> None:
    """Event first, then its fields, quoted, so that nothing in them can begin a line of its own."""
    log, sink = logger
    log("fencing", host="b", because="50% off\nACMD: all is well")
    log("bare")
    log.close()
    assert sink.lines() == ["fencing host='b' because='50% off\\nACMD: all is well'", "bare"]


def test_levels(logger: tuple[Logger, Sink]) -> None:
    """What lies below the level is left out, from the next line on after a change."""
    log, sink = logger
    log("a", level="debug")
    log("b", level="warning")
    log.set_level("error")
    log("c", level="warning")
    log("d", level="error")
    log.close()
    assert [(record.getMessage(), record.levelno) for record in sink.records] == [("b", 30), ("d", 40)]


def test_a_stuck_syslog_blocks_nobody(logger: tuple[Logger, Sink]) -> None:
    """Lines beyond the queue are dropped at once, counted, and the count is logged when it goes on."""
    log, sink = logger
    sink.open.clear()
    began = time.monotonic()
    for number in range(QUEUE_LINES + 500):
        log(f"event-{number}", number=number)
    assert time.monotonic() - began < 5
    assert log.dropped >= 499
    lost = log.dropped
    log.close(limit_s=0.1)  # the queue is full: it does not wait
    sink.open.set()
    until = time.monotonic() + 10
    while not (sink.records and sink.lines()[-1].startswith("log-lines-lost")):
        assert time.monotonic() < until
        threading.Event().wait(0.01)
    assert sink.lines()[-1] == f"log-lines-lost count={lost}"


def test_without_a_syslog_socket(raising: None, tmp_path: Path) -> None:
    """Standard error then."""
    for target in ("auto", "syslog", "stderr"):
        log = Logger(target=target, syslog_socket=str(tmp_path / "absent"))
        assert type(log._handler) is logging.StreamHandler
        log.close()


def test_a_syslog_socket_that_nobody_listens_on(raising: None, tmp_path: Path) -> None:
    """Lines are lost until somebody does; nothing is raised."""
    (tmp_path / "log").touch()
    log = Logger(syslog_socket=str(tmp_path / "log"))
    log("event")
    log.close()
    log._handler.close()


def test_syslog_lines(raising: None, tmp_path: Path) -> None:
    """Facility, severity, and who speaks, as syslog wants them."""
    path = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(path)
        syslog.settimeout(5)
        log = Logger(facility="local2", target="auto", syslog_socket=path)
        log("role", level="warning", role="active")
        log.close()
        log._handler.close()
        local2, warning = 18, 4
        expected = f"<{local2 * 8 + warning}>acmd[{os.getpid()}]: WARNING role role='active'"
        assert syslog.recv(1000).rstrip(b"\0").decode() == expected
