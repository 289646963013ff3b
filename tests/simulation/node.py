"""A host: its power, its clocks, its local files, its guard and its daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acmd.core.state import Remembered
from tests.simulation import guard_process as g
from tests.simulation import oracle as o
from tests.simulation.clocks import HostClock
from tests.simulation.daemon import Daemon
from tests.simulation.services import Services
from tests.simulation.storage import Storage

if TYPE_CHECKING:
    from tests.simulation.world import World


class Host:
    """A machine over its boots."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.machine_id = f"machine-{name}"
        self.up = False
        self.boot = 0
        self.boot_id = ""
        self.incarnations = 0
        self.highest_epoch = -1
        self.run: Remembered | None = None
        self.guard_memory: tuple[Any, Any, bool] = (None, None, False)
        self.daemon: Daemon | None = None
        self.guard: g.GuardProcess | None = None
        self.switch: Any = None  # of the guard, also when that has died
        self.fit = True
        self.listed_at = 0  # when the server last executed a listing for this host
        self.wall_offset_s = 0
        self.data_cut = False
        self.last_fed = 0
        self.clock: HostClock
        self.services: Services
        self.storage = Storage(self)

    # -- power ----------------------------------------------------------------------------------------

    def power_on(self, _: Any = None) -> None:
        """Boot: everything in memory is new, /var/lib is as it was."""
        if self.up:
            return
        world = self.world
        self.up = True
        self.boot += 1
        self.boot_id = f"boot-{self.name}-{self.boot}"
        self.run = None
        self.guard_memory = (None, None, False)
        self.clock = world.new_clock()
        self.services = Services(self)
        self.data_cut = False
        self.last_fed = world.now
        self.start_guard(self.boot)
        if world.watchdog_ns:
            world.at(world.now + world.watchdog_ns, self._watchdog, self.boot)
        world.at(world.now + world.latency(), self.start_daemon, self.boot)

    def power_off(self) -> None:
        """Power is lost, or the last resort was used. Comes back after a while."""
        if not self.up:
            return
        world = self.world
        world.note("power off", self)
        self.up = False
        if self.daemon is not None:
            self.daemon.alive = False
            self.daemon = None
        if self.guard is not None:
            self.guard.alive = False
            self.guard = None
        self.services.host_died()
        self.storage.host_died()
        world.host_down(self)

    def start_guard(self, boot: int) -> None:
        """PID 1 starts the guard."""
        if self.up and boot == self.boot and self.guard is None:
            self.guard = guard = g.GuardProcess(self)
            guard.begin()
            if guard.alive:
                guard.tell()

    def reset_lost_guard(self, boot: int) -> None:
        """The switch was lost while armed."""
        if self.up and boot == self.boot:
            self.world.count("resets")
            self.world.note("reset: the switch was lost while armed", self)
            self.power_off()

    def set_rates(self, boot_rate: int, raw_rate: int) -> None:
        """The clocks change their rates; timers run on them."""
        old, now = self.clock.boot_rate, self.world.now
        self.clock.set_rates(now, boot_rate, raw_rate)
        if self.guard is not None:
            self.guard.reschedule(old, boot_rate)
        if self.daemon is not None:
            self.daemon.reschedule(old, boot_rate)

    def fed(self, now: int) -> None:
        """The kernel's watchdog is fed."""
        self.last_fed = now

    def _watchdog(self, boot: int) -> None:
        if not self.up or boot != self.boot:
            return
        world = self.world
        then = self.last_fed + self.clock.real_delay(world.watchdog_ns)
        if world.now >= then:
            world.count("watchdog resets")
            world.note("the watchdog fires", self)
            self.power_off()
        else:
            world.at(then, self._watchdog, boot)

    # -- the daemon -----------------------------------------------------------------------------------

    def start_daemon(self, boot: int) -> None:
        """PID 1 starts the daemon."""
        if not self.up or boot != self.boot or self.daemon is not None:
            return
        world = self.world
        if world.stay_down(self):
            return
        self.daemon = daemon = Daemon(self)
        if self.guard is not None:
            self.guard.tell()
        daemon.supervision.look()
        world.daemon_started(self)
        daemon.poke(world.now)

    def daemon_exits(self) -> None:
        """It ended by itself."""
        daemon = self.daemon
        if daemon is None:
            return
        daemon.alive = False
        self.daemon = None
        self.storage.daemon_died()
        self.world.daemon_left(self, daemon.leave)

    def crash(self, how: int) -> None:
        """Something of this host dies."""
        world = self.world
        world.count("crash " + {-1: "daemon", -2: "switch", -3: "both", -4: "power"}.get(how, "?"))
        if how == o.POWER_LOSS:
            self.power_off()
            return
        if how in (o.CRASH_SWITCH, o.CRASH_BOTH) and self.guard is not None:
            self.guard.die()
        if how in (o.CRASH_DAEMON, o.CRASH_BOTH) and self.daemon is not None:
            world.note("daemon crashes", self)
            self.daemon.alive = False
            self.daemon = None
            self.storage.daemon_died()
            world.daemon_crashed(self)


__all__ = ["Daemon", "Host"]
