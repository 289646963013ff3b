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
from acmd.pace import OF_A_SUBJECT

BURST = int(OF_A_SUBJECT.burst)


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
        assert type(log._handler).__name__ == "_Stderr"
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


def test_native_messages_of_the_journal(
    raising: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under systemd: each field by itself, with the facility by which rsyslog gets the line too."""
    path = str(tmp_path / "journal")
    monkeypatch.setenv("INVOCATION_ID", "1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(path)
        journal.settimeout(5)
        log = Logger(journal_socket=path)
        log("role", level="warning", role="active", epoch=7, says="two\nlines\x1b[2J")
        log.close()
        log._handler.close()
        fields = journal.recv(10_000)
    assert b"SYSLOG_FACILITY=18\n" in fields
    assert b"PRIORITY=4\n" in fields
    assert b"SYSLOG_IDENTIFIER=acmd\n" in fields
    assert f"SYSLOG_PID={os.getpid()}\n".encode() in fields
    assert b"ACMD_EVENT=role\n" in fields
    assert b"ACMD_EPOCH=7\n" in fields
    assert b"MESSAGE=WARNING role role='active' epoch=7 says='two\\nlines\\x1b[2J'\n" in fields
    assert b"ACMD_SAYS\n" + (13).to_bytes(8, "little") + b"two\nlines\x1b[2J\n" in fields


def test_which_way_lines_go(raising: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """auto: the journal only where systemd started acmd; syslog when told so, there too."""
    for name in ("journal", "log"):
        (tmp_path / name).touch()
    monkeypatch.delenv("INVOCATION_ID", raising=False)
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)

    def way(target: str) -> str:
        log = Logger("info", "local2", target, str(tmp_path / "log"), str(tmp_path / "journal"))
        log.close()
        log._handler.close()
        return type(log._handler).__name__

    assert [way(target) for target in ("auto", "syslog", "journal")] == ["_Syslog", "_Syslog", "Journal"]
    monkeypatch.setenv("INVOCATION_ID", "1")
    assert [way(target) for target in ("auto", "syslog", "journal")] == ["Journal", "_Syslog", "Journal"]


def test_a_journal_that_is_gone(raising: None, tmp_path: Path) -> None:
    """Lines are lost and counted; the first that arrives again is followed by the count."""
    path = tmp_path / "journal"
    path.touch()
    log = Logger(target="journal", journal_socket=str(path))
    log("a")
    log("b")
    until = time.monotonic() + 10
    while log.dropped < 2:
        assert time.monotonic() < until
        threading.Event().wait(0.01)
    path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(path))
        journal.settimeout(5)
        log("c")
        log.close()
        assert b"ACMD_EVENT=c\n" in journal.recv(10_000)
        assert b"ACMD_EVENT=log-lines-lost\nACMD_COUNT=2\n" in journal.recv(10_000)
    log._handler.close()


def test_one_event_too_often(logger: tuple[Logger, Sink]) -> None:
    """Beyond a burst it is counted and the number told; others are not held up; the tap hears all."""
    log, sink = logger
    heard: list[str] = []
    log.tap = lambda event, level, fields: heard.append(event)
    for number in range(BURST + 40):
        log("same", text=number)
    log("same", service="web")
    log("other", level="debug")
    log.close()
    assert sink.lines()[:BURST] == [f"same text={number}" for number in range(BURST)]
    told = [line for line in sink.lines()[BURST:] if line.startswith("log-lines-suppressed")]
    assert sum(int(line.rpartition("=")[2]) for line in told) == 40
    assert "same service='web'" in sink.lines()
    assert heard == ["same"] * (BURST + 41) + ["other"]


def test_a_flood_that_is_over(logger: tuple[Logger, Sink], monkeypatch: pytest.MonkeyPatch) -> None:
    """How many lines were left out is told although no such event comes any more."""
    monkeypatch.setattr("acmd.log.SUPPRESSED_S", 0.1)
    log, sink = logger
    for _ in range(BURST + 5):
        log("same")
    until = time.monotonic() + 10
    while not sink.lines() or not sink.lines()[-1].startswith("log-lines-suppressed what='same' count="):
        assert time.monotonic() < until
        threading.Event().wait(0.01)


def test_orders_are_never_left_out(logger: tuple[Logger, Sink]) -> None:
    """However many come: each order that was given has its line; refused ones are paced by who and what."""
    log, sink = logger
    for _ in range(500):
        log("order-given", what="enable", by="mallory")
        log("order-refused", what="fence", by="mallory", because="no")
    log("order-given", what="service stop", by="mallory", about="side")
    log("order-refused", what="fence", by="alice", because="no")
    log.close(10)
    assert sum(line.startswith("order-given what='enable'") for line in sink.lines()) == 500
    assert "order-given what='service stop' by='mallory' about='side'" in sink.lines()
    assert sum(line.startswith("order-refused what='fence' by='mallory'") for line in sink.lines()) == 20
    assert "order-refused what='fence' by='alice' because='no'" in sink.lines()
    assert "log-lines-suppressed what='order-refused' count=480" in sink.lines()


def test_the_level_that_an_event_has(logger: tuple[Logger, Sink]) -> None:
    """Without a level the list of events says it; a long value is cut."""
    log, sink = logger
    log("service-start-failed", service="x" * 5000)
    log("services-up")
    log.close()
    assert [record.levelno for record in sink.records] == [30, 20]
    assert len(sink.lines()[0]) < 1100
