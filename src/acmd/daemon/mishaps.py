"""What nobody expected: exceptions in callbacks and threads, warnings, and libraries' own log lines.

Python and asyncio write all of these to standard error, in the middle of whatever the event loop does: with a
reader of it that is stuck the daemon would freeze there. Here each becomes an event in the bounded log.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import select
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Any, TextIO

from acmd.log import Unlocked

Log = Callable[..., None]
FRAMES = 4
STDERR = 2
ONE_WRITE = 4096  # what a pipe that is writable takes without waiting


def hear(log: Log) -> None:
    """From now on for this process, and for the running loop. Nothing of it ever writes to standard error."""

    ours = asyncio.get_running_loop()

    def log_here(event: str, **fields: Any) -> None:
        """From the loop, later, always: its tap belongs to that thread, and whoever is interrupted here (the
        garbage collector can run anywhere) may hold the very lock that the log takes.
        """
        with contextlib.suppress(RuntimeError):  # the loop has ended
            ours.call_soon_threadsafe(functools.partial(log, event, **fields))

    def on_loop(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        del loop
        if not _is_a_clients_doing(context):
            _tell(log_here, str(context.get("message", "callback")), context.get("exception"))

    def on_thread(about: threading.ExceptHookArgs) -> None:
        name = about.thread.name if about.thread is not None else "thread"
        _tell(log_here, name, about.exc_value)

    def on_unraisable(about: Any) -> None:
        _tell(log_here, str(about.err_msg or "clean-up"), about.exc_value)

    def on_warning(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        del file, line
        _say(log_here, "warning", f"{category.__name__}: {message}", f"{os.path.basename(filename)}:{lineno}")

    ours.set_exception_handler(on_loop)
    threading.excepthook = on_thread
    sys.unraisablehook = on_unraisable
    sys.excepthook = last_words
    warnings.showwarning = on_warning
    logging.lastResort = None
    logging.getLogger().handlers = [_Lines(log_here)]


class _Lines(Unlocked):
    """Lines of libraries, of asyncio among them."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Log it as an event."""
        if record.exc_info is not None and record.exc_info[1] is not None:
            _tell(self._log, f"{record.name}: {record.getMessage()}", record.exc_info[1])
        else:
            _say(self._log, record.name, record.getMessage(), f"{record.filename}:{record.lineno}")


def _is_a_clients_doing(context: dict[str, Any]) -> bool:
    """A connection that broke: whoever reads or writes there is told by an exception."""
    return "transport" in context and isinstance(context.get("exception"), OSError)


def _tell(log: Log, part: str, problem: BaseException | None) -> None:
    frames = traceback.extract_tb(problem.__traceback__)[-FRAMES:] if problem is not None else []
    at = " < ".join(f"{os.path.basename(f.filename)}:{f.lineno} {f.name}" for f in reversed(frames))
    _say(log, part, repr(problem) if problem is not None else "", at)


def _say(log: Log, part: str, error: str, at: str) -> None:
    log("unexpected-error", part=part, error=error, at=at)


def last_words(
    kind: type[BaseException], problem: BaseException, trace: TracebackType | None, descriptor: int = STDERR
) -> None:
    """What ends the process goes to standard error, as far as that takes it without waiting."""
    text = "".join(traceback.format_exception(kind, problem, trace)).encode("utf-8", "backslashreplace")
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        if poll.poll(0):
            os.write(descriptor, text[-ONE_WRITE:])
    except OSError:
        return  # nobody is there
