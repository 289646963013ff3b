"""Health for load balancers: yes or no, with the time of the question, never an answer of yesterday."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from acmd import status
from acmd.core.state import Role
from acmd.core.timing import NS_PER_S, elapsed_for_holder_ns
from acmd.tasks.snapshot import Snapshot

LATE_BEATS = 3
LATE_NS = NS_PER_S


class Verdict(NamedTuple):
    """Yes or no, and why in a few words that betray nothing."""

    ok: bool
    why: str


def active(snapshot: Snapshot) -> Verdict:
    """This node is the active one: it holds the lease at this moment and is not giving it up."""
    if snapshot.latest is None:
        return Verdict(False, "starting")
    state = snapshot.latest[0]
    if status.serves(state, snapshot.clock.now()):
        return Verdict(True, "active")
    renewing = state.role is Role.ACTIVE
    return Verdict(False, "the lease was not renewed in time" if renewing else state.role.value)


def passive(snapshot: Snapshot) -> Verdict:
    """This node stands by, able to take over."""
    if snapshot.latest is None:
        return Verdict(False, "starting")
    found = ready(snapshot)
    role = snapshot.latest[0].role
    return found if role is Role.PASSIVE else Verdict(False, role.value)


def health(snapshot: Snapshot) -> Verdict:
    """The daemon decides in time and its guard answers."""
    if snapshot.latest is None or snapshot.decided_at is None:
        return Verdict(False, "starting")
    state, obs, _ = snapshot.latest
    age_ns = elapsed_for_holder_ns(snapshot.decided_at, snapshot.clock.now())
    if age_ns > LATE_BEATS * state.me.timing.heartbeat_ns + LATE_NS:
        return Verdict(False, "the heartbeat stands still")
    return Verdict(True, "healthy") if obs.guard.alive else Verdict(False, "the guard does not answer")


def ready(snapshot: Snapshot) -> Verdict:
    """This node is, or could become, the active one."""
    found = health(snapshot)
    if not found.ok or snapshot.latest is None:
        return found
    state, obs, _ = snapshot.latest
    if state.storage_fault:
        return Verdict(False, "the storage does not answer")
    if obs.intent.all_disabled or obs.intent.disabled_here:
        return Verdict(False, "disabled")
    if state.hold_down_since is not None:
        return Verdict(False, "held down after failures")
    if not snapshot.wishes.fit:
        return Verdict(False, "not fit")
    if state.role is Role.PASSIVE:
        return Verdict(True, "passive")
    return active(snapshot)


def node(snapshot: Snapshot) -> Verdict:
    """The services of every node run here, whichever node is active."""
    found = health(snapshot)
    if not found.ok:
        return found
    down = [unit.service.name for unit in snapshot.other_services.units if not unit.up]
    return Verdict(False, "a service is down") if down else Verdict(True, "up")


ENDPOINTS: dict[str, Callable[[Snapshot], Verdict]] = {
    "/active": active,
    "/passive": passive,
    "/node": node,
    "/health": health,
    "/ready": ready,
}
