"""structlog to syslog facility local2, from a thread of its own: a stuck syslog never blocks the daemon.

Under systemd a line goes to the journal as a native message: with its fields, and with facility and
identifier, by which journald or imjournal passes it on to rsyslog. So it arrives once in the journal and
once in the file of local2, whichever way rsyslog gets its lines. Elsewhere it goes to syslog's socket.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import logging.handlers
import os
import queue
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from acmd.events import default_level
from acmd.pace import SLOW, Pace

if TYPE_CHECKING:
    import structlog

QUEUE_LINES = 2000
VALUE_LENGTH = 1000
"""Characters of one value; what is longer is cut."""
NEVER_LEFT_OUT = frozenset(("order-given", "order-uncertain"))
SUPPRESSED_S = 10.0
"""So long after lines began to be left out their number is told, also when no more such come."""
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
SYSLOG_SOCKET = "/dev/log"
STDERR = 2
JOURNAL_SOCKET = "/run/systemd/journal/socket"
_WAKE = logging.makeLogRecord({})
Tap = Callable[[str, str, Mapping[str, Any]], None]


def _processors() -> Any:
    """structlog's processors. Its import costs a quarter of a second and 10 MB more when it finds rich."""
    hidden = "rich" not in sys.modules
    if hidden:
        sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("structlog").processors
    finally:
        if hidden:
            del sys.modules["rich"]


class Logger:
    """Lines go into a bounded queue; what does not fit is counted, and the count is logged later.

    `tap` is told each event as well, whatever the log's pace and level: its name, level and fields.
    """

    def __init__(
        self,
        level: str = "info",
        facility: str = "local2",
        target: str = "auto",
        syslog_socket: str = SYSLOG_SOCKET,
        journal_socket: str = JOURNAL_SOCKET,
    ) -> None:
        """Raises nothing: without a socket to write to the lines go to standard error."""
        self.dropped = 0
        self.tap: Tap | None = None
        self._threshold = LEVELS[level]
        self._pace = Pace({"order-refused": SLOW}, NEVER_LEFT_OUT)
        self._pace_lock = threading.Lock()
        self._queue: queue.Queue[logging.LogRecord | None] = queue.Queue(QUEUE_LINES)
        self._handler = _handler(facility, target, syslog_socket, journal_socket)
        self._render: structlog.processors.KeyValueRenderer = _processors().KeyValueRenderer()
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def __call__(self, event: str, level: str = "", **fields: Any) -> None:
        """Log one event with its fields; by default at its own level. Never blocks, never raises."""
        level = level or default_level(event)
        if self.tap is not None:
            self.tap(event, level, fields)
        if LEVELS[level] < self._threshold:
            return
        with self._pace_lock:
            first = not self._pace.left_out
            allowed = self._pace.ask(event, fields, time.monotonic())
            left_out = self._pace.take(event) if allowed else 0
        if left_out:
            self._tell_left_out(event, left_out)
        if allowed:
            self._put(event, level, fields)
        elif first:
            with contextlib.suppress(queue.Full):  # then the thread is awake
                self._queue.put_nowait(_WAKE)

    def _tell_left_out(self, event: str, count: int) -> None:
        self._put("log-lines-suppressed", "warning", {"what": event, "count": count})

    def _tell_all_left_out(self) -> None:
        with self._pace_lock:
            counts, self._pace.left_out = self._pace.left_out, {}
        for event, count in counts.items():
            self._tell_left_out(event, count)

    def _put(self, event: str, level: str, fields: Mapping[str, Any]) -> None:
        plain = {key: _short(value) for key, value in fields.items()}
        text = f"{event} {self._render(None, '', dict(plain))}".rstrip()
        record = logging.LogRecord("acmd", LEVELS[level], "", 0, text, None, None)
        record.acmd = {"event": event, **plain}
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1

    def _write_all(self) -> None:
        due_s = 0.0  # when the number of lines left out is to be told; 0: there are none
        while True:
            record: logging.LogRecord | None = _WAKE
            with contextlib.suppress(queue.Empty):
                record = self._queue.get(timeout=max(0.0, due_s - time.monotonic()) if due_s else None)
            if record is None:
                break
            if not due_s and self._pace.left_out:
                due_s = time.monotonic() + SUPPRESSED_S
            elif due_s and time.monotonic() >= due_s:
                due_s = 0.0
                self._tell_all_left_out()
            if record is _WAKE:
                continue
            if not self._written(record):
                self.dropped += 1
            elif self.dropped and self._queue.empty():
                self._tell_lost()
        if self.dropped:
            self._tell_lost()

    def _tell_lost(self) -> None:
        lost = self.dropped
        text = f"log-lines-lost count={lost}"
        record = logging.LogRecord("acmd", LEVELS["warning"], "", 0, text, None, None)
        record.acmd = {"event": "log-lines-lost", "count": lost}
        if self._written(record):
            self.dropped -= lost

    def _written(self, record: logging.LogRecord) -> bool:
        self._handler.handle(record)
        return not getattr(record, "lost", False)

    def set_level(self, level: str) -> None:
        """From now on, lines below this level are left out."""
        self._threshold = LEVELS[level]

    def close(self, limit_s: float = 1.0) -> None:
        """Write what is queued, for at most `limit_s`."""
        self._tell_all_left_out()
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(limit_s)


def _short(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = str(value)
    return text if len(text) <= VALUE_LENGTH else f"{text[:VALUE_LENGTH]}…"


class _NoLock:
    """Holds nobody up."""

    def acquire(self) -> None:
        """Go on."""

    def release(self) -> None:
        """Go on."""

    def __enter__(self) -> None:
        """Go on."""

    def __exit__(self, *_: object) -> None:
        """Go on."""


class Unlocked(logging.Handler):
    """A handler that one thread alone writes to.

    logging takes the lock of each handler when the process ends: one that is stuck would never let it.
    """

    def createLock(self) -> None:  # noqa: N802
        """None is needed."""
        self.lock = _NoLock()  # type: ignore[assignment]


class _Syslog(Unlocked, logging.handlers.SysLogHandler):
    """Without a listener it loses lines until there is one: it connects again by itself."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        record.lost = True


class _Stderr(Unlocked):
    """Lines to standard error, not by Python's own stream: that has a lock, too, and flushes at the end."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write all of it. Waits while nobody reads, in the log's own thread."""
        data = f"{self.format(record)}\n".encode("utf-8", "backslashreplace")
        try:
            while data:
                data = data[os.write(STDERR, data) :]
        except OSError:
            record.lost = True


class Journal(Unlocked):
    """Native messages of systemd's journal: systemd.io/JOURNAL_NATIVE_PROTOCOL."""

    def __init__(self, facility: str, path: str) -> None:
        super().__init__()
        self._path = path
        self._facility = logging.handlers.SysLogHandler.facility_names[facility]
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def emit(self, record: logging.LogRecord) -> None:
        """Send it. Waits while journald does not take any, in the log's own thread."""
        found: dict[str, Any] = getattr(record, "acmd", {})
        fields = {
            "MESSAGE": f"{record.levelname} {record.getMessage()}",
            "PRIORITY": logging.handlers.SysLogHandler.priority_names[record.levelname.lower()],
            "SYSLOG_FACILITY": self._facility,
            "SYSLOG_IDENTIFIER": "acmd",
            "SYSLOG_PID": os.getpid(),
            **{f"ACMD_{re.sub('[^A-Z0-9_]', '_', key.upper())[:50]}": value for key, value in found.items()},
        }
        try:
            self._socket.sendto(b"".join(_field(key, value) for key, value in fields.items()), self._path)
        except OSError:
            record.lost = True

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
        super().close()


def _field(name: str, value: Any) -> bytes:
    data = str("" if value is None else value).encode("utf-8", "backslashreplace")
    if b"\n" not in data:
        return name.encode() + b"=" + data + b"\n"
    return name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"


def _handler(facility: str, target: str, syslog_socket: str, journal_socket: str) -> logging.Handler:
    logging.raiseExceptions = False  # a log that cannot be written must not end the daemon
    by_systemd = bool({"INVOCATION_ID", "JOURNAL_STREAM"} & os.environ.keys())
    if (target == "journal" or (target == "auto" and by_systemd)) and os.path.exists(journal_socket):
        return Journal(facility, journal_socket)
    handler: logging.Handler
    if target != "stderr" and os.path.exists(syslog_socket):
        handler = _Syslog(syslog_socket, facility)
        handler.setFormatter(logging.Formatter(f"acmd[{os.getpid()}]: %(levelname)s %(message)s"))
    else:
        handler = _Stderr()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    return handler
