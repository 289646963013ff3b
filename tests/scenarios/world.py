"""A tiny deterministic cluster: real `decide`, real call procedures, real switch, virtual time.

Each tick of 50 ms every host that is on lets its services and its switch go on, ends its storage
calls and decides. There is no chance in it: the same text gives the same run.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from acmd.core.calls import CLUSTER_FILE, TMP_DIR, Call, Fault, StorageFault, steps_of
from acmd.core.decision import (
    Arm,
    CloseGate,
    Disarm,
    Effect,
    Erase,
    Exit,
    Issue,
    Remember,
    ShutGate,
    Supervise,
)
from acmd.core.election import decide
from acmd.core.lease import Defect, LeaseState, Record, decode, encode, epoch_of, lease_name
from acmd.core.observation import (
    Fenced,
    Gate,
    GuardView,
    Intent,
    Leave,
    Mode,
    Observation,
    Outcome,
    Peer,
    ServicesView,
    SwitchoverRequest,
)
from acmd.core.state import Remembered, Self, State, initial_state
from acmd.core.timing import NS_PER_S, PROFILES, Instant, may_start
from acmd.guard.switch import Do, Limits, Sight, Switch
from tests.fakes.memory_directory import MemoryDirectory

TICK_NS = 50_000_000
STOP_NS = 300_000_000  # what a graceful stop takes here
TIMING = PROFILES["standard"]
CLUSTER, IDENTITY = "scenario", b'{"id": "scenario"}'
LIMITS = Limits(
    TIMING.renew_deadline_ns, TIMING.kill_deadline_ns, TIMING.reset_deadline_ns, TIMING.lease_duration_ns
)


@dataclass
class Orders:
    """What the operators have said."""

    all_disabled: bool = False
    disabled: set[str] = field(default_factory=set)
    forced: bool = False
    switchover: SwitchoverRequest | None = None
    dead_holder: tuple[int, int] | None = None


@dataclass
class Host:
    """One host: daemon, switch, services, and what it keeps in /run."""

    name: str
    peers: tuple[str, ...]
    directory: MemoryDirectory
    orders: Orders
    starts: int = 0
    boots: int = 1
    on: bool = True
    state: State | None = None  # None: no daemon
    paused_until: int = -1
    stalled: bool = False
    fit: bool = True
    broken: bool = False  # its service cannot be started
    alive: bool = False  # its service answers
    failed: bool = False
    stopping_since: int = -1
    mode: Mode | None = None
    epoch: int = -1
    base: Instant | None = None  # of the start deadline
    remembered: Remembered | None = None
    leave: Leave = Leave.NO
    restart: bool = False
    under_way: list[tuple[Call, Instant, bool]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    fenced: tuple[Fenced, ...] = ()
    switch: Switch = field(default_factory=lambda: Switch(LIMITS))

    def power_on(self, now: int) -> None:
        """Boot: nothing runs, nothing is armed, /run is empty."""
        self.boots += 1
        self.on, self.alive, self.remembered = True, False, None
        self.switch, self.under_way, self.outcomes = Switch(LIMITS), [], []
        self.start(now)

    def power_off(self) -> None:
        """Nothing of this host goes on."""
        self.on = self.alive = False

    def order_restart(self) -> None:
        """`systemctl restart acmd`."""
        self.leave, self.restart = Leave.ADOPT, True

    def set_broken(self, *, broken: bool) -> None:
        """Its service ends, or its failure is mended."""
        self.broken, self.failed, self.alive = broken, False, self.alive and not broken

    def start(self, now: int) -> None:
        """Start the daemon; an abandoned worker of the one before has its own end."""
        self.starts += 1
        self.leave, self.mode, self.outcomes = Leave.NO, None, []
        boot, start = f"{self.name}-boot-{self.boots}", f"{self.name}-start-{self.starts}"
        me = Self(self.name, CLUSTER, IDENTITY, f"machine-{self.name}", boot, start, TIMING)
        self.state = initial_state(me, Instant(now, now))

    def tick(self, now: int) -> None:
        """Everything that this host does in one tick."""
        if not self.on:
            return
        self._services(Instant(now, now))
        sight = Sight(self.alive, jobs=False, drained=not self.alive)
        for action in self.switch.tick((now, now), sight):
            if action is Do.KILL:
                self.alive = False
            elif action is Do.RESET:
                self.on = self.alive = False
                return
        self._storage(Instant(now, now))
        if self.state is not None and now >= self.paused_until:
            self._decide(self.state, Instant(now, now))

    def _services(self, now: Instant) -> None:
        if self.mode is Mode.RUN and not self.alive and self.switch.gate == "open" and self.base is not None:
            if may_start(self.base, now, TIMING.renew_deadline_ns):
                self.alive, self.failed = not self.broken, self.broken
        elif self.mode is Mode.STOP and self.alive:
            self.stopping_since = now.boot_ns if self.stopping_since < 0 else self.stopping_since
            self.alive = now.boot_ns - self.stopping_since < STOP_NS
        elif self.mode is Mode.KILL:
            self.alive = False
        if not self.alive:
            self.stopping_since = -1

    def _storage(self, now: Instant) -> None:
        """A call ends one tick after its issue; under a stall it is given up, and lands when all heals."""
        for entry in tuple(self.under_way):
            call, began, given_up = entry
            if not self.stalled:
                self.under_way.remove(entry)
                try:
                    value = self.directory.run(steps_of(call))
                except StorageFault as failure:
                    self.outcomes.append(Outcome(call, began, now, fault=failure.fault, late=given_up))
                else:
                    self.outcomes.append(Outcome(call, began, now, value, late=given_up))
            elif not given_up and now.boot_ns - began.boot_ns > TIMING.call_limit_ns:
                self.under_way[self.under_way.index(entry)] = (call, began, True)
                self.outcomes.append(Outcome(call, began, now, fault=Fault.TIMEOUT))

    def _decide(self, state: State, now: Instant) -> None:
        switch, orders = self.switch, self.orders
        issued = Instant(*switch.issued) if switch.issued else None
        gone = not self.alive
        decision = decide(
            state,
            Observation(
                outcomes=tuple(self.outcomes),
                guard=GuardView(
                    True, switch.epoch, issued, Gate(switch.gate), switch.clean, ended=switch.ended
                ),
                services=ServicesView(
                    self.mode, self.epoch, not gone, jobs=False, drained=gone, failed=self.failed
                ),
                intent=Intent(
                    all_disabled=orders.all_disabled,
                    disabled_here=self.name in orders.disabled,
                    forced=orders.forced,
                    switchover=orders.switchover,
                    dead_holder=orders.dead_holder,
                ),
                fit=self.fit,
                peers=tuple(Peer(name, fit=True, disabled=name in orders.disabled) for name in self.peers),
                fenced=self.fenced,
                leave=self.leave,
                remembered=self.remembered,
                fresh_id=f"{self.name}-{now.boot_ns}",
            ),
            now,
        )
        self.outcomes.clear()
        self.state = decision.state
        for effect in decision.effects:
            self._perform(effect, decision.state, now)

    def _perform(self, effect: Effect, state: State, now: Instant) -> None:
        switch = self.switch
        if isinstance(effect, Issue):
            self.under_way.append((effect.call, now, False))
        elif isinstance(effect, Remember):
            self.remembered = Remembered(state.me.boot_id, effect.lease, effect.restarts)
        elif isinstance(effect, Erase):
            self.remembered = None
        elif isinstance(effect, Arm):
            switch.arm(effect.epoch, effect.issued, now)
        elif isinstance(effect, CloseGate):
            switch.close(effect.epoch)
        elif isinstance(effect, ShutGate):
            switch.shut(effect.epoch)
        elif isinstance(effect, Disarm):
            switch.disarm(effect.epoch, effect.detached)
        elif isinstance(effect, Supervise):
            self.failed = self.failed and effect.mode is Mode.RUN
            self.mode, self.epoch, self.base = effect.mode, effect.epoch, effect.issued
        elif isinstance(effect, Exit):
            self.state, self.mode = None, None
            if self.restart:
                self.restart = False
                self.start(now.boot_ns)


class TwoActive(AssertionError):
    """S1 is broken."""


class World:
    """Hosts, their directory and the time. That no two answer is checked at every tick."""

    def __init__(self, names: list[str]) -> None:
        self.now = 0
        self.directory = MemoryDirectory()
        self.directory.directories.add(TMP_DIR)
        self.directory.put(CLUSTER_FILE, IDENTITY)
        founding = Record(CLUSTER, 0, 0, "", "", "", "", "", 12_000, LeaseState.RELEASED)
        self.directory.put(lease_name(0), encode(founding))
        self.orders = Orders()
        self.hosts = {
            n: Host(n, tuple(m for m in names if m != n), self.directory, self.orders) for n in names
        }
        for host in self.hosts.values():
            host.start(0)

    def tick(self) -> None:
        """50 ms pass on every host."""
        self.now += TICK_NS
        for host in self.hosts.values():
            host.tick(self.now)
        answering = [host.name for host in self.hosts.values() if host.alive]
        if len(answering) > 1:
            raise TwoActive(f"at {self.now / NS_PER_S} s services answer on {answering}")

    @property
    def epoch(self) -> int:
        """The highest epoch that has a lease file."""
        return max(epoch for epoch in map(epoch_of, self.directory.files) if epoch is not None)

    def record(self) -> str:
        """What its record says: `held`, `released`, `detached`, or `torn`."""
        found = self._decoded()
        return str(found.state) if isinstance(found, Record) else "torn"

    def sequence(self) -> int:
        """Its record's sequence; -1 for a torn one."""
        found = self._decoded()
        return found.sequence if isinstance(found, Record) else -1

    def _decoded(self) -> Record | Defect:
        return decode(self.directory.files[lease_name(self.epoch)].data, CLUSTER, self.epoch)
