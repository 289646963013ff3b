"""The guard: a process around the real dead man's switch, fed with messages that take their time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acmd.core.observation import Gate, GuardView
from acmd.core.timing import Instant
from acmd.guard.switch import Do, Limits, SetGate, Sight, Switch
from tests.simulation import oracle as o

if TYPE_CHECKING:
    from tests.simulation.node import Host

ARM, CLOSE, SHUT, DISARM, DETACH = range(5)
MESSAGE_NS = 300_000
RESTART_NS = 50_000_000
GATES: dict[str, Gate] = {gate.value: gate for gate in Gate}


class GuardProcess:
    """One start of the guard."""

    def __init__(self, host: Host) -> None:
        world = host.world
        timing = world.timing
        self.host = host
        self.world = world
        self.alive = True
        self.switch = host.switch = Switch(
            Limits(
                renew_ns=timing.renew_deadline_ns,
                kill_ns=timing.kill_deadline_ns,
                reset_ns=timing.reset_deadline_ns,
                lease_ns=timing.lease_duration_ns,
                watchdog_timeout_ns=world.watchdog_ns,
                last_resort="reset" if world.resets else "none",
            )
        )
        epoch, issued, detached = host.guard_memory
        if detached:
            self.switch.was_detached(epoch)
        elif issued is not None:
            self.switch.lost_while_armed(epoch, issued)
        self.due = -1  # real time of the next tick that is scheduled
        self.last_arrival = 0
        self.paused_until = 0
        self.view = GuardView(alive=True)

    def begin(self) -> None:
        """The first look. May reset the host at once, when the guard before this one was lost while armed."""
        self._tick(None)

    # -- requests -------------------------------------------------------------------------------------

    def send(self, what: int, epoch: int, issued: Any = None) -> None:
        """A message of the daemon: first in, first out."""
        world = self.world
        then = world.now + MESSAGE_NS + world.oracle.at(o.MESSAGE, self.host)
        self.last_arrival = then = max(then, self.last_arrival)
        world.at(then, self._arrived, (what, epoch, issued))

    def _arrived(self, message: Any) -> None:
        if not self.alive:
            return
        world = self.world
        if world.now < self.paused_until:
            world.at(self.paused_until, self._arrived, message)
            return
        what, epoch, issued = message
        switch = self.switch
        now = self.host.clock.read(world.now)
        if what == ARM:
            before = switch.issued
            refused = switch.arm(epoch, issued, now)
            if not refused and before != switch.issued:
                world.safety.armed(self.host, epoch, issued)
        elif what == CLOSE:
            refused = switch.close(epoch)
        elif what == SHUT:
            refused = switch.shut(epoch)
        else:
            refused = switch.disarm(epoch, what == DETACH)
        if refused:
            world.count("refused by the switch")
        if world.trace is not None:
            names = ("arm", "close", "shut", "disarm", "detach")
            world.note("switch " + names[what], self.host, epoch, refused or "done")
        self._remember()
        self._tick(None)

    def _remember(self) -> None:
        switch = self.switch
        if switch.detached:
            self.host.guard_memory = (switch.detached_epoch, None, True)
        else:
            self.host.guard_memory = (switch.epoch, switch.issued, False)

    # -- time -----------------------------------------------------------------------------------------

    def _wake(self, due: int) -> None:
        if not self.alive or due != self.due:
            return
        world = self.world
        if world.now < self.paused_until:
            self.due = self.paused_until
            world.at(self.due, self._wake, self.due)
            return
        pause = world.oracle.at(o.TICK, self.host)
        if pause < 0:
            self.host.crash(pause)
            return  # the guard itself is among the dead
        if pause:
            self.pause(pause)
            services = self.host.services
            sight = Sight(services.processes > 0, services.jobs, services.drained)
            self.due = -1
            world.at(self.paused_until, self._tick, sight if pause & 1 else None)
            return
        self._tick(None)

    def reschedule(self, old_rate: int, rate: int) -> None:
        """The clock that wakes this process runs at another rate from now on."""
        now = self.world.now
        if self.due > now:
            self.due = now + (self.due - now) * old_rate // rate + 1
            self.world.at(self.due, self._wake, self.due)

    def pause(self, duration: int) -> None:
        """The guard hangs; after half the reset margin PID 1 ends it (WatchdogSec)."""
        world = self.world
        world.note("guard pauses", self.host, duration)
        world.count("guard pauses")
        limit = world.timing.reset_margin_ns // 2
        if duration >= limit:
            duration = limit
            world.at(world.now + limit, self._killed_by_pid1, None)
        self.paused_until = max(self.paused_until, world.now + duration)

    def _killed_by_pid1(self, _: Any) -> None:
        if self.alive:
            self.die()

    def _tick(self, sight: Any) -> None:
        if not self.alive:
            return
        host, world = self.host, self.world
        services = host.services
        now = host.clock.read(world.now)
        if sight is None:
            sight = Sight(services.processes > 0, services.jobs, services.drained)
        for action in self.switch.tick(now, sight):
            if type(action) is SetGate:
                services.gate = action.position
            elif action is Do.KILL:
                services.kill()
            elif action is Do.FEED:
                host.fed(world.now)
            elif action is Do.RESET:
                world.note("the switch resets the host", host)
                world.count("resets")
                host.power_off()
                return
        switch = self.switch
        self._remember()
        wait = switch.wake_in_ns(now)
        self.due = world.now + host.clock.real_delay(wait)
        world.at(self.due, self._wake, self.due)
        issued = switch.issued
        view = GuardView(
            True,
            switch.epoch,
            Instant(issued[0], issued[1]) if issued is not None else None,
            GATES[switch.gate],
            switch.clean,
            True,
            switch.ended,
        )
        if view != self.view:
            self.view = view
            self.tell()

    def tell(self) -> None:
        """Send the view to the daemon."""
        daemon = self.host.daemon
        if daemon is not None:
            daemon.guard_says(self.view)

    def die(self) -> None:
        """The process ends. While armed the host goes down with it, where that is the last resort."""
        if not self.alive:
            return
        self.alive = False
        host, world = self.host, self.world
        host.guard = None
        world.count("deaths of the switch")
        world.note("the switch dies", host)
        if host.daemon is not None:
            host.daemon.guard_says(GuardView(alive=False))
        boot = host.boot
        if self.switch.epoch is not None and world.watchdog_ns and world.rng.random() < 0.5:
            return  # nobody but the kernel's watchdog notices
        if self.switch.epoch is not None and world.resets:
            limit = world.timing.reset_margin_ns // 2
            world.at(world.now + world.rng.randrange(1, limit), host.reset_lost_guard, boot)
        else:
            world.at(world.now + RESTART_NS, host.start_guard, boot)
