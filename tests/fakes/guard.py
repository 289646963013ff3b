"""The guard without a process: the real switch on a fake clock, over services that a test describes."""

from __future__ import annotations

import asyncio

from acmd.core.observation import Gate, GuardView
from acmd.core.timing import Instant
from acmd.guard.switch import Do, Limits, Sight, Switch
from acmd.ports import Clock, LocalFailure


class FakeGuard:
    """Implements `ports.Guard`. `sight` is what lives; a kill ends it unless `immortal`, a sync drains it."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self.changed = asyncio.Event()
        self.switch = Switch(limits)
        self.sight = Sight(processes=False, jobs=False, drained=True)
        self.immortal = False
        self.lost = False  # its process is gone, or hangs
        self.resets = 0
        self.refused = ""
        self._clock = clock
        self._told = GuardView()
        self.settle()

    def view(self) -> GuardView:
        """What it last said."""
        switch = self.switch
        issued = Instant(*switch.issued) if switch.issued is not None else None
        alive, gate = not self.lost, Gate(switch.gate)
        return GuardView(alive, switch.epoch, issued, gate, switch.clean, ended=switch.ended)

    def arm(self, epoch: int, issued: Instant) -> None:
        """Arm or move the deadline."""
        self._reach()
        self._answer(self.switch.arm(epoch, issued, self._clock.now()))

    def close_gate(self, epoch: int) -> None:
        """Gate to closing."""
        self._reach()
        self._answer(self.switch.close(epoch))

    def shut_gate(self, epoch: int) -> None:
        """Straight to K."""
        self._reach()
        self._answer(self.switch.shut(epoch))

    def disarm(self, epoch: int, detached: bool) -> None:
        """Disarm."""
        self._reach()
        self._answer(self.switch.disarm(epoch, detached))

    def settle(self) -> None:
        """Tick until nothing changes any more at this moment."""
        for _ in range(4):
            for action in self.switch.tick(self._clock.now(), self.sight):
                if action is Do.KILL and not self.immortal:
                    self.sight = Sight(processes=False, jobs=False, drained=self.sight.drained)
                elif action is Do.SYNC:
                    self.sight = self.sight._replace(drained=True)
                elif action is Do.RESET:
                    self.resets += 1
        if self.view() != self._told:
            self._told = self.view()
            self.changed.set()

    def services_run(self) -> None:
        """From now on something of the active-only services lives."""
        self.sight = Sight(processes=True, jobs=False, drained=False)
        self.settle()

    def _reach(self) -> None:
        if self.lost:
            raise LocalFailure("the guard does not listen", "is acmd-guard running?")
        self.settle()

    def _answer(self, refusal: str) -> None:
        self.refused = refusal
        self.settle()
