"""Reading that may hang on shared storage, for a command: in a forked process that is given up at its limit.

A fork has imported what it needs already, so that a command has its answer long before another interpreter
would have started. The daemon's workers (`drivers.lease_directory`) live longer and cost it less memory.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from acmd.core.calls import Fault, StorageFault
from acmd.errors import AcmdError

HANGING_LIMIT = 2
"""Processes of earlier readings that have not ended: with so many there is none more."""

_hanging: set[int] = set()


def answers(work: Callable[[], Iterable[Any]], limit_s: float) -> Iterator[Any]:
    """What `work` yields there, as JSON values, each as soon as it comes; it begins at once.

    Raises StorageFault: its own, TIMEOUT at the limit, BUSY while earlier ones hang. Raises its AcmdError.
    """
    until = time.monotonic() + limit_s
    _hanging.difference_update([child for child in _hanging if _has_ended(child)])
    if len(_hanging) >= HANGING_LIMIT:
        raise StorageFault(Fault.BUSY, f"{len(_hanging)} earlier readings hang")
    pipe, child = _begin(work)
    _hanging.add(child)
    return _answers(pipe, child, until)


def _answers(pipe: int, child: int, until: float) -> Iterator[Any]:
    try:
        for line in _lines(pipe, until):
            kind, *values = json.loads(line)
            if kind == "end":
                return
            if kind == "value":
                yield values[0]
            elif kind == "fault":
                raise StorageFault(Fault(values[0]), values[1])
            elif kind == "refused":
                raise AcmdError(*values)
            else:
                raise RuntimeError(f"the process that reads failed:\n{values[0]}")
        raise StorageFault(Fault.WORKER_LOST, "the process that reads died")
    finally:
        os.close(pipe)
        if _has_ended(child):
            _hanging.discard(child)
        else:
            os.kill(child, signal.SIGKILL)  # not reaped, so the number is its own


def _has_ended(child: int) -> bool:
    try:
        return os.waitpid(child, os.WNOHANG)[0] == child
    except ChildProcessError:  # who started the command has the kernel reap
        return True


def _lines(pipe: int, until: float) -> Iterator[bytes]:
    """The lines until its end is closed. Raises StorageFault at the limit."""
    received = b""
    while select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
        piece = os.read(pipe, 65_536)
        if not piece:
            return
        *lines, received = (received + piece).split(b"\n")
        yield from lines
    raise StorageFault(Fault.TIMEOUT, "no answer within the limit; the process that reads was given up")


def _begin(work: Callable[[], Iterable[Any]]) -> tuple[int, int]:
    """The end of its pipe to read from, and its number."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()  # a terminal's ^C is not for it
            null = os.open(os.devnull, os.O_RDWR)
            for standard in range(3):
                os.dup2(null, standard)  # one that hangs must not hold what the command writes to
            _run(work, theirs)
        finally:
            os._exit(0)  # what the command has buffered is the command's to write
    os.close(theirs)
    return ours, child


def _run(work: Callable[[], Iterable[Any]], pipe: int) -> None:
    def say(*words: Any) -> None:
        data = json.dumps(words).encode() + b"\n"
        while data:
            data = data[os.write(pipe, data) :]

    try:
        for value in work():
            say("value", value)
        say("end")
    except StorageFault as failure:
        say("fault", failure.fault.value, failure.detail)
    except AcmdError as error:
        say("refused", error.what, error.remedy)
    except Exception:  # a mistake: the command says it
        import traceback  # noqa: PLC0415 - only then

        say("mistake", traceback.format_exc())
        raise
