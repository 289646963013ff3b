"""The node journal: what is worth keeping of this node's events, for history, people and hooks.

It is told of each event, keeps it in a bounded local file, and shows the newest on shared storage at the
board's pace. What comes too often is counted instead, so that no flood pushes out what happened before; the
hooks hear of it all the same. It decides nothing, and nothing waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from acmd.core.calls import StorageFault
from acmd.events import KEPT
from acmd.history import Entry, entries_of, line_of, shared, short
from acmd.pace import PACED_BY, SLOW, Pace

REMEMBERED = 500  # entries in memory
LEFT_OUT_S = 60.0  # between two tellings of how many were left out
_SERIOUS = ("warning", "error")


class Lines(Protocol):
    """The local file. Neither method blocks, nor raises."""

    fault: str  # why it cannot be written, or ""

    def newest(self) -> Iterable[str]:
        """The lines that were kept, oldest first; at the start only."""
        ...

    def append(self, line: str) -> None:
        """Keep one more."""
        ...


class Shelf(Protocol):
    """The place on shared storage. Raises `core.calls.StorageFault`, within a limit of its own."""

    async def write_journal(self, document: str) -> None:
        """Replace this node's document."""
        ...


class Journal:
    """`note` is the log's tap. `listeners` are told each entry that is worth keeping, at once."""

    def __init__(self, lines: Lines, node: str, wall_s: Callable[[], float]) -> None:
        self.entries: deque[Entry] = deque(entries_of(lines.newest()), REMEMBERED)
        self.listeners: list[Callable[[Entry], None]] = []
        self._lines = lines
        self._node = node
        self._wall_s = wall_s
        self._number = max((entry.number for entry in self.entries), default=-1) + 1
        self._standing: dict[str, Any] = {}  # role and epoch as told last
        self._news = asyncio.Event()
        self._shown = -1
        self._pace = Pace(dict.fromkeys(PACED_BY, SLOW))
        self._told_s = 0.0

    def note(self, event: str, level: str, fields: Mapping[str, Any]) -> None:
        """Keep it if it is worth it. Entries that do not say so get this node's epoch and role."""
        if event in ("role", "reason"):
            self._standing = {key: fields.get(key) for key in ("epoch", "role")}
        if event not in KEPT and level not in _SERIOUS:
            return
        entry = self._entry(event, level, {**self._standing, **fields})
        if self._pace.ask(event, fields, entry.at_s):
            self._keep(entry)
        for listener in self.listeners:
            listener(entry)
        self._news.set()

    def _entry(self, event: str, level: str, fields: Mapping[str, Any]) -> Entry:
        number, self._number = self._number, self._number + 1
        return Entry(number, round(self._wall_s(), 3), level, event, short(fields))

    def _keep(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._lines.append(line_of(entry))

    def _tell_left_out(self) -> None:
        """How many entries are missing, at most once in LEFT_OUT_S."""
        now_s = self._wall_s()
        if self._pace.left_out and not 0 <= now_s - self._told_s < LEFT_OUT_S:
            self._told_s = now_s
            for event in tuple(self._pace.left_out):
                fields = {"what": event, "count": self._pace.take(event)}
                self._keep(self._entry("log-lines-suppressed", "warning", fields))

    def after(self, number: int, limit: int) -> list[Entry]:
        """The oldest `limit` entries above `number`; for a negative number the newest `limit`."""
        if number < 0:
            return list(self.entries)[-limit:]
        return [entry for entry in self.entries if entry.number > number][:limit]

    # -- on shared storage ------------------------------------------------------------------------

    async def share(self, shelf: Shelf, cluster_id: str, every_s: float, log: Callable[..., None]) -> None:
        """Show the newest entries there, at most once in `every_s`, until cancelled."""
        told = ""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LEFT_OUT_S if self._pace.left_out else None):
                    await self._news.wait()
            self._news.clear()
            self._tell_left_out()
            await self.show(shelf, cluster_id)
            if self._lines.fault != told:
                told = self._lines.fault
                if told:
                    log("journal-fault", because=told)
            await asyncio.sleep(every_s)

    async def show(self, shelf: Shelf, cluster_id: str) -> None:
        """Once. What fails is tried again with the next news, or the next time."""
        newest = self.entries[-1].number if self.entries else -1
        if newest == self._shown:
            return
        try:
            await shelf.write_journal(shared(cluster_id, self._node, self.entries))
        except StorageFault:
            self._news.set()  # the board says what is wrong with the storage
            return
        self._shown = newest
