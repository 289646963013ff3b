"""Who held the lease before whom: the last hand-overs, for people.

What this daemon saw is told as it saw it; a node that looked away meanwhile says `takeover`, since it does
not know how. What was before this daemon is recalled once from the lease files and journals.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from acmd.core.decision import PLANNED
from acmd.core.lease import LeaseState
from acmd.core.state import Lease, State
from acmd.core.timing import NS_PER_S, Instant, elapsed_for_observer_ns

KEPT = 20


class Epoch(NamedTuple):
    """An epoch as it was seen last."""

    number: int
    holder: str
    released: bool
    reason: str
    successor: str
    claimed_at: int


class Handover(NamedTuple):
    """One change of the holder."""

    how: str  # "switchover": as planned; "failover", "release", "takeover"; "restart": the same node again
    before: str
    after: str
    epoch: int
    reason: str
    at: Instant
    wall_time: int


@dataclass(slots=True)
class Succession:
    """Told of each decision's state; keeps the newest hand-overs."""

    handovers: tuple[Handover, ...] = ()
    _last: Epoch | None = None
    _still_since: Instant | None = None  # since when the last epoch's record stands still, if it does

    def note(self, state: State, now: Instant, wall_time: int) -> None:
        """After each decision."""
        current = _current(state)
        if current is None:
            return
        before, self._last = self._last, current
        stood, self._still_since = self._still_since, _still(state)
        if before is None or before.number >= current.number or not before.holder:
            return
        how = _how(before, current, self._expired(state, stood, now))
        at, wall = now, wall_time
        if how == "takeover" and 0 < current.claimed_at < wall_time:  # this node looked away: by the record
            age_ns = (wall_time - current.claimed_at) * NS_PER_S
            at, wall = Instant(now.boot_ns - age_ns, now.raw_ns - age_ns), current.claimed_at
        made = Handover(how, before.holder, current.holder, current.number, before.reason, at, wall)
        # It may have been recalled just now.
        others = [one for one in self.handovers if one.epoch != made.epoch]
        self.handovers = (*others, made)[-KEPT:]

    def recall(self, epochs: Sequence[Mapping[str, Any]], now: Instant, wall_time: int) -> None:
        """Take over what happened before this daemon, as `acmd history` has it: oldest first.

        Ages are by wall clocks then, which nothing but this display rests on.
        """
        known = {one.epoch for one in self.handovers}
        found = []
        for before, after in itertools.pairwise(epochs):
            if not before["holder"] or not after["holder"] or after["epoch"] in known:
                continue
            at_s = after["from_s"]
            if at_s is None or after["epoch"] <= before["epoch"]:
                continue
            age_ns = round(max(0.0, wall_time - at_s) * NS_PER_S)
            then = Instant(now.boot_ns - age_ns, now.raw_ns - age_ns)
            found.append(
                Handover(
                    _how_recalled(before, after),
                    before["holder"],
                    after["holder"],
                    after["epoch"],
                    before["reason"],
                    then,
                    int(at_s),
                )
            )
        self.handovers = tuple(sorted((*found, *self.handovers), key=lambda one: one.epoch))[-KEPT:]

    def shown(self, now: Instant) -> list[dict[str, Any]]:
        """The hand-overs as JSON values, the newest first."""
        return [
            {
                "how": one.how,
                "from": one.before,
                "to": one.after,
                "epoch": one.epoch,
                "reason": one.reason,
                "at": one.wall_time,
                "age_s": round(elapsed_for_observer_ns(one.at, now) / NS_PER_S, 3),
            }
            for one in reversed(self.handovers)
        ]

    @staticmethod
    def _expired(state: State, stood: Instant | None, now: Instant) -> bool:
        timing = state.me.timing
        return stood is not None and elapsed_for_observer_ns(stood, now) >= timing.lease_duration_ns


def _how_recalled(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    if before["holder"] == after["holder"]:
        return "restart"
    if before["state"] == "released":
        return "switchover" if before["reason"] in PLANNED else "release"
    return "failover"


def _still(state: State) -> Instant | None:
    return state.seen.first_seen if state.lease is None and state.seen is not None else None


def _current(state: State) -> Epoch | None:
    """The epoch in force, as far as this node knows."""
    if state.lease is not None:
        lease: Lease = state.lease
        return Epoch(lease.epoch, state.me.node, False, state.cause, "", lease.claimed_at)
    if state.release is not None:  # given back by this node, and told as such though the other was faster
        given = state.release
        return Epoch(
            given.lease.epoch, state.me.node, True, given.reason, given.successor, given.lease.claimed_at
        )
    if state.seen is None or state.seen.record is None:
        return None
    record = state.seen.record
    released = record.state is LeaseState.RELEASED
    return Epoch(
        state.seen.epoch, record.holder, released, record.reason, record.successor, record.claimed_at
    )


def _how(before: Epoch, after: Epoch, expired: bool) -> str:
    if before.holder == after.holder:
        return "restart"
    if before.released:
        return "switchover" if before.reason in PLANNED else "release"
    return "failover" if expired else "takeover"
