"""Supervision, as the daemon's task has it: starts in order, a check before each; stops in reverse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acmd.core.observation import Mode, ServicesView
from acmd.core.timing import Instant, may_start
from tests.simulation import oracle as o

if TYPE_CHECKING:
    from tests.simulation.daemon import Daemon

LOOK_NS = 6_000_000
CRASHES_ALLOWED = 3


class Supervision:
    """Part of one daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.host = daemon.host
        self.world = daemon.host.world
        self.mode: Mode | None = None
        self.epoch: int | None = None
        self.issued: Instant | None = None
        self.view = self.last_seen = ServicesView()
        self.looking = False
        self.starting = False
        self.refusals = 0
        self.seen_at = 0

    def request(self, mode: Mode, epoch: int, issued: Instant | None) -> None:
        """What the election asks for."""
        if mode is self.mode and epoch == self.epoch:
            if issued is not None:
                self.issued = issued
                if self.view.all_up or self.starting:
                    return
        else:
            self.refusals = 0
        self.mode, self.epoch = mode, epoch
        if issued is not None:
            self.issued = issued
        self._act()
        self.look()

    # -- seeing ---------------------------------------------------------------------------------------

    def look(self) -> None:
        """Something may have changed: see to it soon."""
        if not self.looking:
            self.looking = True
            self.world.at(self.world.now + LOOK_NS, self._look, None)

    def _look(self, _: Any) -> None:
        daemon = self.daemon
        if not daemon.alive:
            return
        if self.world.now < daemon.paused_until:
            self.world.at(daemon.paused_until, self._look, None)
            return
        self.looking = False
        services = self.host.services
        up = services.processes == len(services.units)
        view = ServicesView(
            self.mode,
            self.epoch,
            services.processes > 0,
            services.jobs,
            services.drained,
            self.refusals > CRASHES_ALLOWED,
            up,
        )
        if view != self.last_seen:
            self.last_seen = view
            delay = self.world.oracle.at(o.VIEW, self.host)
            then = max(self.seen_at, self.world.now + delay)
            if then > self.world.now:
                self.seen_at = then  # what was seen first is told first
                self.world.at(then, self._seen, view)
            else:
                self._seen(view)
        self._act()

    def _seen(self, view: ServicesView) -> None:
        if self.daemon.alive:
            self.view = view
            self.daemon.poke(self.world.now)

    # -- acting ---------------------------------------------------------------------------------------

    def _act(self) -> None:
        services = self.host.services
        if self.mode is Mode.RUN:
            self._start_next()
        elif self.mode is Mode.STOP:
            services.cancel_jobs()
            for unit in reversed(services.units):
                if unit.process or unit.job is not None:
                    services.stop(unit)
                    return
        elif self.mode is Mode.KILL:
            services.kill()

    def _start_next(self) -> None:
        if self.starting:
            return
        services = self.host.services
        for unit in services.units:
            if unit.job is not None:
                return  # in order: the next one when this one is up
            if not unit.process:
                self.starting = True
                if not self.world.gate_on:  # without a gate only a pause before the check can be borne
                    pause = self.world.oracle.at(o.START, self.host)
                    if pause:
                        self.daemon.pause(pause)
                self._check(unit)
                return

    def _check(self, unit: Any) -> None:
        """The deadline, with the time of now; then, after a pause that nobody can rule out, the start job."""
        world = self.world
        if not self.daemon.alive:
            return
        if world.now < self.daemon.paused_until:
            world.at(self.daemon.paused_until, self._check, unit)
            return
        now = self.host.clock.read(world.now)
        if self.mode is not Mode.RUN or self.issued is None:
            self.starting = False
            return
        if not may_start(self.issued, now, world.timing.renew_deadline_ns):
            world.count("starts refused by the deadline")
            self.starting = False
            return
        delay = world.oracle.at(o.START, self.host) if world.gate_on else 0
        if delay:
            world.note("pause before a start", self.host, delay)
            world.at(world.now + delay, self._start, unit)
        else:
            self._start(unit)

    def _start(self, unit: Any) -> None:
        if not self.daemon.alive:
            return
        self.starting = False
        world = self.world
        if self.mode is not Mode.RUN and world.now <= self.daemon.paused_until:
            return
        self.host.services.enqueue(unit)
        self.look()
