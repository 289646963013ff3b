"""Watching a lease file from outside: how long it was ever left without a renewal."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType

from tests.hosts.witness import NS_PER_S

LOOK_EVERY_S = 0.01


class Renewals:
    """`with Renewals(directory) as seen:` looks at the newest lease file until the block is left."""

    def __init__(self, directory: Path) -> None:
        self.longest_s = 0.0
        self.files: set[str] = set()
        self._directory = directory
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Renewals:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        before, changed_ns = b"", time.monotonic_ns()
        while not self._end.wait(LOOK_EVERY_S):
            newest = max(self._directory.glob("lease.*"))
            self.files.add(newest.name)
            raw, now_ns = newest.read_bytes(), time.monotonic_ns()
            self.longest_s = max(self.longest_s, (now_ns - changed_ns) / NS_PER_S)
            if raw != before:
                before, changed_ns = raw, now_ns


__all__ = ["Renewals"]
