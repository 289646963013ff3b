"""Fencing other hosts: one agent run per host at a time; confirmations are kept with the moment of asking."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from acmd.core.observation import Fenced
from acmd.core.timing import NS_PER_S, Instant, elapsed_for_observer_ns
from acmd.ports import Clock, FenceAgent

RETRY_NS = 5 * NS_PER_S
KEPT = 64


@dataclass(slots=True)
class Fencing:
    """Implements `ports.Fencer`. `agent` None: only operators confirm."""

    agent: FenceAgent | None
    clock: Clock
    changed: asyncio.Event
    log: Callable[..., None]
    _confirmed: list[Fenced] = field(default_factory=list)
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _failed: dict[str, Instant] = field(default_factory=dict)
    _news: bool = False
    _asked_by_hand: set[str] = field(default_factory=set)

    @property
    def available(self) -> bool:
        """Whether an agent is configured."""
        return self.agent is not None

    def request(self, host: str) -> None:
        """Fence this host, unless that is under way or has failed a moment ago."""
        if self.agent is None or host in self._running:
            return
        failed = self._failed.get(host)
        if failed is not None and elapsed_for_observer_ns(failed, self.clock.now()) < RETRY_NS:
            return
        self._running[host] = asyncio.create_task(self._fence(self.agent, host), name=f"fence-{host}")

    def by_hand(self, host: str) -> None:
        """Fence this host now, unless that is under way. A failure is for the operator alone."""
        self._failed.pop(host, None)
        if host not in self._running:
            self._asked_by_hand.add(host)
            self.request(host)

    async def wait(self, host: str, limit_s: float) -> None:
        """Until the run under way has ended, at most this long."""
        task = self._running.get(host)
        if task is not None:
            await asyncio.wait({task}, timeout=limit_s)

    def result(self, host: str) -> str:
        """What became of the last try: running, confirmed, failed, or unknown."""
        if host in self._running:
            return "running"
        if host in self._failed:
            return "failed"
        return "confirmed" if any(fenced.host == host for fenced in self._confirmed) else "unknown"

    async def _fence(self, agent: FenceAgent, host: str) -> None:
        asked = self.clock.now()
        self.log("fencing", host=host)
        try:
            confirmed = await agent.fence(host)
        finally:
            self._running.pop(host, None)
        if confirmed:
            self.confirm(host, asked)
        else:
            self._failed[host] = self.clock.now()
            self._news = self._news or host not in self._asked_by_hand
            self.log("fencing-failed", host=host)
        self._asked_by_hand.discard(host)
        self.changed.set()

    def confirm(self, host: str, asked: Instant) -> None:
        """An agent, or an operator, says that the host was off or reset after `asked`."""
        self._failed.pop(host, None)  # an operator's word ends it as well
        self._confirmed = [*self._confirmed[-KEPT:], Fenced(host, asked)]
        self.log("fenced", host=host)
        self.changed.set()

    def confirmed(self) -> tuple[Fenced, ...]:
        """All confirmations that are kept, oldest first."""
        return tuple(self._confirmed)

    def failed(self) -> bool:
        """Whether a try has failed since this was asked last."""
        news, self._news = self._news, False
        return news

    def details(self) -> dict[str, Any]:
        """What is under way, what failed last, and what was confirmed, as JSON values."""
        now = self.clock.now()
        return {
            "running": sorted(self._running),
            "failed": sorted(self._failed),
            "confirmed": [
                {
                    "host": found.host,
                    "age_s": round(elapsed_for_observer_ns(found.asked, now) / NS_PER_S, 3),
                }
                for found in self._confirmed
            ],
        }

    async def close(self) -> None:
        """End what is under way."""
        for task in list(self._running.values()):
            task.cancel()
