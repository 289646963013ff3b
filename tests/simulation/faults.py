"""Random trouble, biased: each seed has a focus. Uniform choice would miss a third of the mutants."""

from __future__ import annotations

import random
from typing import Any

from acmd.core.calls import Create, Fault, Link, ListDir, Overwrite, ReadFile
from acmd.core.state import FencingPolicy, Role
from acmd.core.timing import elapsed_for_holder_ns
from tests.simulation import oracle as o
from tests.simulation import storage as st
from tests.simulation.confirmation import Confirmation
from tests.simulation.director import TIGHT, Director, H
from tests.simulation.focuses import BASE, BY_NAME, FOCUSES
from tests.simulation.node import Host
from tests.simulation.oracle import RandomOracle
from tests.simulation.world import World

MS = 1_000_000
_T = TIGHT
TARGETS = (
    _T.renew_deadline_ns,
    _T.renew_deadline_ns,
    _T.kill_deadline_ns,
    _T.reset_deadline_ns,
    _T.lease_duration_ns,
    _T.takeover_wait_ns,
    _T.call_limit_ns,
    H,
)


class Trouble(Director):
    """Answers the oracle's deviations and pulls a trigger some time after each promotion."""

    def __init__(self, seed: int, focus: str = "") -> None:
        self.seed = seed
        self.rng = rng = random.Random(seed)
        drawn = FOCUSES[rng.randrange(len(FOCUSES))]
        self.focus = drawn if not focus else BY_NAME[focus]
        self.features = self.focus.features.split()
        self.triggers = self.focus.triggers.split()
        self.end = H * rng.randrange(60, 110)
        self.confirmation = Confirmation(self)
        self.extreme = "extreme" in self.features or rng.random() < 0.4
        self.adverse = "confirm" in self.features or rng.random() < 0.3
        self.wander = rng.random() < 0.5 and not self.adverse

    def build(self) -> World:
        """The world of this seed."""
        rng = self.rng
        odds = dict(BASE)
        odds.update(self.focus.often)
        oracle = RandomOracle(rng, odds, self.deviate)
        nodes = 3 if "three" in self.features or rng.random() < 0.25 else 2
        if "alone" in self.features:
            nodes = 1
        resets = "alone" not in self.features and ("data" in self.features or rng.random() < 0.9)
        watchdog_ns = 3 * H // 2 if resets and rng.random() < 0.3 else 0
        fencing, agent = FencingPolicy.OFF, False
        if "required" in self.features or rng.random() < 0.15:
            agent = rng.random() < 0.8
            fencing = FencingPolicy.REQUIRED if agent and rng.random() < 0.7 else FencingPolicy.BEST_EFFORT
        gate_on = rng.random() < (0.5 if "nogate" in self.features else 0.95)
        # With the last resort `none` a service that cannot be killed is tolerable only where nobody else is.
        self.stuck_allowed = resets or nodes == 1
        self.resets = resets
        world = World(
            self,
            oracle,
            rng,
            nodes,
            fencing=fencing,
            has_agent=agent,
            resets=resets,
            watchdog_ns=watchdog_ns,
            gate_on=gate_on,
            suspect_after_ns=2 * H if agent and rng.random() < 0.5 else 0,
        )
        world.base_latency = rng.choice((1, 2, 5, 20, 60)) * MS
        world.wall_clocks_run = rng.random() < 0.5
        for host in world.hosts:
            host.wall_offset_s = rng.randrange(-20, 20)
        world.agent.works = rng.random() < 0.9
        return world

    def begin(self) -> None:
        world = self.world
        if self.wander:
            world.at(H, self._wander, None)
        world.at(3 * H, self._nag, None)

    # -- clocks ---------------------------------------------------------------------------------------

    def _rate(self) -> int:
        if self.extreme:
            return 900 if self.rng.random() < 0.5 else 1100
        return self.rng.randrange(900, 1101)

    def rates(self) -> tuple[int, int]:
        boot = self._rate()
        return boot, self._rate() if self.rng.random() < 0.2 else boot

    def _wander(self, _: Any) -> None:
        world = self.world
        host = world.hosts[self.rng.randrange(len(world.hosts))]
        if host.up:
            host.set_rates(*self.rates())
        if world.now < self.end:
            world.at(world.now + self.rng.randrange(H // 2, 8 * H), self._wander, None)

    # -- how long -------------------------------------------------------------------------------------

    def cap(self, delay: int) -> int:
        """Nothing begun before the end of the faults lasts longer than they do."""
        return max(1, min(delay, self.end - self.world.now))

    def aim(self, host: Host) -> int:
        """A delay that ends just before or just after something is due."""
        rng = self.rng
        if rng.random() < 0.2:
            return self.cap(rng.randrange(1, H // 2))
        target = TARGETS[rng.randrange(len(TARGETS))]
        elapsed = 0
        daemon = host.daemon
        if daemon is not None and rng.random() < 0.7:
            since = None
            if daemon.state.lease is not None:
                since = daemon.state.lease.issued
            elif daemon.state.claim is not None:
                since = daemon.state.claim.issued
            elif daemon.state.seen is not None:
                since = daemon.state.seen.first_seen
            if since is not None:
                elapsed = elapsed_for_holder_ns(since, host.clock.read(self.world.now))
        left = target - elapsed
        if left <= 0:
            left = target
        near = H >> rng.randrange(2, 12)
        left += near if rng.random() < 0.6 else -near
        return self.cap(max(1, left) * 1000 // host.clock.boot_rate)

    # -- the oracle's deviations ----------------------------------------------------------------------

    def deviate(self, kind: int, host: Host, detail: Any) -> Any:
        """Draw what goes wrong at this choice point."""
        rng = self.rng
        if kind == o.SERVE:
            answer = self._serve(host, detail)
            if answer:
                self.world.count("deviations serve")
            return answer
        self.world.count("deviations " + o.NAMES[kind])
        if kind == o.DECIDE:
            return self._crash_or_pause(host, 0.4)
        if kind == o.EFFECT:
            if rng.random() < 0.25:
                return o.LOCAL_FAILURE
            return self._crash_or_pause(host, 0.5)
        if kind == o.TICK:
            if rng.random() < 0.15:
                return o.CRASH_SWITCH if rng.random() < 0.7 else o.CRASH_BOTH
            return self.cap(rng.randrange(1, _T.reset_margin_ns))
        if kind in (o.VIEW, o.MESSAGE):
            return self.cap(rng.randrange(1, H // 2))
        if kind == o.STOP:
            if rng.random() < 0.3:
                return o.NEVER
            return rng.randrange(1, H)
        if kind == o.KILL:
            if not self.stuck_allowed:
                return rng.randrange(1, _T.kill_budget_ns // 2)
            return o.NEVER if rng.random() < 0.3 else self.cap(rng.randrange(1, H))
        if kind == o.DIRTY:
            if not self.stuck_allowed:
                return rng.randrange(1, _T.kill_budget_ns // 4)
            return self.cap(rng.randrange(1, H // 2) if rng.random() < 0.5 else self.aim(host))
        if kind in (o.START, o.JOB, o.FORK) and not self.resets:
            return rng.randrange(1, H // 10)
        return self.aim(host)

    def _crash_or_pause(self, host: Host, crash: float) -> int:
        rng = self.rng
        if rng.random() >= crash:
            return self.aim(host)
        draw = rng.random()
        if draw < 0.6:
            return o.CRASH_DAEMON
        if draw < 0.75 or not self.resets:
            return o.CRASH_SWITCH if self.resets else o.CRASH_DAEMON
        return o.CRASH_BOTH if draw < 0.9 else o.POWER_LOSS

    def _nag(self, _: Any) -> None:
        """Overridden where there are triggers."""

    def cut_while_detaching(self, host: Host) -> None:
        """Overridden where partitions are made."""

    def is_bystander(self, host: Host) -> bool:
        """Whether an old view of the directory is something that the protocol has to bear here."""
        daemon = host.daemon
        known = self.world.safety.epochs.get(self.world.safety.highest)
        return (
            daemon is not None
            and daemon.state.role is Role.PASSIVE
            and known is not None
            and known[2] != host.name
        )

    def _serve(self, host: Host, run: Any) -> Any:
        """What happens to one system call."""
        rng = self.rng
        kind = type(run.syscall)
        draw = rng.random()
        if "confirm" in self.features:
            return self.confirmation.answer(host, kind)
        if "links" in self.features and not self._aimed_at_claims(host, kind) and rng.random() > 0.02:
            return 0
        if "detach" in self.features:
            answer = self._aimed_at_detaching(host, run.syscall)
            if answer or rng.random() > 0.006:
                return answer
        if "torn" in self.features and kind in (Overwrite, ReadFile):
            return st.TORN, rng.randrange(20, 480)
        if kind is Link and draw < 0.6:
            if rng.random() < 0.4:
                return st.KEPT_LINK, None
            if rng.random() < 0.5:
                return st.HIDE, self.cap(rng.randrange(1, 3 * H // 2))
            return st.DONE_BUT_ERROR, None
        if kind is Overwrite and rng.random() < 0.25:
            return st.AGAIN, None
        if (
            kind is ListDir
            and self.is_bystander(host)
            and rng.random() < (0.9 if "links" in self.features else 0.25)
        ):
            return st.OLD, self.cap(rng.randrange(H, 3 * _T.takeover_wait_ns))
        if draw < 0.3 or ("slow" in self.features and draw < 0.8):
            return (st.SLOW if rng.random() < 0.5 else st.SLOW_REPLY), self.aim(host)
        if kind in (Overwrite, Link, Create) and (draw < 0.6 or "late" in self.features):
            late = self.cap(self.aim(host) + (rng.randrange(3 * H) if rng.random() < 0.4 else 0))
            return (st.ERROR_THEN_DONE if rng.random() < 0.4 else st.WORKER_DIES), late
        if draw < 0.7:
            return st.DONE_BUT_ERROR, None
        if draw < 0.8:
            return st.LOST, None
        if draw < 0.85 and kind in (Overwrite, ReadFile):
            return st.TORN, rng.randrange(20, 480)
        if kind is ListDir or kind is ReadFile:
            return st.ERROR, rng.choice((Fault.IO, Fault.STALE, Fault.OTHER))
        return st.ERROR, rng.choice((Fault.IO, Fault.STALE, Fault.NO_SPACE, Fault.READ_ONLY))

    def _aimed_at_claims(self, host: Host, kind: Any) -> bool:
        """Links, and looks of those who might claim."""
        rng = self.rng
        return (kind is Link and rng.random() < 0.3) or (
            kind is ListDir and rng.random() < 0.03 and self.is_bystander(host)
        )

    def _aimed_at_detaching(self, host: Host, syscall: Any) -> Any:
        """A `detached` that is never written; the first `held` after it, late, its writer dead."""
        rng, daemon = self.rng, host.daemon
        if type(syscall) is not Overwrite:
            return 0
        if b'"detached"' in syscall.data:
            if rng.random() > 0.3:
                return 0
            self.cut_while_detaching(host)
            return st.LOST, None
        if daemon is not None and daemon.state.role is Role.REATTACHING and rng.random() < 0.6:
            now = self.world.now
            self.world.at(now + rng.randrange(1, H // 20), host.crash, o.CRASH_DAEMON)
            self.world.at(now + rng.randrange(H // 10, H // 2), host.start_daemon, host.boot)
            return st.WORKER_DIES, self.cap(rng.randrange(H, 4 * H))
        return 0
