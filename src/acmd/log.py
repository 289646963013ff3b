"""structlog to syslog facility local2, from a thread of its own: a stuck syslog never blocks the daemon."""

from __future__ import annotations

import logging
import logging.handlers
import os
import queue
import sys
import threading
from typing import Any

import structlog

QUEUE_LINES = 2000
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
SYSLOG_SOCKET = "/dev/log"


class Logger:
    """Lines go into a bounded queue; what does not fit is counted, and the count is logged later."""

    def __init__(
        self,
        level: str = "info",
        facility: str = "local2",
        target: str = "auto",
        syslog_socket: str = SYSLOG_SOCKET,
    ) -> None:
        """Raises nothing: without a syslog socket the lines go to standard error."""
        self.dropped = 0
        self._threshold = LEVELS[level]
        self._queue: queue.Queue[logging.LogRecord | None] = queue.Queue(QUEUE_LINES)
        self._handler = _handler(facility, target, syslog_socket)
        self._render = structlog.processors.KeyValueRenderer(key_order=["event"], drop_missing=True)
        self._log = structlog.wrap_logger(
            None,
            processors=[structlog.contextvars.merge_contextvars, self._put],
            wrapper_class=structlog.BoundLogger,
        )
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def __call__(self, event: str, level: str = "info", **fields: Any) -> None:
        """Log one event with its fields. Never blocks, never raises."""
        if LEVELS[level] >= self._threshold:
            self._log.bind(level=level, **fields).info(event)

    def _put(self, _: Any, __: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
        level = fields.pop("level")
        event = fields.pop("event")
        rest = self._render(None, "", fields)
        record = logging.LogRecord("acmd", LEVELS[level], "", 0, f"{event} {rest}".rstrip(), None, None)
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1
        raise structlog.DropEvent

    def _write_all(self) -> None:
        while True:
            record = self._queue.get()
            if record is None:
                return
            self._handler.handle(record)
            if self.dropped and self._queue.empty():
                lost, self.dropped = self.dropped, 0
                self._handler.handle(
                    logging.LogRecord("acmd", 30, "", 0, f"log-lines-lost count={lost}", None, None)
                )

    def set_level(self, level: str) -> None:
        """From now on, lines below this level are left out."""
        self._threshold = LEVELS[level]

    def close(self, limit_s: float = 1.0) -> None:
        """Write what is queued, for at most `limit_s`."""
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(limit_s)


def _handler(facility: str, target: str, syslog_socket: str) -> logging.Handler:
    """Without a listener the syslog handler loses lines until there is one: it connects again by itself."""
    logging.raiseExceptions = False  # a log that cannot be written must not end the daemon
    handler: logging.Handler
    if target in ("auto", "syslog", "journal") and os.path.exists(syslog_socket):
        handler = logging.handlers.SysLogHandler(syslog_socket, facility)
        handler.setFormatter(logging.Formatter(f"acmd[{os.getpid()}]: %(levelname)s %(message)s"))
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    return handler
