"""A service without a process: it does at once what it is asked, unless a test says otherwise."""

from __future__ import annotations

import asyncio

from acmd.ports import ServiceStatus


class FakeService:
    """Implements `ports.Service`. `ignores_stop`, `refuses` and `unknown` make it difficult."""

    def __init__(self, name: str, runs_on: str = "active") -> None:
        self.name = name
        self.runs_on = runs_on
        self.changed = asyncio.Event()
        self.state = "stopped"
        self.lives = False
        self.epoch: int | None = None
        self.refuses = ""
        self.ignores_stop = False
        self.unknown = False
        self.starts = 0
        self.calls: list[str] = []

    async def observe(self) -> ServiceStatus:
        """What is there now."""
        return ServiceStatus(
            self.name,
            self.runs_on,
            state=self.state,
            processes=self.lives or self.unknown,
            jobs=self.unknown,
            restarts=max(0, self.starts - 1),
            detail=self.refuses,
        )

    async def start(self, epoch: int) -> bool:
        """Start it, unless it is told to refuse or something of another run lives."""
        self.calls.append(f"start {epoch}")
        if self.lives:
            return self.state == "running" and self.epoch == epoch
        if self.refuses:
            self._become("failed", False)
            return False
        self.epoch = epoch
        self.starts += 1
        self._become("running", True)
        return True

    async def stop(self) -> bool:
        """Stop gracefully."""
        self.calls.append("stop")
        if self.lives:
            self._become("stopping" if self.ignores_stop else "stopped", self.ignores_stop)
        return not self.lives

    async def kill(self) -> None:
        """End all of it."""
        self.calls.append("kill")
        if self.lives:
            self._become("stopped", False)

    def die(self) -> None:
        """It ends by itself."""
        self._become("failed", False)

    def _become(self, state: str, lives: bool) -> None:
        self.state, self.lives = state, lives
        self.changed.set()
