"""Does a directory on network storage answer? Asked by a process that can be abandoned.

statfs(2) goes to the file server each time; a listing needs its data. A process that hangs in the
kernel is left there, and no second one is sent after it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys

SETTLE_S = 0.2  # in which one that was killed ends, unless the kernel holds it
CODE = """
import os, sys
try:
    found = os.statvfs(sys.argv[1])
    with os.scandir(sys.argv[1]) as entries:
        next(entries, None)
except OSError as problem:
    sys.exit(problem.strerror)
if found.f_flag & os.ST_RDONLY:
    sys.exit("it is mounted read-only")
"""


class Canary:
    """One directory."""

    def __init__(self, directory: str, limit_s: float) -> None:
        self.directory = directory
        self._limit_s = limit_s
        self._hanging: asyncio.subprocess.Process | None = None

    async def ask(self) -> str:
        """Why it cannot be used, or "". Ends within its limit; never raises (but when cancelled)."""
        if self._hanging is not None and self._hanging.returncode is None:
            return f"{self.directory} does not answer"
        try:
            self._hanging = process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                "-c",
                CODE,
                self.directory,
                cwd="/",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as problem:
            return f"{self.directory} cannot be asked: {problem.strerror}"
        try:
            async with asyncio.timeout(self._limit_s):
                _, said = await process.communicate()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SETTLE_S):
                    await process.communicate()
            return f"{self.directory} does not answer"
        if process.returncode == 0:
            return ""
        lines = said.decode("utf-8", "replace").strip().splitlines()
        return f"{self.directory}: {lines[-1] if lines else 'it cannot be used'}"
