"""One cluster in simulated time: the event loop, the hosts, the counters. A `Director` brings trouble."""

from __future__ import annotations

import random
from heapq import heappop, heappush
from typing import Any, Callable

from acmd.core.lease import LeaseState, Record, encode, lease_name
from acmd.core.observation import Intent, Interlock, Leave, Peer
from acmd.core.state import FencingPolicy, Role
from acmd.core.timing import Timing
from tests.simulation.agent import FenceAgent
from tests.simulation.checkers import Safety, Violation, record_state
from tests.simulation.clocks import HostClock
from tests.simulation.director import TIGHT, Director, H, S
from tests.simulation.node import Daemon, Host
from tests.simulation.oracle import Oracle
from tests.simulation.server import Server


class World:
    """Everything there is. Times are integers in nanoseconds of real time."""

    def __init__(
        self,
        director: Director,
        oracle: Oracle,
        rng: random.Random,
        nodes: int = 2,
        timing: Timing = TIGHT,
        fencing: FencingPolicy = FencingPolicy.OFF,
        has_agent: bool = False,
        resets: bool = True,
        watchdog_ns: int = 0,
        gate_on: bool = True,
        suspect_after_ns: int = 0,
    ) -> None:
        self.now = 0
        self.events: list[tuple[int, int, Callable[[Any], None], Any]] = []
        self.serial = 0
        self.rng = rng
        self.oracle = oracle
        self.director = director
        director.world = self
        self.timing = timing
        self.fencing, self.has_agent = fencing, has_agent
        self.resets, self.watchdog_ns, self.gate_on = resets, watchdog_ns, gate_on
        self.suspect_after_ns = suspect_after_ns
        self.interlock = Interlock.CLEAR
        self.wall_clocks_run = True
        self.counts: dict[str, int] = {}
        self.trace: list[str] | None = None
        self.decisions = 0
        self.ids = 0
        self.base_latency = 2_000_000
        self.cluster_id = "11111111-2222-3333-4444-555555555555"
        self.cluster_file = b'{"cluster":"sim"}\n'
        self.server = Server(self.cluster_file)
        first = Record(self.cluster_id, 0, 0, "", "", "", "", "", 4250, LeaseState.RELEASED, "init")
        self.server.put(lease_name(0), encode(first), 0).epoch = 0
        self.safety = Safety(self)
        self.server.on_linked = self.safety.linked
        self.server.on_written = self.safety.written
        self.expired_claim: dict[int, str] = {}  # epoch -> how its claim came about
        self.intent = Intent(known=True)
        self.disabled: dict[str, bool] = {}
        self.agent = FenceAgent(self)
        self.hosts = [Host(self, name) for name in "abc"[:nodes]]
        self.by_name = {host.name: host for host in self.hosts}
        self._peers: dict[str, tuple[Peer, ...]] = {}

    # -- the loop -------------------------------------------------------------------------------------

    def at(self, then: int, what: Callable[[Any], None], item: Any) -> None:
        """Do this at that time."""
        self.serial += 1
        heappush(self.events, (then, self.serial, what, item))

    def run(self, until: int) -> None:
        """All events up to then."""
        events = self.events
        while events and events[0][0] <= until:
            self.now, _, what, item = heappop(events)
            what(item)
        self.now = until

    def boot(self) -> None:
        """Everything is switched on."""
        for host in self.hosts:
            self.at(self.latency(), host.power_on, None)
        self.director.begin()

    def latency(self) -> int:
        """One way to the server, half to one and a half of the world's own."""
        base = self.base_latency
        return base // 2 + (self.serial * 2654435761 >> 7) % base

    def wall_time(self, host: Host) -> int:
        """Seconds since 1970 as this host believes: anything at all."""
        return 1_700_000_000 + host.wall_offset_s + (self.now // S if self.wall_clocks_run else 0)

    def fresh_id(self) -> str:
        """Never the same again."""
        self.ids += 1
        return f"try-{self.ids}"

    def new_clock(self) -> HostClock:
        """A host boots."""
        boot_rate, raw_rate = self.director.rates()
        boot = 5 * S + (self.serial * 7919) % S
        return HostClock(self.now, boot, boot - S, boot_rate, raw_rate)

    # -- telling --------------------------------------------------------------------------------------

    def count(self, what: str) -> None:
        """Once more."""
        self.counts[what] = self.counts.get(what, 0) + 1

    def note(self, what: str, host: Host | None, *more: Any) -> None:
        """A line of the trace."""
        if self.trace is not None:
            name = host.name if host is not None else "-"
            text = " ".join(_short(item) for item in more)
            self.trace.append(f"{self.now / S:11.6f}  {name}  {what} {text}")

    def role_changed(self, host: Host, before: Role, after: Role, reason: Any) -> None:
        """A transition."""
        self.count(f"role {after.value}")
        if before is Role.STARTING and after is Role.PROMOTING:
            self.count("adoptions")
        if self.trace is not None:
            self.note("role", host, before.value, "->", after.value, str(reason))

    def epoch_claimed(self, epoch: int, host: str, before: Any) -> None:
        """A lease file got its name."""
        state = record_state(before[0]) if before is not None else "first"
        how = {"held": "expiry", "released": "release", "detached": "dead holder"}.get(state, state or "torn")
        if how == "expiry" and before is not None:
            holder = self.by_name[before[2]]
            if holder is not self.by_name[host] and self.has_agent and not holder.up:
                how = "expiry or fenced"
            elif before[2] == host:
                how = "expiry, same node"
        self.expired_claim[epoch] = how
        self.count("claims after " + how)
        if self.trace is not None:
            self.note("epoch claimed", self.by_name[host], epoch, how)

    def service_epoch_began(self, host: Host, epoch: int) -> None:
        """The first service under an epoch, or the same node's after another's."""
        how = self.expired_claim.pop(epoch, "")
        if how:
            self.count("failovers by " + how)
        self.director.services_began(host, epoch)

    # -- what the nodes know of each other ------------------------------------------------------------

    def peers_of(self, host: Host) -> tuple[Peer, ...]:
        """By their node files."""
        peers = self._peers.get(host.name)
        if peers is None:
            peers = tuple(
                Peer(other.name, other.fit, self.is_disabled(other), other.up and other.daemon is not None)
                for other in self.hosts
                if other is not host
            )
            self._peers[host.name] = peers
        return peers

    def peers_changed(self) -> None:
        """Somebody came, went, or was disabled."""
        self._peers.clear()

    def is_disabled(self, host: Host) -> bool:
        """By an operator."""
        return self.disabled.get(host.name, False)

    def command(self, intent: Intent) -> None:
        """An operator's command; each node reads it when it can."""
        self.intent = intent
        self.peers_changed()
        for host in self.hosts:
            if host.daemon is not None:
                self.at(self.now + self.rng.randrange(1, H), self._read_intent, (host, host.daemon))

    def _read_intent(self, item: tuple[Host, Daemon]) -> None:
        host, daemon = item
        if not daemon.alive:
            return
        if host.storage.cut:
            self.at(self.now + H // 2, self._read_intent, item)
            return
        daemon.intent = self.intent._replace(disabled_here=self.is_disabled(host))
        daemon.poke(self.now)

    def daemon_started(self, host: Host) -> None:
        """It reads the operators' commands first."""
        self.peers_changed()
        assert host.daemon is not None
        self.at(self.now + 2 * self.latency(), self._read_intent, (host, host.daemon))

    def stay_down(self, host: Host) -> bool:
        """Whether an operator keeps the daemon stopped."""
        return False

    # -- ends -----------------------------------------------------------------------------------------

    def host_down(self, host: Host) -> None:
        """Power is lost."""
        self.count("power losses")
        self.peers_changed()
        self.director.host_down(host)

    def daemon_crashed(self, host: Host) -> None:
        """It died."""
        self.peers_changed()
        self.director.daemon_crashed(host)

    def daemon_left(self, host: Host, leave: Leave) -> None:
        """It exited."""
        self.peers_changed()
        self.count("exits " + leave.value)
        self.director.daemon_left(host, leave)

    # -- the end of all trouble -----------------------------------------------------------------------

    def end_faults(self) -> None:
        """Everything is repaired; from here on the cluster has to recover by itself."""
        self.note("faults end", None)
        self.oracle.quiet()
        self.agent.works = True
        self.server.full_until = -1
        self.server.hidden = []
        self.server.frozen = {}
        self.disabled = {}
        for host in self.hosts:
            host.fit = True
            host.data_cut = False
            host.storage.deaf_until = 0
            host.storage.heal()
            if host.up:
                host.services.faults_end()
                host.services.data_healed()
                host.start_guard(host.boot)
                host.start_daemon(host.boot)
            else:
                host.power_on()
            if host.daemon is not None and host.daemon.leave is not Leave.NO:
                host.daemon.leave = Leave.NO
        self.command(Intent(known=True, clear_hold_down=self.intent.clear_hold_down + 1))

    def settled(self) -> bool:
        """Exactly one node is active, with all its services up, and no other runs any."""
        active = [
            host for host in self.hosts if host.daemon is not None and host.daemon.state.role is Role.ACTIVE
        ]
        return len(active) == 1 and all(
            host.services.processes == (len(host.services.units) if host is active[0] else 0)
            for host in self.hosts
        )

    def check_liveness(self, bound: int) -> int:
        """Run until settled for three heartbeats; returns how long it took to settle."""
        began = self.now
        since = -1
        while self.now < began + bound + 3 * H:
            self.run(self.now + H // 4)
            if not self.settled():
                since = -1
            elif since < 0:
                since = self.now
            elif self.now - since >= 3 * H:
                return since - began
        roles = ", ".join(
            f"{host.name} {host.daemon.state.role if host.daemon else 'without a daemon'}"
            for host in self.hosts
        )
        raise Violation(
            "liveness", f"no single active node {bound / S:.1f} s after the faults ended: {roles}"
        )


def _short(item: Any) -> str:
    text = str(item)
    return text if len(text) < 90 else text[:87] + "..."
