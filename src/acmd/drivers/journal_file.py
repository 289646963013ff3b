"""The local file of the node journal: one JSON line an event, rotated by size, written in a thread.

`events.jsonl` and the one before it, `events.jsonl.1`, with mode 0640. A disk that is stuck or full costs
events, never the daemon's time: lines that find no room in the queue are dropped.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Iterable
from pathlib import Path

QUEUE_LINES = 1000
FILE_BYTES = 1 << 20
"""At this size the file becomes the one before; so the journal takes twice that at most."""
TAIL_BYTES = 1 << 19
MODE = 0o640
_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def read_newest(path: Path, tail_bytes: int = TAIL_BYTES) -> list[str]:
    """The newest lines of both files, oldest first, at most `tail_bytes` of each. Absent files have none."""
    lines: list[str] = []
    for name in (path.with_name(f"{path.name}.1"), path):
        with contextlib.suppress(OSError):
            descriptor = os.open(name, os.O_RDONLY | _FLAGS)
            with open(descriptor, "rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - tail_bytes))
                lines += file.read(tail_bytes).decode("utf-8", "replace").splitlines()
    return lines


class JournalFile:
    """`tasks.journal.Lines`."""

    def __init__(self, path: Path, file_bytes: int = FILE_BYTES) -> None:
        self.fault = ""
        self.dropped = 0
        self._path = path
        self._file_bytes = file_bytes
        self._queue: queue.Queue[str | None] = queue.Queue(QUEUE_LINES)
        self._thread = threading.Thread(target=self._write_all, name="journal", daemon=True)
        self._thread.start()

    def newest(self) -> Iterable[str]:
        """The lines that were kept, oldest first."""
        return read_newest(self._path)

    def append(self, line: str) -> None:
        """Keep one more. Never blocks, never raises."""
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self.dropped += 1

    def close(self, limit_s: float = 0.5) -> None:
        """Write what is queued, for at most `limit_s`."""
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(limit_s)

    def _write_all(self) -> None:
        while (line := self._queue.get()) is not None:
            try:
                self._write(line)
            except OSError as error:
                self.fault = f"{self._path}: {(error.strerror or str(error)).lower()}"
            else:
                self.fault = ""

    def _write(self, line: str) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | _FLAGS
        descriptor = os.open(self._path, flags, MODE)  # anew each time: somebody may have moved it
        try:
            size = os.fstat(descriptor).st_size
            if size >= self._file_bytes:
                os.rename(self._path, self._path.with_name(f"{self._path.name}.1"))
                os.close(descriptor)
                descriptor = os.open(self._path, flags, MODE)
                size = 0
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            os.write(descriptor, b"\n" * torn + line.encode() + b"\n")
        finally:
            os.close(descriptor)
