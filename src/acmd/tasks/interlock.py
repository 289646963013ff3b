"""The MySQL interlock (protocol, step 4): no takeover while another host's MySQL answers.

Only a completed first packet of a server blocks; a refusal, a timeout or anything else passes. What
was asked before the observed record last changed proves nothing, so that "nobody knows" blocks
as well; it is over within one question. Nothing is asked while the holder renews: MySQL counts
connections that end before the login, and turns a host away that makes many of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from acmd.core.lease import LeaseState
from acmd.core.observation import Interlock
from acmd.core.state import Role, Seen, State
from acmd.core.timing import NS_PER_S, elapsed_for_observer_ns
from acmd.ports import Clock
from acmd.tasks.heartbeat import Wishes

LONGEST_PAUSE_S = 15.0
STILL_BEATS = 2  # a held record that stood still for so many heartbeats may be about to expire


@dataclass(slots=True)
class InterlockKeeper:
    """Keeps `wishes.interlock` for the record that is observed.

    `greet` gives "" or what answered at an address; it ends within its own limit and never raises.
    """

    greet: Callable[[str], Awaitable[str]]
    peers: Callable[[], tuple[str, ...]]  # addresses of the other nodes, as far as they are known
    is_own: Callable[[str], bool]  # whether an address is one of this host's
    overridden: Callable[[int], bool]  # whether an operator said to go on, for this epoch
    wishes: Wishes
    clock: Clock
    changed: asyncio.Event  # set for the heartbeat
    remark: Callable[[str], None]
    log: Callable[..., None]
    poke: asyncio.Event = field(default_factory=asyncio.Event)
    _state: State | None = None
    _asked: tuple[int, bytes] | None = None  # the record that the verdict is about
    _woken: tuple[int, bytes] | None = None  # the record for which the loop was woken
    _blocked: bool = False
    _pause_s: float = 0.0

    def notice(self, state: State) -> None:
        """After each decision: a verdict about another record counts no more."""
        self._state = state
        if not self._addresses():
            self.wishes.interlock = Interlock.CLEAR
        elif state.seen is None or self._asked != (state.seen.epoch, state.seen.raw):
            self.wishes.interlock = Interlock.BLOCKED
            if self.wishes.interlock_because:  # what was said of the record before
                self._say("")
            due = self._due()
            if due is not None and self._woken != (due.epoch, due.raw):
                self._woken = (due.epoch, due.raw)
                self.poke.set()

    async def run(self) -> None:
        """Ask whenever a takeover may come, until cancelled."""
        while True:
            self.poke.clear()
            seen = self._due()
            if seen is not None:
                await self._ask(seen)
            beat_s = self._state.me.timing.heartbeat_ns / NS_PER_S if self._state is not None else 1.0
            try:
                async with asyncio.timeout(max(beat_s, self._pause_s)):
                    await self.poke.wait()
            except TimeoutError:
                pass

    def _due(self) -> Seen | None:
        """The record after which this node might claim soon."""
        s = self._state
        if s is None or s.role is not Role.PASSIVE or s.seen is None:
            return None
        record = s.seen.record
        if record is not None and record.state is LeaseState.HELD:
            still_ns = elapsed_for_observer_ns(s.seen.first_seen, self.clock.now())
            if still_ns < STILL_BEATS * s.me.timing.heartbeat_ns:
                return None
        return s.seen

    def _addresses(self) -> tuple[str, ...]:
        s = self._state
        record = s.seen.record if s is not None and s.seen is not None else None
        found = (record.address, *self.peers()) if record is not None else self.peers()
        return tuple(dict.fromkeys(address for address in found if address and not self.is_own(address)))

    async def _ask(self, seen: Seen) -> None:
        answers = await asyncio.gather(*(self.greet(address) for address in self._addresses()))
        s = self._state
        if s is None or s.seen is None or (s.seen.epoch, s.seen.raw) != (seen.epoch, seen.raw):
            return  # it speaks of a record that is no more
        said = "; ".join(answer for answer in answers if answer)
        overridden = bool(said) and self.overridden(seen.epoch)
        verdict = Interlock.CLEAR
        if said:
            verdict = Interlock.OVERRIDDEN if overridden else Interlock.BLOCKED
        self._note(said, overridden, seen.epoch)
        self._asked = (seen.epoch, seen.raw)
        if verdict is not self.wishes.interlock:
            self.wishes.interlock = verdict
            self.changed.set()

    def _note(self, said: str, overridden: bool, epoch: int) -> None:
        self._pause_s = min(LONGEST_PAUSE_S, max(1.0, 2 * self._pause_s)) if said else 0.0
        if bool(said) != self._blocked:
            self._blocked = bool(said)
            if said:
                self.log(
                    "interlock-blocks",
                    level="warning",
                    because=said,
                    overridden=overridden,
                    epoch=epoch,
                    remedy="stop that MySQL, or override the interlock: docs/services.md",
                )
            else:
                self.log("interlock-clear", epoch=epoch)
        self._say(said)

    def _say(self, answered: str) -> None:
        self.wishes.interlock_because = answered
        self.remark(f"interlock: {answered}" if answered else "")
