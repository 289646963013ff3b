"""Proof that what stopped services wrote has landed: syncfs of their file systems, in a process of its own.

A killed process leaves requests in the kernel which land later; the services are not gone before
their file systems were synced without an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal


class FileSystemDrain:
    """`ports.Drain` for the file systems that hold these paths; none: nothing to wait for."""

    def __init__(self, paths: tuple[str, ...], limit_s: float) -> None:
        self._paths = paths
        self._limit_s = limit_s
        self._hanging: asyncio.subprocess.Process | None = None

    async def drained(self) -> bool:
        """True when each was synced without error. One that hangs is left, and is asked no second time."""
        if not self._paths:
            return True
        if self._hanging is not None and self._hanging.returncode is None:
            return False
        try:
            # coreutils' `sync -f` is syncfs(2); a worker that sleeps uninterruptibly cannot be ended.
            process = await asyncio.create_subprocess_exec(
                "sync",
                "-f",
                *self._paths,
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
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            return False
        self._hanging = None
        return status == 0
