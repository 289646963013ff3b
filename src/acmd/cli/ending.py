"""How a command ends: an expected error is one message and an exit code, whatever becomes of the outputs."""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from acmd.cli import DEGRADED, INTERRUPTED, OK
from acmd.errors import AcmdError

NARROWEST = 20
SCARCE = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)


class OutputFailed(Exception):
    """Standard output takes nothing any more, and not because its reader is gone; the text says why."""


class _Output(io.TextIOWrapper):
    """Standard output whose errors are told from all others. What it cannot encode is shown escaped."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputFailed((error.strerror or str(error)).lower()) from None

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputFailed((error.strerror or str(error)).lower()) from None


def ended(program: str, work: Callable[[], int]) -> int:
    """Do the work and return the exit code. Errors are one message on standard error."""
    _open_outputs()
    code = OK
    try:
        code = work()
        sys.stdout.flush()
    except AcmdError as error:
        _say(f"{program}: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        _settle(sys.stdout)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output is gone (`acmd status | head`)
        to_nowhere(sys.stdout)
    except OutputFailed as why:
        to_nowhere(sys.stdout)
        _say(
            f"{program}: standard output cannot be written: {why}\n"
            "  -> make room there, or send it somewhere else; what was ordered is in force"
        )
        return DEGRADED
    except OSError as error:
        if error.errno not in SCARCE:
            raise
        _say(
            f"{program}: this host has no process, file or memory left for this command: "
            f"{os.strerror(error.errno).lower()}\n"
            "  -> end what uses them up (`ps -eLf`, `ulimit -a`, `free`), then try again"
        )
        return DEGRADED
    return code


def to_nowhere(stream: TextIO) -> None:
    """Give up an output that takes nothing any more: Python would try again at exit."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    with suppress(OSError, OutputFailed):
        stream.flush()


def reader_gone() -> bool:
    """Whether standard output is a pipe that nobody reads any more: who waits would not notice."""
    look = select.poll()
    try:
        look.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):
        return False
    return any(found & select.POLLERR for _, found in look.poll(0))


def _open_outputs() -> None:
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        _open_closed()
    width = os.environ.get("COLUMNS", "")
    if width.isdigit() and int(width[:9]) < NARROWEST:  # 0 on some consoles: a page of nothing
        del os.environ["COLUMNS"]
    if type(sys.stdout) is io.TextIOWrapper:  # and not what a test put there
        old = sys.stdout
        sys.stdout = _Output(
            old.detach(), old.encoding, "backslashreplace", line_buffering=old.line_buffering
        )


def _open_closed() -> None:
    """What the caller closed leads nowhere: no file that is opened later may get its number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _settle(stream: TextIO) -> None:
    try:
        stream.flush()
    except (OSError, OutputFailed):
        to_nowhere(stream)


def _say(text: str) -> None:
    _settle(sys.stdout)  # what was printed before comes first
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        to_nowhere(sys.stderr)
