"""The gate of active-only units: its drop-ins are put in place, looked after, and taken away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from acmd.drivers.systemd import BusGone, BusRefused, Gate, SystemdBus, dropins

FAILURES = (BusGone, BusRefused, TimeoutError, OSError)
LIMIT_S = 2 * dropins.RELOAD_LIMIT_S


class UnitGate:
    """Without its gate in force an active-only unit is not started, and the node is not fit."""

    def __init__(
        self,
        gate: Gate,
        units: tuple[str, ...],
        bus: SystemdBus,
        reloaded: Callable[[], None],
        log: Callable[..., None],
    ) -> None:
        self._gate = gate
        self._units = units
        self._bus = bus
        self._reloaded = reloaded  # called whenever PID 1 read its units anew for us
        self._log = log
        self._in_force = False
        self.serves: Callable[[], bool] = lambda: False  # whether active-only services run here

    def before_start(self, epoch: int) -> None:
        """Leave the epoch for the unit that starts next. Raises OSError when it must not start."""
        if not self._in_force:
            raise OSError("acmd's gate is not in force")
        self._gate.note_epoch(epoch)

    async def ask(self) -> str:
        """Put the gate in place where it is not. "" or why a unit could not start, or not safely.

        A D-Bus that does not answer takes no gate away: where services run behind it, it is no reason to hand
        them over.
        """
        try:
            async with asyncio.timeout(LIMIT_S):
                missing = await self._missing()
        except FAILURES as problem:
            if self._in_force and self.serves():
                return ""
            return f"the gate of its units cannot be put in place: {str(problem) or type(problem).__name__}"
        self._in_force = not missing
        return "; ".join(missing)

    async def _missing(self) -> list[str]:
        if not self._in_force:
            changed = await dropins.install(self._gate, self._units, self._bus)
            self._reloaded()
            self._log("gate-installed", units=" ".join(self._units), changed=changed)
        return [why for unit in self._units if (why := await dropins.missing(self._gate, unit, self._bus))]

    async def remove(self) -> None:
        """Take the drop-ins away, unless the host goes down, which does so by itself."""
        try:
            state = await self._bus.properties(
                "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"
            )
            if state.get("SystemState") != "stopping" and await dropins.remove(self._gate, self._bus):
                self._log("gate-removed", units=" ".join(self._units))
        except FAILURES as problem:
            self._log("gate-left", level="warning", because=str(problem), remedy="a reboot takes it away")
