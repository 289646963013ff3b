"""Observing the holder: what counts as unchanged, what as expired. Protocol, 'Observing and taking over'."""

from __future__ import annotations

from acmd.core.calls import Fault, Kind, Listing, ReadBack
from acmd.core.decision import Reason
from acmd.core.lease import Defect, LeaseState, Record, decode
from acmd.core.observation import Fenced, Gate, Outcome
from acmd.core.state import Lease, Release, Seen, Torn
from acmd.core.timing import NS_PER_MS, Instant, elapsed_for_holder_ns, elapsed_for_observer_ns
from acmd.core.turn import Turn

FAST_POLL_NS = 100 * NS_PER_MS


def observe(turn: Turn) -> None:
    """Begin the next cycle (list, then read the highest epoch) when it is due; say when to wake."""
    s = turn.s
    if s.look is not None:
        return
    pause_ns = _pause_ns(turn)
    since_ns = pause_ns if s.cycle_began is None else elapsed_for_holder_ns(s.cycle_began, turn.now)
    if since_ns >= pause_ns or _confirmation_due(turn):
        s.cycle_began = turn.now
        turn.issue(Kind.LIST)
        return
    turn.wake_within(pause_ns - since_ns)
    if s.seen is not None:
        left_ns = s.seen.wait_ns - elapsed_for_observer_ns(s.seen.first_seen, turn.now)
        if left_ns > 0:
            turn.wake_within(left_ns)


def _pause_ns(turn: Turn) -> int:
    """The pause between two cycles: a tenth of a second, for at most W, while a takeover is at hand."""
    s = turn.s
    if s.seen is None or not (_switchover_comes(turn, s.seen) or _holder_is_off(turn, s.seen)):
        s.fast_poll_since = None
        return s.me.timing.heartbeat_ns
    if s.fast_poll_since is None:
        s.fast_poll_since = turn.now
    if elapsed_for_holder_ns(s.fast_poll_since, turn.now) > s.me.timing.takeover_wait_ns:
        return s.me.timing.heartbeat_ns
    return min(FAST_POLL_NS, s.me.timing.heartbeat_ns)


def _switchover_comes(turn: Turn, seen: Seen) -> bool:
    request = turn.obs.intent.switchover
    return request is not None and request.epoch == seen.epoch and request.target in ("", turn.s.me.node)


def _holder_is_off(turn: Turn, seen: Seen) -> bool:
    """The confirmation has come: one more look is all that a claim waits for."""
    record = seen.record
    return (
        record is not None
        and record.state is LeaseState.HELD
        and fenced_after(turn.obs.fenced, record.holder, seen.first_seen)
    )


def _confirmation_due(turn: Turn) -> bool:
    """W has just passed and no cycle has begun since: look now, not at the next poll."""
    s = turn.s
    if s.seen is None or s.cycle_began is None:
        return False
    seen = s.seen
    return (
        elapsed_for_observer_ns(seen.first_seen, turn.now) >= seen.wait_ns
        and elapsed_for_observer_ns(seen.first_seen, s.cycle_began) < seen.wait_ns
    )


def on_look(turn: Turn, outcome: Outcome) -> None:
    """A listing or a read of an observing node has ended. A failed one neither changes nor confirms."""
    s = turn.s
    if outcome.fault is not None:
        s.storage_fault = outcome.fault
        return
    value = outcome.value
    if value is None or value.cluster_file != s.me.cluster_file:
        s.storage_fault = Fault.NOT_A_CLUSTER
        s.refused = Defect.FOREIGN
        return
    s.storage_fault = ""
    if isinstance(value, Listing):
        s.listing = value.epochs
        turn.see_epochs(value.epochs)
        if value.epochs:
            if s.seen is not None and s.seen.epoch < value.epochs[-1]:
                s.seen = None  # an older epoch: W counts anew, should the directory ever go back to it
            turn.issue(Kind.READ, value.epochs[-1])
        else:
            s.refused = ""
            _same_or_new(turn, -1, b"", None, outcome)
    else:
        _on_record(turn, outcome, value)


def _on_record(turn: Turn, outcome: Outcome, value: ReadBack) -> None:
    s, epoch = turn.s, outcome.call.epoch
    decoded = decode(value.data, s.me.cluster_id, epoch)
    if decoded is Defect.CRC:
        _on_torn(turn, epoch, value.data, outcome)
        return
    if isinstance(decoded, Record):
        s.refused = ""
        _same_or_new(turn, epoch, value.data, decoded, outcome)
        _finish_own_detached(turn, decoded, value.inode)
    else:
        # No crash leaves such a record behind: somebody else's file. Nothing is claimed after it.
        s.refused = decoded
        s.seen = None


def _on_torn(turn: Turn, epoch: int, raw: bytes, outcome: Outcome) -> None:
    """A bad CRC once is no news; the same bad bytes again are an observation like any other."""
    s = turn.s
    s.refused = ""
    if s.seen is not None and s.seen.epoch == epoch and s.seen.raw == raw:
        _same_or_new(turn, epoch, raw, None, outcome)
    elif (
        s.torn is not None
        and s.torn.epoch == epoch
        and s.torn.raw == raw
        and elapsed_for_holder_ns(s.torn.first_seen, outcome.ended) <= s.me.timing.renew_deadline_ns
    ):
        wait_ns = s.me.timing.takeover_wait_ns
        if s.seen is not None and s.seen.epoch == epoch:
            wait_ns = max(wait_ns, s.seen.wait_ns)
        s.seen = Seen(epoch, raw, None, s.torn.first_seen, outcome.ended, wait_ns)
    else:
        s.torn = Torn(epoch, raw, outcome.ended)


def _same_or_new(turn: Turn, epoch: int, raw: bytes, record: Record | None, outcome: Outcome) -> None:
    s = turn.s
    seen = s.seen
    timing = s.me.timing
    s.torn = None if record is not None else s.torn
    turn.cycle_done = True
    if (
        seen is not None
        and seen.epoch == epoch
        and seen.raw == raw
        and elapsed_for_holder_ns(seen.last_read, outcome.ended) <= timing.renew_deadline_ns
    ):
        s.seen = seen._replace(last_read=outcome.ended, confirmed_at=outcome.began)
        return
    duration_ns = record.duration_ms * NS_PER_MS if record is not None else timing.lease_duration_ns
    wait_ns = timing.takeover_wait_for_ns(duration_ns)
    s.seen = Seen(epoch, raw, record, outcome.ended, outcome.ended, wait_ns)


def _finish_own_detached(turn: Turn, record: Record, inode: int) -> None:
    """Own `detached`, nothing running here, nothing in /run/acmd: the epoch is released, until read back."""
    s = turn.s
    if (
        record.state is not LeaseState.DETACHED
        or record.holder != s.me.node
        or record.machine_id != s.me.machine_id
        or s.lease is not None
        or s.release is not None  # on its way already; written again until it is read back
        or s.release_call is not None
        or not turn.obs.services.gone
        or turn.obs.guard.epoch is not None
        or turn.obs.guard.gate is not Gate.SHUT
    ):
        return
    lease = Lease(
        epoch=record.epoch,
        attempt=record.attempt,
        incarnation=record.incarnation,
        inode=inode,
        sequence=record.sequence,
        confirmed=record.sequence,
        landed=record.sequence,
        issued=turn.now,
        unfenced=record.unfenced,
        claimed_at=record.claimed_at,
    )
    raw = turn.record_of(lease, lease.sequence + 1, LeaseState.RELEASED, Reason.DETACHED, "")
    s.release = Release(lease, raw, Reason.DETACHED, "")
    turn.write_release()


def expired(seen: Seen) -> bool:
    """Whether a read that began W or more after `first_seen` gave the same bytes."""
    confirmed_at = seen.confirmed_at
    return confirmed_at is not None and elapsed_for_observer_ns(seen.first_seen, confirmed_at) >= seen.wait_ns


def fenced_after(fenced: tuple[Fenced, ...], host: str, since: Instant) -> bool:
    """Whether `host` was confirmed off by an asking that began at `since` or later."""
    return any(f.host == host and elapsed_for_observer_ns(since, f.asked) >= 0 for f in fenced)


def ended(turn: Turn) -> bool:
    """Whether the highest epoch is over, by the observation that this turn has completed."""
    s = turn.s
    seen = s.seen
    if seen is None or not turn.cycle_done:
        return False
    record = seen.record
    if record is None:
        return expired(seen)
    older = seen.epoch < s.highest_epoch  # a directory from before: nothing in it ends at once
    if record.state is LeaseState.DETACHED:
        named = turn.obs.intent.dead_holder == (seen.epoch, record.sequence)
        return named and (not older or expired(seen))
    if older:
        return expired(seen)
    if record.state is LeaseState.RELEASED:
        return True
    if fenced_after(turn.obs.fenced, record.holder, seen.first_seen):
        return True
    return expired(seen)
