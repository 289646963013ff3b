"""The daemon's loop, as `tasks/heartbeat.py` has it, around the real core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acmd.core.calls import Call, Fault, Kind
from acmd.core.decision import (
    Arm,
    CloseGate,
    Disarm,
    Erase,
    Exit,
    Fence,
    Issue,
    NoteEpoch,
    Remember,
    ShutGate,
    Supervise,
)
from acmd.core.election import decide
from acmd.core.observation import GuardView, Intent, Leave, Observation, Outcome
from acmd.core.state import Remembered, Self, State, initial_state
from tests.simulation import guard_process as g
from tests.simulation import oracle as o
from tests.simulation.running import Running
from tests.simulation.supervision import Supervision

if TYPE_CHECKING:
    from tests.simulation.node import Host

_CLOSE_OR_SHUT = {CloseGate: g.CLOSE, ShutGate: g.SHUT}


class Daemon:
    """One start of the daemon: decides on each event or wake-up, performs the effects in their order."""

    def __init__(self, host: Host) -> None:
        world = host.world
        self.host = host
        self.world = world
        self.alive = True
        host.incarnations += 1
        me = Self(
            node=host.name,
            cluster_id=world.cluster_id,
            cluster_file=world.cluster_file,
            machine_id=host.machine_id,
            boot_id=host.boot_id,
            incarnation=f"{host.name}-{host.boot}-{host.incarnations}",
            timing=world.timing,
            fencing=world.fencing,
            fence_limit_ns=2 * world.timing.heartbeat_ns,
            suspect_after_ns=world.suspect_after_ns,
            hold_down_ns=world.timing.heartbeat_ns,
            longest_hold_down_ns=2 * world.timing.heartbeat_ns,
            give_up_limit_ns=5 * world.timing.heartbeat_ns,
        )
        self.state: State = initial_state(me, host.clock.read(world.now), host.highest_epoch)
        self.first = True
        self.inbox: list[Outcome] = []
        self.in_flight: list[Running | None] = [None, None, None]
        self.effects: tuple[Any, ...] = ()
        self.place = 0  # of the next effect to perform
        self.busy = False
        self.due = -1
        self.paused_until = 0
        self.leave = Leave.NO
        self.guard = GuardView()
        self.run_ok = True
        self.fenced: tuple[Any, ...] = ()
        self.fencing_failed = False
        self.asked_to_fence = -1
        self.supervision = Supervision(self)
        self.intent = Intent(known=False)
        self.wake_in = 0
        self.told_at = 0  # when the last word of the switch arrives

    # -- events ---------------------------------------------------------------------------------------

    def poke(self, then: int) -> None:
        """Decide at `then` at the latest."""
        if self.due < 0 or then < self.due:
            self.due = then
            if not self.busy:
                self.world.at(then, self._wake, then)

    def receive(self, outcome: Outcome) -> None:
        """A storage call has ended."""
        self.inbox.append(outcome)
        self.poke(self.world.now)

    def guard_says(self, view: GuardView) -> None:
        """The switch tells what it is."""
        delay = self.world.oracle.at(o.VIEW, self.host)
        then = self.world.now + g.MESSAGE_NS + (delay if delay > 0 else 0)
        self.told_at = then = max(then, self.told_at)  # one socket: first in, first out
        self.world.at(then, self._guard_said, view)

    def _guard_said(self, view: GuardView) -> None:
        if self.alive:
            if view.alive and self.host.guard is None:
                return
            self.guard = view
            self.poke(self.world.now)

    def pause(self, duration: int) -> None:
        """The process does not run for a while."""
        self.world.note("daemon pauses", self.host, duration)
        self.paused_until = max(self.paused_until, self.world.now + duration)

    def reschedule(self, old_rate: int, rate: int) -> None:
        """The clock that wakes this process runs at another rate from now on."""
        now = self.world.now
        if self.due > now and not self.busy:
            self.due = now + (self.due - now) * old_rate // rate + 1
            self.world.at(self.due, self._wake, self.due)

    # -- deciding -------------------------------------------------------------------------------------

    def _wake(self, due: int) -> None:
        if not self.alive or due != self.due or self.busy:
            return
        world = self.world
        if world.now < self.paused_until:
            self.due = self.paused_until
            world.at(self.due, self._wake, self.due)
            return
        pause = world.oracle.at(o.DECIDE, self.host)
        if pause:
            if pause < 0:
                self.host.crash(pause)
                if not self.alive:
                    return
            else:
                self.pause(pause)
                self.due = self.paused_until
                world.at(self.due, self._wake, self.due)
                return
        self._decide()

    def _decide(self) -> None:
        world, host = self.world, self.host
        self.due = -1
        outcomes = tuple(self.inbox)
        self.inbox = []
        obs = Observation(
            outcomes,
            self.guard,
            self.supervision.view,
            self.intent,
            host.fit,
            world.peers_of(host),
            world.interlock,
            self.fenced,
            self.fencing_failed,
            world.has_agent,
            self.leave,
            self.run_ok,
            host.run if self.first else None,
            world.fresh_id(),
            world.wall_time(host),
        )
        self.first = False
        self.fencing_failed = False  # told once
        self.run_ok = True
        now = host.clock.read(world.now)
        before = self.state.role
        held = self.state.lease
        state, self.effects, self.wake_in, reason = decide(self.state, obs, now)
        self.state = state
        world.decisions += 1
        lease = state.lease
        if (
            lease is not held
            and held is not None
            and lease is not None
            and held.held_issued
            and lease.held_issued
            and lease.issued != held.issued
        ):
            world.safety.extended(host, lease.epoch, held.issued, now)
        if state.role is not before:
            world.role_changed(host, before, state.role, reason)
        if world.trace is not None:
            for outcome in outcomes:
                world.note("outcome", host, outcome.call.kind, outcome.fault or "ok", outcome.call.number)
            for effect in self.effects:
                world.note("effect", host, *_brief(effect))
        self.busy = True
        self.place = 0
        self._perform(None)

    def _perform(self, _: Any) -> None:
        if not self.alive:
            return
        world = self.world
        effects = self.effects
        while self.place < len(effects):
            answer = world.oracle.at(o.EFFECT, self.host, effects[self.place])
            if answer:
                if answer == o.LOCAL_FAILURE:
                    if type(effects[self.place]) is not Issue:
                        self._drop_rest()
                        break
                elif answer < 0:
                    self.host.crash(answer)
                    if not self.alive:
                        return
                elif self.world.now >= self.paused_until:
                    self.pause(answer)
                    world.at(self.paused_until, self._perform, None)
                    return
            effect = effects[self.place]
            self.place += 1
            if not self._do(effect):
                return
        self.busy = False
        then = world.now + self.host.clock.real_delay(self.wake_in)
        if 0 <= self.due <= then:
            then = self.due
            self.due = max(then, world.now)
            world.at(self.due, self._wake, self.due)
        else:
            self.due = then
            world.at(then, self._wake, then)

    def _drop_rest(self) -> None:
        """A local step failed: nothing after it is done, and calls among it come back as LOCAL."""
        self.world.count("local failures")
        self.world.note("local failure", self.host, *_brief(self.effects[self.place]))
        now = self.host.clock.read(self.world.now)
        for effect in self.effects[self.place :]:
            if type(effect) is Issue:
                self.receive(Outcome(effect.call, now, now, None, Fault.LOCAL))
        self.run_ok = False
        self.poke(self.world.now + 100_000_000)

    def _do(self, effect: Any) -> bool:
        kind, host = type(effect), self.host
        if kind is Issue:
            call: Call = effect.call
            if call.kind is Kind.LINK:
                self.world.safety.claims(host)
            elif call.kind is Kind.RELEASE:
                self.world.safety.release_issued(host, call.epoch)
            host.storage.issue(self, call)
        elif kind is Arm:
            if host.guard is not None:
                host.guard.send(g.ARM, effect.epoch, effect.issued)
        elif kind is Supervise:
            self.supervision.request(effect.mode, effect.epoch, effect.issued)
        elif kind is Remember:
            host.run = Remembered(host.boot_id, effect.lease, effect.restarts)
        elif kind is Erase:
            host.run = None
            self.world.safety.erased(host, effect.epoch)
        elif kind is NoteEpoch:
            host.highest_epoch = max(host.highest_epoch, effect.epoch)
        elif kind is CloseGate or kind is ShutGate:
            if host.guard is not None:
                host.guard.send(_CLOSE_OR_SHUT[kind], effect.epoch)
        elif kind is Disarm:
            if host.guard is not None:
                host.guard.send(g.DETACH if effect.detached else g.DISARM, effect.epoch)
        elif kind is Fence:
            self.world.agent.ask(self, effect.host)
        elif kind is Exit:
            self.world.note("daemon exits", host)
            host.daemon_exits()
            return False
        else:
            raise TypeError(effect)
        return True


def _brief(effect: Any) -> tuple[Any, ...]:
    if type(effect) is Issue:
        call = effect.call
        return ("Issue", call.kind.value, call.number, call.epoch, call.sequence)
    if type(effect) is Remember:
        lease = effect.lease
        return ("Remember", lease.epoch, lease.sequence, "detached" if lease.detached else "")
    return (type(effect).__name__, *effect)
