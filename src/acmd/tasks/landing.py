"""Landing: whether what services wrote has reached its storage since the last of them went."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from acmd.core.timing import Instant
from acmd.ports import Clock, Drain
from acmd.tasks.unit import just


@dataclass(slots=True)
class Landing:
    """Syncs once for each time that a group went quiet; `poke` is set when a sync has ended."""

    drain: Drain
    clock: Clock
    poke: asyncio.Event
    proven: bool = False
    _task: asyncio.Task[bool] | None = None
    _failed_at: Instant | None = None

    def see(self, quiet: bool) -> None:
        """After each look at the services: `quiet` when nothing of them lives."""
        if not quiet:
            self.forget()
            return
        if self.proven:
            return
        if self._task is None:
            if just(self._failed_at, self.clock.now()):
                return
            self._task = asyncio.create_task(self.drain.drained(), name="drain")
            self._task.add_done_callback(lambda _: self.poke.set())
        if self._task.done():
            task, self._task = self._task, None
            self.proven = not task.cancelled() and task.exception() is None and task.result()
            self._failed_at = None if self.proven else self.clock.now()

    def forget(self) -> None:
        """What was or is being synced proves nothing about what is written from now on."""
        self.proven, self._failed_at = False, None
        self.end()

    def end(self) -> None:
        """Wait for no sync any more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
