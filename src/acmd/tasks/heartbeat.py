"""The heartbeat: observe, decide, perform. The only holder and writer of the election's state."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from acmd.core.calls import Fault
from acmd.core.decision import (
    Arm,
    CloseGate,
    Decision,
    Disarm,
    Effect,
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
from acmd.core.observation import Interlock, Leave, Observation, Outcome
from acmd.core.state import Remembered, State
from acmd.core.timing import NS_PER_MS, NS_PER_S, Instant, elapsed_for_holder_ns
from acmd.ports import Board, Clock, Fencer, Guard, LeaseStore, LocalFailure, RunStore, Supervisor

REPEAT_NS = 20 * NS_PER_MS  # an effect whose result does not show yet is asked for again after this
LOCAL_EFFECTS = (Remember, Erase, NoteEpoch)


@dataclass(slots=True)
class World:
    """The ports that a heartbeat works with. All of them set the same `changed` event."""

    clock: Clock
    store: LeaseStore
    runs: RunStore
    guard: Guard
    supervisor: Supervisor
    fencer: Fencer
    board: Board


@dataclass(slots=True)
class Wishes:
    """What this host, rather than the cluster, asks of the heartbeat; set by the daemon."""

    leave: Leave = Leave.NO
    fit: bool = True
    unfit_because: str = ""
    interlock: Interlock = Interlock.CLEAR
    interlock_because: str = ""  # what answered


@dataclass(slots=True)
class Heartbeat:
    """Runs until the core says Exit. `seen` is called after each decision with what it rested on."""

    world: World
    state: State
    changed: asyncio.Event
    seen: Callable[[State, Observation, Decision], None]
    wishes: Wishes = field(default_factory=Wishes)
    run_ok: bool = True
    decisions: int = 0
    _remembered: Remembered | None = None
    _dropped: list[Outcome] = field(default_factory=list)
    _asked: dict[tuple[type, Effect], Instant] = field(default_factory=dict)
    _exit: bool = False

    async def run(self) -> None:
        """Beat until told to exit. An exception out of here is a bug: the daemon ends, the switch decides."""
        self._remembered = self.world.runs.load()
        while True:
            wake_in_ns = self.beat()
            if self._exit:
                return
            try:
                async with asyncio.timeout(max(wake_in_ns, NS_PER_MS) / NS_PER_S):
                    await self.changed.wait()
            except TimeoutError:
                pass

    def give_up_within(self, limit_ns: int) -> None:
        """Services may take longer, or less long, to stop from now on."""
        state = self.state.clone()
        state.me = state.me._replace(give_up_limit_ns=limit_ns)
        self.state = state

    def beat(self) -> int:
        """One decision with all its effects. Returns the time to the next one, in nanoseconds."""
        self.changed.clear()
        observation = self._observe()
        now = self.world.clock.now()
        decision = decide(self.state, observation, now)
        self.state = decision.state
        self.decisions += 1
        repeated = self._perform(decision.effects, now)
        self.seen(self.state, observation, decision)
        return min(decision.wake_in_ns, REPEAT_NS) if repeated else decision.wake_in_ns

    def _observe(self) -> Observation:
        world = self.world
        if not self.run_ok:
            self._try_run_store()
        outcomes = (*self._dropped, *world.store.take_outcomes())
        self._dropped.clear()
        remembered, self._remembered = self._remembered, None
        return Observation(
            outcomes=outcomes,
            guard=world.guard.view(),
            services=world.supervisor.view(),
            intent=world.board.intent(),
            fit=self.wishes.fit,
            peers=world.board.peers(),
            interlock=self.wishes.interlock,
            fenced=world.fencer.confirmed(),
            fencing_failed=world.fencer.failed(),
            has_fence_agent=world.fencer.available,
            leave=self.wishes.leave,
            run_ok=self.run_ok,
            remembered=remembered,
            fresh_id=secrets.token_urlsafe(16),
            wall_time=world.clock.wall_time(),
        )

    def _try_run_store(self) -> None:
        """Find out whether /run/acmd can be written again."""
        try:
            self.world.runs.probe()
        except LocalFailure:
            return
        self.run_ok = True

    def _perform(self, effects: tuple[Effect, ...], now: Instant) -> bool:
        """Perform in order. A failed local step drops what comes after it. True: something was repeated."""
        repeated = False
        for index, effect in enumerate(effects):
            if self._too_soon(effect, now):
                repeated = True
                continue
            try:
                self._do(effect)
            except LocalFailure:
                self._asked.pop(
                    (type(effect), effect), None
                )  # nothing after it is performed before it was, also not soon
                if isinstance(effect, LOCAL_EFFECTS):
                    self.run_ok = False
                self._drop(effects[index:])
                return True
        return repeated

    def _too_soon(self, effect: Effect, now: Instant) -> bool:
        """Level-triggered requests are repeated at a bounded rate, or they and their answers would race."""
        if isinstance(effect, (Issue, Exit, *LOCAL_EFFECTS)):
            return False
        what = type(effect), effect  # as tuples, CloseGate(7) and ShutGate(7) are equal
        last = self._asked.get(what)
        if last is not None and elapsed_for_holder_ns(last, now) < REPEAT_NS:
            return True
        if len(self._asked) > 64:
            self._asked.clear()
        self._asked[what] = now
        return False

    def _drop(self, effects: tuple[Effect, ...]) -> None:
        now = self.world.clock.now()
        self._dropped.extend(
            Outcome(effect.call, now, now, fault=Fault.LOCAL)
            for effect in effects
            if isinstance(effect, Issue)
        )

    def _do(self, effect: Effect) -> None:
        world = self.world
        if isinstance(effect, Issue):
            world.store.issue(effect.call)
        elif isinstance(effect, Remember):
            world.runs.remember(Remembered(self.state.me.boot_id, effect.lease, effect.restarts))
        elif isinstance(effect, Erase):
            world.runs.erase()
        elif isinstance(effect, NoteEpoch):
            world.runs.note_epoch(effect.epoch)
        elif isinstance(effect, Arm):
            world.guard.arm(effect.epoch, effect.issued)
        elif isinstance(effect, CloseGate):
            world.guard.close_gate(effect.epoch)
        elif isinstance(effect, ShutGate):
            world.guard.shut_gate(effect.epoch)
        elif isinstance(effect, Disarm):
            world.guard.disarm(effect.epoch, effect.detached)
        elif isinstance(effect, Supervise):
            world.supervisor.request(effect.mode, effect.epoch, effect.issued)
        elif isinstance(effect, Fence):
            world.fencer.request(effect.host)
        elif isinstance(effect, Exit):
            self._exit = True
