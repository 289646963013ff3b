"""Starting a runner, hearing its answer, and hearing a process end."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
from pathlib import Path

from acmd.guard import processes

RUNNER = Path(__file__).with_name("runner.py")


class Watch:
    """A pidfd that calls back when its process ends, and reaps it when it is a child of this one."""

    def __init__(self, pid: int, start: int, ended: asyncio.Event, changed: asyncio.Event) -> None:
        self.key = (pid, start)
        self._events = (ended, changed)
        self._handle = os.pidfd_open(pid)
        asyncio.get_running_loop().add_reader(self._handle, self._readable)

    @property
    def listens(self) -> bool:
        """Whether its process has not ended yet."""
        return self._handle >= 0

    def _readable(self) -> None:
        self.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.key[0], os.WNOHANG)
        for event in self._events:
            event.set()

    def close(self) -> None:
        """Stop listening; the process goes on."""
        if self._handle >= 0:
            asyncio.get_running_loop().remove_reader(self._handle)
            os.close(self._handle)
            self._handle = -1


def reap(pid: int, start: int) -> None:
    """Take the exit of a runner that nobody watched, if it is a child of this process."""
    stat = processes.read_stat(pid)
    if stat is not None and stat.start == start and stat.state == "Z":
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def spawn_runner(order: bytes) -> tuple[int, int]:
    """Start a runner in its own session; its pid, and where its answer will come. Raises OSError."""
    order_read, order_write = map(_high, os.pipe())
    answer_read, answer_write = map(_high, os.pipe())
    try:
        os.write(order_write, order)
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", str(RUNNER)],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, order_read, 3),
                (os.POSIX_SPAWN_DUP2, answer_write, 4),
            ],
            setsid=True,
            setsigmask=(),
            setsigdef=(signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGHUP),
        )
    except OSError:
        os.close(answer_read)
        raise
    finally:
        for end in (order_read, order_write, answer_write):
            os.close(end)
    os.set_blocking(answer_read, False)
    return pid, answer_read


def _high(end: int) -> int:
    """The same end with a number that cannot collide with the runner's 0 to 4."""
    high = fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(end)
    return high


async def read_all(handle: int) -> bytes:
    """One answer from a pipe: everything up to its end."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(handle, readable.set)
    try:
        found = b""
        while True:
            await readable.wait()
            readable.clear()
            with contextlib.suppress(BlockingIOError):
                part = os.read(handle, 65536)
                if not part:
                    return found
                found += part
    finally:
        loop.remove_reader(handle)
