"""After each decision: publish it, log what changed, tell the service manager."""

from __future__ import annotations

import os
from collections.abc import Callable

from acmd import status
from acmd.core.decision import PLANNED, Decision, Reason
from acmd.core.lease import LeaseState
from acmd.core.observation import Observation
from acmd.core.state import Role, Seen, State
from acmd.ports import Clock, Notifier
from acmd.tasks.snapshot import Snapshot

SERIOUS = (Role.DEMOTING, Role.KILLING)
LEAVING = (Role.GIVING_UP, Role.PASSIVE, Role.STOPPED, Role.DETACHED)


class Reporter:
    """Remembers what it told last, so that only changes are told."""

    def __init__(self, notifier: Notifier, clock: Clock, log: Callable[..., None]) -> None:
        self._notifier = notifier
        self._clock = clock
        self._log = log
        self._told: tuple[Role, Reason, str] | None = None
        self._watchdog_ns = int(os.environ.get("WATCHDOG_USEC", "0")) * 1000 // 3
        self._alive_at = 0
        self._before: Seen | None = None  # what this node saw of the others' lease last
        self._how = ""  # how the epoch before this node's own ended
        self._up = False

    def seen(self, snapshot: Snapshot, state: State, obs: Observation, decision: Decision) -> None:
        """Called by the heartbeat itself: WATCHDOG=1 is its own sign of life."""
        before = snapshot.latest
        snapshot.latest = (state, obs, decision)
        old = before[0] if before is not None else None
        if old is None or old.role is not state.role:
            snapshot.board.poke.set()
        self._log_epochs(old, state)
        told = (state.role, decision.reason, state.storage_fault)
        if told != self._told:
            self._log_change(told, state)
            self._told = told
        self._log_services(state, obs)
        observed = state.seen is not None or state.storage_fault or state.lease is not None
        if observed and obs.guard.alive:
            self._notifier.ready()
        now = self._clock.now()
        if now.raw_ns - self._alive_at >= self._watchdog_ns:
            self._alive_at = now.raw_ns
            self._notifier.alive()

    def _log_epochs(self, old: State | None, state: State) -> None:
        """An epoch of this node's own begins with its lease, and ends with it."""
        if state.lease is None and state.seen is not None:
            self._before = state.seen
        had, has = old.lease if old is not None else None, state.lease
        if had is not None and (has is None or has.epoch != had.epoch):
            reason = (old.cause if old is not None else "") or state.cause or "none"
            self._log("epoch-ended", epoch=had.epoch, reason=reason)
        if old is None or old.role is not Role.CLAIMING or has is None:
            return
        record = self._before.record if self._before is not None else None
        released = record is not None and record.state is LeaseState.RELEASED
        self._how = f"released: {record.reason}" if record is not None and released else "expired"
        after = record.holder if record is not None else ""
        self._log("epoch-began", epoch=has.epoch, after=after, how=self._how, unfenced=" ".join(has.unfenced))

    def _log_change(self, told: tuple[Role, Reason, str], state: State) -> None:
        role, reason, fault = told
        was, _, fault_before = self._told if self._told is not None else (Role.STARTING, reason, "")
        sentence = status.reason_of(state, reason)
        changed = self._told is None or was is not role
        epoch, active = status.epoch_known(state), status.active_node(state)
        self._log(
            "role" if changed else "reason",
            level="warning" if role in SERIOUS or bool(fault) else "info",
            role=role.value,
            was=was.value,
            reason=reason.value,
            epoch=epoch,
            active=active,
            says=sentence,
        )
        if fault and not fault_before:
            self._log("storage-failing", fault=fault, epoch=epoch, role=role.value)
        elif fault_before and not fault:
            self._log("storage-recovered", epoch=epoch, role=role.value)
        if changed and role is Role.ACTIVE and self._how:
            how, self._how = self._how, ""
            planned = how.removeprefix("released: ") in PLANNED
            self._log("switchover" if planned else "failover", epoch=epoch, reason=how, active=active)
        self._notifier.status(f"{role.value}: {sentence}" if sentence else role.value)

    def _log_services(self, state: State, obs: Observation) -> None:
        """Whether the active-only services are all up, which is what interruptions are counted by."""
        up = state.lease is not None and obs.services.all_up and obs.services.epoch == state.lease.epoch
        if up == self._up or (state.role is Role.DETACHED and self._up):
            return
        self._up = up
        epoch = status.epoch_known(state)
        if up:
            self._log("services-up", epoch=epoch, role=state.role.value)
        else:
            level = "info" if state.role in LEAVING else "warning"
            self._log("services-down", level=level, epoch=epoch, role=state.role.value)
