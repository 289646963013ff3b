"""One probe: a check with a limit. A check that hangs is a failed one, and runs never overlap."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Protocol


class CheckFailed(Exception):
    """The service did not answer as it should; the text says how, and holds no secret."""


class Check(Protocol):
    """Asks once whether a service answers. Cancelling it must leave nothing behind that blocks the loop."""

    async def __call__(self) -> dict[str, Any]:
        """What was learned, for status and decisions. Raises CheckFailed, nothing else."""
        ...


@dataclass(frozen=True, slots=True)
class Reading:
    """What one run of a probe came to."""

    ok: bool
    detail: str = ""  # why it failed
    duration_s: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def warning(self) -> str:
        """What keeps the check from seeing all that it should, though the service answers; "" for nothing."""
        return str(self.facts.get("warning", ""))


class Probe:
    """A named check with a limit. `run` never raises (but when cancelled) and ends within `timeout_s`."""

    def __init__(self, name: str, check: Check, timeout_s: float) -> None:
        self.name = name
        self.timeout_s = timeout_s
        self.last: Reading | None = None
        self._check = check
        self._running: asyncio.Future[Reading] | None = None

    def set_limit(self, timeout_s: float) -> None:
        """Take over another limit, from the next run on."""
        self.timeout_s = timeout_s
        if hasattr(self._check, "timeout_s"):
            self._check.timeout_s = timeout_s

    async def run(self) -> Reading:
        """Check once. A call while a run is under way starts no other: it gets that run's reading."""
        if self._running is not None:
            return await asyncio.shield(self._running)
        self._running = running = asyncio.get_running_loop().create_future()
        reading = Reading(False, "the check was given up before it ended")
        try:
            reading = await self._once()
            self.last = reading
        finally:
            self._running = None
            running.set_result(reading)
        return reading

    async def _once(self) -> Reading:
        began = time.monotonic()
        facts: dict[str, Any] = {}
        detail = ""
        limit = asyncio.timeout(self.timeout_s)
        try:
            async with limit:
                facts = await self._check()
        except CheckFailed as failure:
            detail = str(failure) or "failed"
        except TimeoutError:
            detail = f"no answer within {self.timeout_s:g} s"
        return Reading(not detail, detail, time.monotonic() - began, facts)
