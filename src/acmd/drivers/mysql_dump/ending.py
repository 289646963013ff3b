"""How a backup ends before its time: by a signal in order, and in any case with its client."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

from acmd.errors import AcmdError

PR_SET_PDEATHSIG = 1


class Signals:
    """SIGTERM and SIGHUP raise AcmdError where the backup hears them, and wait everywhere else.

    So neither a start nor any tidying up is cut short. Who ignores one of them (nohup) goes on doing so.
    Signals belong to the main thread: elsewhere they do what they always do.
    """

    def __init__(self) -> None:
        self._hears = False
        self._came = ""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
            self._before = {number: what for number, what in before.items() if what != signal.SIG_IGN}
        for number in self._before:
            signal.signal(number, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        for number, what in self._before.items():
            signal.signal(number, what)

    def _take(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._came = signal.Signals(number).name
        self._raise()

    def _raise(self) -> None:
        if self._hears and self._came:
            self._hears = False
            raise AcmdError(
                f"the backup was ended by {self._came}", "run it again; older ones are as they were"
            )

    @contextmanager
    def heard(self) -> Iterator[None]:
        """They raise here, also one that came before."""
        self._hears = True
        try:
            self._raise()
            yield
        finally:
            self._hears = False


def ends_with_us() -> Callable[[], None]:
    """For the client to call before it becomes one: should this process be killed, it is killed as well."""
    libc, parent = ctypes.CDLL(None), os.getpid()

    def ends() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return ends


def end(process: subprocess.Popen[bytes]) -> None:
    """The client, with what it may have started."""
    if process.returncode is None:  # not reaped: the number is its own
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
