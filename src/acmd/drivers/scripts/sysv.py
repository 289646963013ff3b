"""A service of kind `sysv`: an init script with LSB status codes. Implements `ports.Service`.

Where systemd made a unit of the script, that unit starts, stops and kills it (`unit`, handed in);
the script is only asked for its status, since a generated unit counts as active for ever. Where no
unit is generated any more, the script itself is run, in the service's control group.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Protocol

from acmd.drivers.scripts.action import Monitor, Place
from acmd.drivers.scripts.program import REFUSED, Ended
from acmd.ports import Service, ServiceStatus

FRESH_S = 1.0  # a script is not asked more often
# Debian's and Red Hat's init functions would hand the call over to systemctl, which asks the unit again.
SELF = {"SYSTEMCTL_SKIP_REDIRECT": "1", "_SYSTEMCTL_SKIP_REDIRECT": "1"}

RUNNING = 0
DEAD = {1: "it is dead, and its pid file is left", 2: "it is dead, and its lock file is left", 3: ""}
ACTIONS = {
    1: "it reports an error",
    2: "it was given arguments that it does not take",
    3: "it does not know the action",
    4: "it lacks permissions",
    5: "its program is not installed",
    6: "it is not configured",
    7: "it is not running",
}


@dataclass(frozen=True, slots=True)
class SysvScript:
    """An init script, by its path, and the limits of its actions."""

    name: str
    path: str
    runs_on: str = "active"
    start_limit_s: float = 60.0
    stop_limit_s: float = 30.0
    status_limit_s: float = 5.0
    place: Place = field(default_factory=Place)
    lenient: bool = False  # its word that nothing runs counts only where no process of the unit is left


class Unit(Service, Protocol):
    """What drives the unit that systemd made of the script."""

    def set_limits(self, start_s: float, stop_s: float) -> None:
        """Take over other limits."""
        ...


class SysvService:
    """One init script, alone or with the unit that systemd made of it."""

    def __init__(self, script: SysvScript, unit: Unit | None = None) -> None:
        self.name = script.name
        self.changed = unit.changed if unit is not None else asyncio.Event()
        self._script = script
        self._unit = unit
        self._doing = ""
        self._note = ""
        self._monitor = Monitor(script.name, script.runs_on, lambda: asyncio.ensure_future(self._look()))

    def set_limits(self, start_s: float, stop_s: float, status_s: float) -> None:
        """Take over other limits, from the next action on; the unit's as well."""
        self._script = replace(
            self._script, start_limit_s=start_s, stop_limit_s=stop_s, status_limit_s=status_s
        )
        if self._unit is not None:
            self._unit.set_limits(start_s, stop_s)

    # -- looking ------------------------------------------------------------------------------------

    async def observe(self) -> ServiceStatus:
        """The unit's state, and the script's word on whether an active one really runs. Never raises."""
        if self._unit is None:
            self.changed.clear()
            if self._doing:
                return ServiceStatus(self.name, self._script.runs_on, self._doing, processes=True, jobs=True)
            return self._script.place.checked(await self._monitor.look(FRESH_S, FRESH_S / 5))
        status = await self._unit.observe()
        if status.state != "running":
            self._monitor.forget()
            return status
        return self._with_its_word(status, await self._monitor.look(FRESH_S, FRESH_S))

    def _with_its_word(self, status: ServiceStatus, said: ServiceStatus) -> ServiceStatus:
        """An active unit's status, with what the script says of it."""
        if said.state not in {"stopped", "failed"}:
            return status
        because = said.detail or "its script says that it does not run"
        if self._script.lenient and status.pids:
            status.detail = f"{because}; but processes of it live"
        else:
            status.state, status.detail = "failed", because
        return status

    async def _look(self) -> ServiceStatus:
        ended = await self._run("status", self._script.status_limit_s)
        status = ServiceStatus(self.name, self._script.runs_on, "unknown", processes=True)
        if ended.code == RUNNING:
            status.state = "running"
        elif ended.code in DEAD:
            status.processes = await self._script.place.settled()
            status.state = "failed" if ended.code != 3 else "stopped"
            status.detail = DEAD[ended.code] or self._note
        else:
            status.detail = f"its status cannot be told: {_words(ended)}"
        return status

    # -- acting -------------------------------------------------------------------------------------

    async def start(self, epoch: int) -> bool:
        """Start, then ask for the status."""
        self._note = ""
        last = self._monitor.last
        self._monitor.forget()
        if self._unit is not None:
            return await self._start_unit(self._unit, epoch)
        self._doing = "starting"
        seen, began = None, 0.0
        try:
            if last is not None and last.state == "failed" and last.processes:
                await self._run(
                    "stop", self._script.stop_limit_s
                )  # it hangs, and a start would find it there
            ended = await self._run("start", self._script.start_limit_s, epoch)
            if ended.code != 0:
                self._note = f"its start failed: {_words(ended)}"
                return False
            began = asyncio.get_running_loop().time()
            seen = await self._look()
            return seen.state == "running"
        finally:
            self._ended(seen, began)

    async def _start_unit(self, unit: Service, epoch: int) -> bool:
        status = await unit.observe()
        if status.state == "running":
            # Active by name only: a start job would do nothing.
            await unit.stop()
        if not await unit.start(epoch):
            return False
        began = asyncio.get_running_loop().time()
        said = await self._look()
        self._monitor.keep(said, began)  # what was asked while it was starting counts no more
        if not self._script.lenient:
            return said.state == "running"
        return self._with_its_word(await unit.observe(), said).state == "running"

    async def stop(self) -> bool:
        """Stop. False when something of it still lives."""
        self._note = ""
        self._monitor.forget()
        if self._unit is not None:
            return await self._unit.stop()
        self._doing = "stopping"
        seen, began = None, 0.0
        try:
            ended = await self._run("stop", self._script.stop_limit_s)
            if ended.code not in {0, 7}:
                self._note = f"its stop failed: {_words(ended)}"
            began = asyncio.get_running_loop().time()
            seen = await self._look()
        finally:
            self._ended(seen, began)
        if seen.processes:
            return False
        self._script.place.remove()
        return True

    async def kill(self) -> None:
        """SIGKILL to all of its control group."""
        self._monitor.doubt()
        if self._unit is not None:
            await self._unit.kill()
        else:
            self._script.place.kill()
            self.changed.set()

    def _ended(self, seen: ServiceStatus | None, began: float) -> None:
        """`seen`: what the action found at its end. A slow script should not have to find it again."""
        self._doing = ""
        if seen is None:
            self._monitor.forget()
        else:
            self._monitor.keep(seen, began)
        self.changed.set()

    async def _run(self, action: str, limit_s: float, epoch: int = -1) -> Ended:
        environment = {**SELF, **({"ACMD_EPOCH": str(epoch)} if epoch >= 0 else {})}
        place = self._script.place if self._unit is None else Place()
        if action == "status":
            return await place.look((self._script.path, action), environment, limit_s)
        return await place.run((self._script.path, action), environment, limit_s, start=action == "start")


def _words(ended: Ended) -> str:
    if ended.code is None:
        return "its script did not end within its limit"
    if ended.code == REFUSED:
        return "the gate is not open"
    if ended.code < 0:
        return f"its script was killed by signal {-ended.code}"
    return ACTIONS.get(ended.code, f"exit code {ended.code}")
