"""Probing: asks running services whether they answer. One that keeps failing counts as failed.

A probe runs only while its service runs, never twice at a time, and at its own interval. A service
that has just been started has its grace: up to its first good reading, bad ones do not count.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from acmd.core.timing import Instant
from acmd.ports import Clock
from acmd.tasks.unit import Probed, Unit


class Reading(Protocol):
    """What one run of a probe came to."""

    @property
    def ok(self) -> bool:
        """Whether the service answered as it should."""
        ...

    @property
    def detail(self) -> str:
        """How it did not."""
        ...

    @property
    def warning(self) -> str:
        """What the probe could not see, though the service answers; "" for nothing."""
        ...


class Probe(Protocol):
    """A check with a limit of its own: a hanging one is a bad reading."""

    name: str

    async def run(self) -> Reading:
        """Check once. Never raises."""
        ...


class Verdict(Protocol):
    """unknown, healthy or failing."""

    @property
    def value(self) -> str:
        """One of these words."""
        ...


class Judge(Protocol):
    """How many readings in a row make a verdict."""

    @property
    def verdict(self) -> Verdict:
        """What the readings so far say."""
        ...

    def note(self, ok: bool) -> bool:
        """Count one reading. True when the verdict changed by it."""
        ...

    def reset(self) -> None:
        """Forget everything."""
        ...


@dataclass(slots=True)
class Watch:
    """One probe of one service. `poke` wakes supervision once the service counts as failed."""

    unit: Unit
    probe: Probe
    judge: Judge
    interval_s: float
    grace_s: float
    poke: asyncio.Event
    log: Callable[..., None]
    clock: Clock | None = None  # for the age of the newest reading
    remark: Callable[[str, str], None] | None = None  # shows a text in the status; "" takes it away
    _warned: str = ""
    _run: Instant | None = None  # since when the run of the service that is judged goes on
    _began_s: float = 0.0
    _proven: bool = False  # this run of the service gave a good reading once

    async def run(self) -> None:
        """Probe until cancelled."""
        while True:
            await asyncio.sleep(self.interval_s)
            if self.unit.up:
                await self.once()

    async def once(self) -> None:
        """Probe a running service, and say when that makes it count as failed."""
        unit, now_s = self.unit, asyncio.get_running_loop().time()
        if unit.since != self._run:
            self._run, self._began_s, self._proven = unit.since, now_s, False
            self.judge.reset()
        reading = await self.probe.run()
        if not unit.up or unit.since != self._run:
            return  # it says nothing of what runs now
        if self.clock is not None:
            unit.probed[self.probe.name] = Probed(reading.ok, reading.detail, self.clock.now())
        self._proven = self._proven or reading.ok
        if reading.ok:
            self._warn(reading.warning)
        age_s = max(asyncio.get_running_loop().time() - self._began_s, unit.status.since_s)
        if not self._proven and age_s < self.grace_s:
            return
        if self.judge.note(reading.ok):
            healthy = self.judge.verdict.value == "healthy"
            self.log(
                "probe-healthy" if healthy else "probe-failing",
                level="info" if healthy else "warning",
                service=unit.service.name,
                probe=self.probe.name,
                detail=reading.detail,
            )
        if self.judge.verdict.value == "failing":
            unit.ailing = f"its probe {self.probe.name} fails: {reading.detail}"
            self.judge.reset()
            self._run = None
            self.poke.set()

    def _warn(self, warning: str) -> None:
        """Say once what keeps the probe from seeing more."""
        if warning == self._warned:
            return
        self._warned = warning
        name = f"{self.unit.service.name}, probe {self.probe.name}"
        if self.remark is not None:
            self.remark(name, f"{name}: {warning}" if warning else "")
        if warning:
            self.log(
                "probe-blind",
                level="warning",
                service=self.unit.service.name,
                probe=self.probe.name,
                because=warning,
                detail="whether it answers is all that is probed meanwhile",
            )
        else:
            self.log("probe-sees-again", service=self.unit.service.name, probe=self.probe.name)
