"""Fitness: whether this node could run the services, by its own checks. An unfit node is no candidate.

Nothing counts as fit before it was checked once. A check that hangs has failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from acmd.tasks.heartbeat import Wishes


@dataclass(slots=True)
class Check:
    """One question about this node. `ask` gives "" or why not; `on_data` ones hand over an active node."""

    name: str
    ask: Callable[[], Awaitable[str]]
    interval_s: float
    limit_s: float
    fail_after: int = 1
    recover_after: int = 1
    on_data: bool = False
    because: str = "not checked yet"
    failing: bool = True
    _known: bool = False
    _in_a_row: int = 0

    async def run_once(self) -> bool:
        """Ask. True when it changed whether this counts as failing, or why."""
        try:
            async with asyncio.timeout(self.limit_s):
                because = await self.ask()
        except TimeoutError:
            because = f"no answer within {self.limit_s:g} s"
        before = (self.failing, self.because)
        if not self._known or bool(because) == self.failing:
            self.failing, self.because, self._in_a_row = bool(because), because, 0
        else:
            self._in_a_row += 1
            if self._in_a_row >= (self.fail_after if because else self.recover_after):
                self.failing, self.because, self._in_a_row = bool(because), because, 0
        self._known = True
        return before != (self.failing, self.because)


@dataclass(slots=True)
class Fitness:
    """Keeps `wishes.fit` and its reason. `remarks` are shown as well and cost nothing."""

    checks: list[Check]
    wishes: Wishes
    changed: asyncio.Event  # set for the heartbeat
    log: Callable[..., None]
    remarks: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._publish()

    @property
    def dead_data(self) -> str:
        """Why this node must hand its services over, or "": their data do not answer here."""
        found = [check for check in self.checks if check.on_data and check.failing and check._known]
        return found[0].because if found else ""

    def remark(self, key: str, text: str) -> None:
        """Show this beside the fitness; "" takes it away."""
        if self.remarks.get(key, "") != text:
            self.remarks[key] = text
            self._publish()

    async def run(self) -> None:
        """Check until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for check in self.checks:
                tasks.create_task(self._keep(check), name=f"fitness-{check.name}")

    async def _keep(self, check: Check) -> None:
        while True:
            if await check.run_once():
                self.log(
                    "fitness",
                    level="warning" if check.failing else "info",
                    check=check.name,
                    fit=not check.failing,
                    because=check.because,
                )
                self._publish()
            await asyncio.sleep(check.interval_s)

    def _publish(self) -> None:
        failing = [f"{check.name}: {check.because}" for check in self.checks if check.failing]
        said = [*failing, *(text for text in self.remarks.values() if text)]
        fit, because = not failing, "; ".join(said)
        if (fit, because) != (self.wishes.fit, self.wishes.unfit_because):
            self.wishes.fit, self.wishes.unfit_because = fit, because
            self.changed.set()
