"""Proof that what stopped services wrote has landed, from a process of its own that can be given up.

A process that ended, gracefully or not, may leave requests in the kernel which land later; the services are
not gone before their file systems were synced without an error, and those of other hosts answered and what
was on its way there had ended (`guard.landed`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable

from acmd.guard import landed


class FileSystemDrain:
    """`ports.Drain` for the file systems that hold these paths; none: nothing to wait for."""

    def __init__(
        self, paths: tuple[str, ...], limit_s: float, network: Callable[[], bool] = landed.network
    ) -> None:
        self._paths = paths
        self._network = network
        self._limit_s = limit_s
        self._hanging: asyncio.subprocess.Process | None = None

    async def drained(self) -> bool:
        """True when each was synced without error. One that hangs is left, and is asked no second time.

        One that was cut short would only begin again: the next one gets twice the time.
        """
        if self._hanging is not None and self._hanging.returncode is None:
            return False
        try:
            proof = self._proof()
            if not proof:
                return True
            # A worker that sleeps uninterruptibly cannot be ended.
            process = await asyncio.create_subprocess_exec(
                *proof,
                cwd="/",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError:
            return False
        self._hanging = process
        try:
            async with asyncio.timeout(self._limit_s):
                status = await process.wait()
        except TimeoutError:
            self._limit_s *= 2
            return False
        finally:
            if process.returncode is None:  # at the limit, or nobody asks any more
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
        self._hanging = None
        return status == 0

    def _proof(self) -> tuple[str, ...]:
        """The program whose end with 0 proves it; none where there is nothing to prove. Raises OSError."""
        if self._paths and self._network():
            return (sys.executable, "-I", "-S", landed.__file__, *self._paths)
        local = [path for path in self._paths if not path.startswith(landed.UNKNOWN)]
        return ("sync", "-f", *local) if local else ()  # coreutils' `sync -f` is syncfs(2)
