"""After each decision: publish it, log what changed, tell the service manager."""

from __future__ import annotations

import os
from collections.abc import Callable

from acmd import status
from acmd.core.decision import Decision, Reason
from acmd.core.observation import Observation
from acmd.core.state import Role, State
from acmd.ports import Clock, Notifier
from acmd.tasks.snapshot import Snapshot


class Reporter:
    """Remembers what it told last, so that only changes are told."""

    def __init__(self, notifier: Notifier, clock: Clock, log: Callable[..., None]) -> None:
        self._notifier = notifier
        self._clock = clock
        self._log = log
        self._told: tuple[Role, Reason, str] | None = None
        self._watchdog_ns = int(os.environ.get("WATCHDOG_USEC", "0")) * 1000 // 3
        self._alive_at = 0

    def seen(self, snapshot: Snapshot, state: State, obs: Observation, decision: Decision) -> None:
        """Called by the heartbeat itself: WATCHDOG=1 is its own sign of life."""
        before = snapshot.latest
        snapshot.latest = (state, obs, decision)
        if before is None or before[0].role is not state.role:
            snapshot.board.poke.set()
        told = (state.role, decision.reason, state.storage_fault)
        if told != self._told:
            self._log_change(told, state)
            self._told = told
        observed = state.seen is not None or state.storage_fault or state.lease is not None
        if observed and obs.guard.alive:
            self._notifier.ready()
        now = self._clock.now()
        if now.raw_ns - self._alive_at >= self._watchdog_ns:
            self._alive_at = now.raw_ns
            self._notifier.alive()

    def _log_change(self, told: tuple[Role, Reason, str], state: State) -> None:
        role, reason, fault = told
        sentence = status.reason_of(state, reason)
        serious = role in (Role.DEMOTING, Role.KILLING) or bool(fault)
        self._log(
            "role" if self._told is None or self._told[0] is not role else "reason",
            level="warning" if serious else "info",
            role=role.value,
            reason=reason.value,
            epoch=status.epoch_known(state),
            active=status.active_node(state),
            says=sentence,
        )
        self._notifier.status(f"{role.value}: {sentence}" if sentence else role.value)
