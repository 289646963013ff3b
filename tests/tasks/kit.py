"""What tests of the loops share: services that take their time, a drain to steer, a log to look at."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.service import FakeService


class SlowService(FakeService):
    """A service that takes its time, and writes what it does into a journal that several may share."""

    def __init__(
        self, name: str, journal: list[str] | None = None, *, start_s: float = 0.0, stop_s: float = 0.0
    ) -> None:
        super().__init__(name)
        self.journal = journal if journal is not None else []
        self.start_s = start_s
        self.stop_s = stop_s
        self.dies_at_once = False
        self.immortal = False

    async def start(self, epoch: int) -> bool:
        """Lives at once, runs after `start_s`; a start that is cancelled leaves nothing."""
        self.journal.append(f"start {self.name}")
        if self.refuses or self.lives:
            return await super().start(epoch)
        self._become("starting", True)
        try:
            await asyncio.sleep(self.start_s)
        except asyncio.CancelledError:
            self.journal.append(f"cancelled {self.name}")
            self._become("stopped", False)
            raise
        self.lives = False
        started = await super().start(epoch)
        self.journal.append(f"started {self.name}")
        if self.dies_at_once:
            self.die()
        return started

    async def stop(self) -> bool:
        """Takes `stop_s`."""
        self.journal.append(f"stop {self.name}")
        self._become("stopping", self.lives)
        await asyncio.sleep(self.stop_s)
        stopped = await super().stop()
        self.journal.append(f"stopped {self.name}" if stopped else f"late {self.name}")
        return stopped

    async def kill(self) -> None:
        """Ends it, unless it is immortal (uninterruptible sleep)."""
        self.journal.append(f"kill {self.name}")
        if not self.immortal:
            await super().kill()


@dataclass
class SteeredDrain:
    """`ports.Drain`: takes `takes_s`, says `good`."""

    takes_s: float = 0.0
    good: bool = True
    asked: int = 0
    ended: int = 0

    async def drained(self) -> bool:
        """What the test wants."""
        self.asked += 1
        await asyncio.sleep(self.takes_s)
        self.ended += 1
        return self.good


@dataclass
class Log:
    """Collects events with their fields."""

    lines: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __call__(self, event: str, level: str = "info", **fields: Any) -> None:
        """As `acmd.log.Logger`."""
        self.lines.append((event, {"level": level, **fields}))

    def count(self, event: str) -> int:
        """How often it was logged."""
        return sum(name == event for name, _ in self.lines)

    def last(self, event: str) -> dict[str, Any]:
        """The fields of its newest line."""
        return [fields for name, fields in self.lines if name == event][-1]


class SteeredAgent:
    """Takes `takes_s`, and confirms what is in `works`."""

    def __init__(self, *works: str, takes_s: float = 2.0) -> None:
        self.works = set(works)
        self.takes_s = takes_s
        self.runs: list[str] = []
        self.under_way: list[str] = []

    async def fence(self, host: str) -> bool:
        """One run."""
        assert host not in self.under_way, "two runs for one host at a time"
        self.runs.append(host)
        self.under_way.append(host)
        try:
            await asyncio.sleep(self.takes_s)
        finally:
            self.under_way.remove(host)
        return host in self.works
