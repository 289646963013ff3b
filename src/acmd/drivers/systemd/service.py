"""A service of kind `systemd`: one unit, driven over D-Bus. Implements `ports.Service`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from acmd.drivers.systemd import groups, systemctl
from acmd.drivers.systemd.bus import MANAGER, SYSTEMD, BusGone, BusRefused, SystemdBus
from acmd.drivers.systemd.state import RESULTS, UnitState, from_properties
from acmd.ports import ServiceStatus

OBSERVE_LIMIT_S = 1.0
ORDER_LIMIT_S = 1.0
UNIT = f"{SYSTEMD}.Unit"
SERVICE = f"{SYSTEMD}.Service"

FAILURES = (BusGone, BusRefused, TimeoutError)


@dataclass(frozen=True, slots=True)
class SystemdUnit:
    """What is kept, and its limits. `unit` is a whole name with its `.service`."""

    name: str
    unit: str
    runs_on: str = "active"
    start_limit_s: float = 90.0
    stop_limit_s: float = 30.0


class SystemdService:
    """All state is PID 1's: a daemon that comes later finds everything as it is.

    `before_start` is called with the epoch before each start job (the gate's drop-ins leave
    ACMD_EPOCH there); what it raises of OSError refuses the start.
    """

    def __init__(
        self, unit: SystemdUnit, bus: SystemdBus, before_start: Callable[[int], None] | None = None
    ) -> None:
        self.name = unit.name
        self.changed = asyncio.Event()
        self._unit = unit
        self._bus = bus
        self._before_start = before_start
        self._path = ""  # the unit's object: asked anew after each change of the connection
        self._stale = True  # whether the details below may be old
        self._watched: set[str] = set()
        self._last: UnitState | None = None
        self._groups: set[str] = set()
        self._invocation = ""
        self._scanned = ""  # the invocation that was looked through for processes that slipped out
        self._escaped: tuple[groups.Escaped, ...] = ()
        self._search = groups.Search()
        self._note = ""  # how the last start or stop failed
        bus.watch(unit.unit, self._on_change)

    def close(self) -> None:
        """Hear of the unit no more; it is left as it is."""
        self._bus.unwatch(self._on_change)

    def set_limits(self, start_s: float, stop_s: float) -> None:
        """Take over other limits, from the next start and stop on."""
        self._unit = replace(self._unit, start_limit_s=start_s, stop_limit_s=stop_s)

    def _on_change(self) -> None:
        self._stale = True
        if not self._bus.ready.is_set():
            self._path = ""
        self.changed.set()

    # -- looking ------------------------------------------------------------------------------------

    async def observe(self) -> ServiceStatus:
        """What PID 1 and the kernel say now. Never raises; ends within about two seconds.

        While D-Bus is gone, `systemctl` is asked; where that cannot tell either, everything counts as there.
        """
        self.changed.clear()
        seen = await self._look()
        status = ServiceStatus(self.name, self._unit.runs_on, processes=True, jobs=True)
        if seen is None:
            status.detail = f"PID 1 cannot be asked: {self._bus.last_error or 'no answer'}"
            return status
        status.state = seen.state
        status.jobs = seen.pending
        # A unit that PID 1 calls active is not gone, whatever the kernel says: either it has no processes
        # by its nature, or PID 1 has yet to hear of their end, and may then start it again.
        status.processes = groups.populated(self._groups) or seen.state == "running"
        status.restarts = status.unasked = seen.restarts
        status.since_s = max(0.0, time.clock_gettime(time.CLOCK_MONOTONIC) - seen.changed_us / 1e6)
        status.pids = groups.pids(self._groups) if status.processes else ()
        status.detail = seen.detail or (self._note if seen.state in {"stopped", "failed"} else "")
        if not status.processes and seen.state in {"stopped", "failed"}:
            await self._look_outside(status)
        elif status.processes and seen.state in {"stopped", "failed"} and not status.jobs:
            status.detail = "the unit is down, but processes were left in its control group"
        return status

    async def _look(self) -> UnitState | None:
        try:
            async with asyncio.timeout(OBSERVE_LIMIT_S):
                seen: UnitState | None = await self._ask()
        except FAILURES:
            self._stale = True
            seen = await systemctl.show(self._unit.unit)
        if seen is not None:
            self._last = seen
            self._groups |= groups.paths_of(self._unit.unit, seen.control_group, seen.slice)
            self._invocation = seen.invocation or self._invocation
        return seen

    async def _ask(self) -> UnitState:
        if not self._path:
            (path,) = await self._bus.call("LoadUnit", "s", self._unit.unit)
            await self._bus.follow(path)
            if path not in self._watched:
                self._watched.add(path)
                self._bus.watch(path, self._on_change)
            self._path = path
        self._stale, stale = False, self._stale
        (rows,) = await self._bus.call("ListUnitsByNames", "as", [self._unit.unit])
        if not rows:
            raise BusRefused("", "PID 1 does not list the unit")
        load, active, sub, job = rows[0][2], rows[0][3], rows[0][4], rows[0][7] != 0
        last = self._last
        if stale or last is None or (last.load, last.active, last.sub) != (load, active, sub):
            asked = (UNIT, SERVICE) if load == "loaded" else (UNIT,)
            unit, *services = await asyncio.gather(*(self._bus.properties(self._path, of) for of in asked))
            service = services[0] if services else {}
            return from_properties((load, active, sub, job), unit, service)
        return replace(last, job=job)

    async def _look_outside(self, status: ServiceStatus) -> None:
        """Once for each run that ended: did a process of it move to another control group?"""
        try:
            if self._invocation and self._scanned != self._invocation:
                self._escaped = await self._search.escaped(self._invocation, self._groups)
                self._scanned = self._invocation
            self._escaped = tuple(process for process in self._escaped if process.lives)
        except (TimeoutError, OSError):
            status.processes = True
            status.detail = "whether processes of it live outside of its control group cannot be told"
            return
        if self._escaped:
            first = self._escaped[0]
            status.processes = True
            status.pids = tuple(process.pid for process in self._escaped)
            status.detail = f"process {first.pid} ({first.name}) lives on outside of its control group"

    # -- acting -------------------------------------------------------------------------------------

    async def start(self, epoch: int) -> bool:
        """Queue a start job and wait until PID 1 calls it done and the unit active.

        systemd's count of starts is reset first, of failed and other units: acmd's own budget decides.
        At the limit, the unit is told to stop, so that nothing of the attempt goes on.
        """
        self._note = ""
        unit, limit_s = self._unit.unit, self._unit.start_limit_s
        try:
            if self._before_start is not None:
                self._before_start(epoch)
            self._bus.post("ResetFailedUnit", "s", unit)
            # "fail": a stop that is queued already, an operator's or the host's going down, wins.
            result = await self._bus.job("StartUnit", unit, "fail", limit_s)
        except TimeoutError:
            self._note = f"no end of its start within {limit_s:g} s"
            await self._order("StopUnit", "ss", unit, "replace")
            return False
        except (BusGone, BusRefused) as error:
            self._note = f"PID 1 refuses to start it: {error}"
            return False
        except OSError as error:
            self._note = f"its epoch cannot be written: {error}"
            return False
        self._stale = True
        seen = await self._look()
        if seen is not None and seen.active in {"active", "reloading", "refreshing"}:
            return True
        # PID 1 forgets a skipped unit at once, and with it the reason.
        skipped = seen is not None and seen.active == "inactive" and result in {"done", "skipped"}
        self._note = (seen.detail if seen is not None else "") or (
            RESULTS["exec-condition"] if skipped else f"its start job ended as {result!r}"
        )
        return False

    async def stop(self) -> bool:
        """Queue a stop job, in the place of any start job, and wait. False: something still lives."""
        unit, limit_s = self._unit.unit, self._unit.stop_limit_s
        try:
            result = await self._bus.job("StopUnit", unit, "replace", limit_s)
            self._note = "" if result == "done" else f"its stop job ended as {result!r}"
        except TimeoutError:
            self._note = f"it did not stop within {limit_s:g} s"
        except BusRefused as error:
            self._note = "" if error.short == "NoSuchUnit" else f"PID 1 refuses to stop it: {error}"
        except BusGone:
            if not await systemctl.stop(unit, limit_s):
                self._note = "systemctl could not stop it while D-Bus was gone"
        self._stale = True
        status = await self.observe()
        self.changed.set()
        return not status.processes and not status.jobs

    async def kill(self) -> None:
        """SIGKILL to its control groups and what left them; a stop job keeps systemd from restarting it.

        The kernel's own kill comes first: it needs neither D-Bus nor PID 1. Does not wait for the end.
        """
        groups.kill(self._groups)
        if self._escaped:
            groups.kill_escaped(self._escaped)
        unit = self._unit.unit
        try:
            async with asyncio.timeout(ORDER_LIMIT_S):
                with contextlib.suppress(BusRefused):  # no such unit, or an own stop of the host under way
                    await self._bus.call("StopUnit", "ss", unit, "replace")
                with contextlib.suppress(BusRefused):  # no process left
                    await self._bus.call("KillUnit", "ssi", unit, "all", 9)
        except (BusGone, TimeoutError):
            await systemctl.kill(unit)
        groups.kill(self._groups)

    async def _order(self, member: str, signature: str, *arguments: Any) -> None:
        with contextlib.suppress(*FAILURES):
            await self._bus.call(member, signature, *arguments, interface=MANAGER, limit_s=ORDER_LIMIT_S)
