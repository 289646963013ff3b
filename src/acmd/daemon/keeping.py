"""All that keeps this node's services, as one thing: groups, gate, probes, fitness, interlock, publishing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from acmd.config.model import Config, OcfService
from acmd.core.observation import Intent, Mode, ServicesView
from acmd.core.state import Role, State
from acmd.daemon.building import group, reload_services, stop_limits_s
from acmd.daemon.gatekeeping import LIMIT_S, UnitGate
from acmd.daemon.guarding import unseen
from acmd.daemon.services import gate_of, needs_bus, units_of
from acmd.daemon.watching import fitness_checks, interlock_greet, publisher, reload_watches, watches
from acmd.drivers.scripts import addresses
from acmd.drivers.scripts.held import orphans
from acmd.drivers.stop_times import StopTimesFile
from acmd.drivers.systemd import SystemdBus
from acmd.guard.processes import HELD
from acmd.ports import Clock
from acmd.tasks.attendance import Attendance
from acmd.tasks.fitness import Check, Fitness
from acmd.tasks.heartbeat import Wishes
from acmd.tasks.interlock import InterlockKeeper
from acmd.tasks.probing import Watch
from acmd.tasks.publishing import Publisher
from acmd.tasks.stopping import StopTimes
from acmd.tasks.supervision import Group

OTHERS_STOP_MARGIN_S = 10.0
BUS_WAIT_S = 0.5  # at the start: an adopting daemon has a renewal to make
GATE_LOOK_S = 10.0
OTHERS_LOOK_S = 1.0
ADDRESS_AGE_S = 10.0
OWN_KEPT = 64


class Keeping:
    """Made by `make`. It is the heartbeat's `ports.Supervisor`: what it views concerns the whole node."""

    def __init__(
        self,
        config: Config,
        bus: SystemdBus,
        groups: tuple[Group, Group],
        gate: UnitGate,
        log: Callable[..., None],
    ) -> None:
        self.active, self.others = groups
        self.active.beside = self.others
        self._attendance = Attendance(self.others)
        self.peers: Callable[[], tuple[str, ...]] = tuple
        self.overridden: Callable[[int], bool] = lambda _: False
        self._config = config
        self._bus = bus
        self._gate = gate
        self._log = log
        self._state: State | None = None
        self._watches: list[Watch] = [
            watch for part in groups for watch in watches(config, part, self._remark)
        ]
        self._own: dict[str, tuple[float, bool]] = {}
        self._orphans_s = float("-inf")

    @classmethod
    async def make(
        cls,
        config: Config,
        clock: Clock,
        changed: asyncio.Event,
        wishes: Wishes,
        reloaded: Callable[[], None],
        log: Callable[..., None],
    ) -> Keeping:
        """Connect to PID 1 where a service is a unit, and build everything. Raises AcmdError."""
        bus = SystemdBus()
        if needs_bus(config):
            await bus.open(BUS_WAIT_S)
        gate = UnitGate(gate_of(config), units_of(config, "active"), bus, reloaded, log)
        active = await group(config, "active", clock, changed, log, bus, gate.before_start)
        others = await group(config, "all", clock, changed, log, bus, gate.before_start)
        active.stops = others.stops = StopTimes(StopTimesFile(Path(config.state_dir)), log)
        made = cls(config, bus, (active, others), gate, log)
        gate.serves = lambda: active.view().mode is Mode.RUN
        made.fitness = Fitness(made._checks(), wishes, changed, log)
        made.interlock = made._interlock(wishes, clock, changed, log)
        made.publisher = made._publisher(log)
        return made

    fitness: Fitness
    interlock: InterlockKeeper | None
    publisher: Publisher | None

    # -- ports.Supervisor -------------------------------------------------------------------------

    def request(self, mode: Mode, epoch: int, issued: Any) -> None:
        """For the active-only services; those of every node are not the heartbeat's business."""
        self.active.request(mode, epoch, issued)

    def view(self) -> ServicesView:
        """The active-only services; `failed` also for critical ones of every node, and for dead data."""
        view = self.active.view()
        if view.mode is Mode.RUN and (self.others.view().failed or self.fitness.dead_data):
            return view._replace(failed=True)
        return view

    # -- the daemon's -----------------------------------------------------------------------------

    def notice(self, state: State, intent: Intent) -> None:
        """After each decision."""
        self._attendance.notice(intent)
        before, self._state = self._state, state
        if self.interlock is not None:
            self.interlock.notice(state)
        if self.publisher is not None and (before is None or before.role is not state.role):
            self.publisher.poke.set()
        self._tell_orphans()
        strays = [unit.service.name for unit in self.active.units if unit.stray]
        self.fitness.remark(
            "stray", f"{', '.join(strays)} ran here without a lease and is being stopped" if strays else ""
        )

    def _tell_orphans(self) -> None:
        """Marks that nobody gives back keep the guard from ever taking this node's services for gone."""
        now_s = time.monotonic()
        if now_s - self._orphans_s < GATE_LOOK_S:
            return
        self._orphans_s = now_s
        directory = f"{self._config.run_dir}/services"
        kept = [entry.name for entry in self._config.services if isinstance(entry, OcfService)]
        found = ", ".join(orphans(directory, kept))
        self.fitness.remark(
            "held",
            f"{found}: started here by an agent, and no more in the configuration; stop it with the agent, "
            f"see that nothing of it is left, then remove {directory}/NAME{HELD}: a hand-over before that "
            "ends in a reset"
            if found
            else "",
        )

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """Everything that runs beside the heartbeat."""
        found = [part.run() for part in (self.active, self.others)]
        found += [watch.run() for watch in self._watches]
        found.append(self.fitness.run())
        if self.interlock is not None:
            found.append(self.interlock.run())
        if self.publisher is not None:
            found.append(self.publisher.run())
        return found

    def reload(self, config: Config) -> None:
        """Take over limits and budgets of a configuration that was read anew and accepted."""
        self._config = config
        reload_services(config, (self.active, self.others))
        reload_watches(config, self._watches)

    async def stop_others(self) -> None:
        """Services of every node stop with the daemon, once the lease is given back; not in maintenance."""
        if self._attendance.left_alone:
            return
        self.others.request(Mode.STOP, -1, None)
        limit_s = OTHERS_STOP_MARGIN_S + max(stop_limits_s(self._config, self.others), default=0.0)
        deadline = asyncio.get_running_loop().time() + limit_s
        while asyncio.get_running_loop().time() < deadline:
            view = self.others.view()
            if view.mode is Mode.STOP and view.gone:
                return
            await asyncio.sleep(0.02)
        self._log("services-left", level="warning", limit_s=limit_s)

    async def released(self) -> None:
        """This node has given everything back: leave no trace of the gate."""
        if units_of(self._config, "active"):
            await self._gate.remove()

    async def close(self) -> None:
        """Hang up; everything runs on."""
        await self._bus.close()

    def _remark(self, key: str, text: str) -> None:
        self.fitness.remark(key, text)

    # -- parts ------------------------------------------------------------------------------------

    def _checks(self) -> list[Check]:
        checks = fitness_checks(self._config)
        if units_of(self._config, "active"):
            checks.append(Check("units", self._gate.ask, GATE_LOOK_S, LIMIT_S + 1))
        checks.append(Check("guard", self._ask_watched, GATE_LOOK_S, LIMIT_S))
        if unseen(self._config):
            checks.append(Check("groups", self._ask_unseen, OTHERS_LOOK_S, OTHERS_LOOK_S))
        if any(unit.plan.critical for unit in self.others.units):
            checks.append(Check("services", self._ask_others, OTHERS_LOOK_S, OTHERS_LOOK_S))
        return checks

    async def _ask_watched(self) -> str:
        """What runs here that the armed guard could not kill: started by hand, or adopted."""
        running = (unit.service.name for unit in self.active.units if not unit.gone)
        found = [name for name in running if self.active.bar(name)]
        return f"the guard that is armed could not kill {', '.join(found)}" if found else ""

    async def _ask_unseen(self) -> str:
        return unseen(self._config)

    async def _ask_others(self) -> str:
        return "a critical service of this node cannot be kept up" if self.others.view().failed else ""

    def _interlock(
        self, wishes: Wishes, clock: Clock, changed: asyncio.Event, log: Callable[..., None]
    ) -> InterlockKeeper | None:
        if not self._config.interlock.mysql:
            return None
        return InterlockKeeper(
            interlock_greet(self._config),
            lambda: self.peers(),  # noqa: PLW0108 - set once the board is there
            self._is_own,
            lambda epoch: self.overridden(epoch),  # noqa: PLW0108
            wishes,
            clock,
            changed,
            lambda text: self.fitness.remark("interlock", text),
            log,
        )

    def _publisher(self, log: Callable[..., None]) -> Publisher | None:
        if not self._config.publish.enabled:
            return None
        return publisher(self._config, self._active_address, (self.active, self.others), self._bus, log)

    def _active_address(self) -> str:
        """The holder's, by the record that was seen last."""
        s = self._state
        if s is None:
            return ""
        if s.lease is not None:
            return s.me.address if s.role in {Role.ACTIVE, Role.DETACHED} else ""
        record = s.seen.record if s.seen is not None else None
        return record.address if record is not None and record.state.value != "released" else ""

    def _is_own(self, address: str) -> bool:
        """Whether one of this host's interfaces has it; looked up now and then only.

        What cannot be told is not ours: a server there is asked, which is the safe side.
        """
        now_s = time.monotonic()
        known = self._own.get(address)
        if known is not None and now_s - known[0] <= ADDRESS_AGE_S:
            return known[1]
        own = addresses.asked(address) if addresses.valid(address) else False
        if own is None:
            return False
        if len(self._own) >= OWN_KEPT:
            self._own.clear()
        self._own[address] = (now_s, own)
        return own
