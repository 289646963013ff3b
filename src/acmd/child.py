"""Programs that drivers start: the last of what they say, and an end of all that they started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

READ_LIMIT = 65536
REAP_S = 1.0


class Output:
    """Keeps the last of what a program says, and lets it say as much as it likes.

    A pipe of our own: one of asyncio's would make us wait for whoever inherited it.
    """

    def __init__(self, limit: int) -> None:
        self._last = bytearray()
        self._limit = limit
        self._reader, self.writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._reader, False)
        asyncio.get_running_loop().add_reader(self._reader, self._read)

    def _read(self) -> bool:
        try:
            piece = os.read(self._reader, READ_LIMIT)
        except BlockingIOError:
            return False
        self._last += piece
        del self._last[: -self._limit]
        return bool(piece)

    def close(self) -> None:
        """Take what is left, and close both ends."""
        os.close(self.writer)
        for _ in range(READ_LIMIT // 4096):  # as much as fits into a pipe
            if not self._read():
                break
        asyncio.get_running_loop().remove_reader(self._reader)
        os.close(self._reader)

    @property
    def text(self) -> str:
        """The last of it, at most `limit` bytes."""
        return self._last.decode(errors="replace").strip()


async def end(process: asyncio.subprocess.Process) -> None:
    """SIGKILL to the program's whole session, and a bounded wait: what hangs in the kernel is left to it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(REAP_S):
            await process.wait()
