"""Renewing: one round is list, write, read back, and only the whole of it extends the lease.

`issued` is noted before the listing is asked for, so that everything the round learns is younger
than the moment from which the new deadline counts.
"""

from __future__ import annotations

from acmd.core.calls import Fault, Kind, Listing, ReadBack
from acmd.core.claiming import remaining_unfenced
from acmd.core.decision import Arm, Disarm, Reason, Supervise
from acmd.core.lease import LeaseState, Record, decode
from acmd.core.observation import Leave, Mode, Outcome
from acmd.core.state import Lease, Role, Round
from acmd.core.timing import elapsed_for_holder_ns
from acmd.core.turn import Turn

UNKNOWN_OUTCOME = frozenset((Fault.TIMEOUT, Fault.WORKER_LOST))


def renew(turn: Turn) -> None:
    """Begin the next round when it is due; say when to wake."""
    s = turn.s
    heartbeat_ns = s.me.timing.heartbeat_ns
    if s.round is not None or s.look is not None:
        return
    since_ns = heartbeat_ns if s.cycle_began is None else elapsed_for_holder_ns(s.cycle_began, turn.now)
    if since_ns < heartbeat_ns:
        turn.wake_within(heartbeat_ns - since_ns)
        return
    s.cycle_began = turn.now
    s.round = Round(issued=turn.now)
    turn.issue(Kind.LIST)


def wants_detached(turn: Turn) -> bool:
    """Whether the next record of an active holder says `detached`."""
    intent = turn.obs.intent
    return (intent.known and intent.all_disabled) or turn.obs.leave is Leave.DETACH


def on_look(turn: Turn, outcome: Outcome) -> None:
    """The listing or the read-back of a round has ended."""
    s = turn.s
    lease, current = s.lease, s.round
    if lease is None or current is None:
        return
    if outcome.fault is not None:
        s.storage_fault = outcome.fault
        s.round = None
        return
    value = outcome.value
    if value is None or value.cluster_file != s.me.cluster_file:
        s.storage_fault, s.round = Fault.NOT_A_CLUSTER, None  # other storage is mounted here: R decides
        return
    if isinstance(value, Listing):
        _on_listing(turn, value, lease, current)
    else:
        _on_read_back(turn, outcome, value, lease, current)


def _on_listing(turn: Turn, listing: Listing, lease: Lease, current: Round) -> None:
    s = turn.s
    s.listing = listing.epochs
    turn.see_epochs(listing.epochs)
    if listing.epochs and listing.epochs[-1] > lease.epoch:
        turn.kill(Reason.SUPERSEDED)
        return
    if lease.epoch not in listing.epochs:
        s.storage_fault, s.round = Fault.STALE, None  # provably not a fresh listing
        return
    s.round = current._replace(listed=True)
    if s.role is Role.DETACHED and (s.detach_confirmed or turn.obs.guard.epoch is None):
        s.round = None  # nothing to renew: a detached epoch does not expire
    elif lease.look_first or lease.outstanding >= 0 or s.role is Role.REATTACHING:
        turn.issue(Kind.READ, lease.epoch)
    else:
        _write(turn, lease, s.round)


def _write(turn: Turn, lease: Lease, current: Round) -> None:
    s = turn.s
    if lease.outstanding >= 0 or s.write is not None:
        s.round = None  # one write at a time, also when the last one was read back before it returned
        return
    detached = s.role is Role.DETACHED or (s.role is Role.ACTIVE and wants_detached(turn))
    sequence = lease.sequence + 1
    state = LeaseState.DETACHED if detached else LeaseState.HELD
    raw = turn.record_of(lease, sequence, state, "", "")
    s.lease = lease._replace(
        sequence=sequence,
        outstanding=sequence,
        raw=raw,
        held_issued=lease.held_issued or not detached,
    )
    s.round = current._replace(sequence=sequence)
    turn.remember()  # the sequence is kept before it is issued: no number is ever used twice
    turn.issue(Kind.WRITE, lease.epoch, raw, inode=lease.inode, sequence=sequence)


def on_write(turn: Turn, outcome: Outcome) -> None:
    """A renewal's write has ended. Only a call that returned is no longer outstanding."""
    s = turn.s
    lease, current, fault = s.lease, s.round, outcome.fault
    if lease is None or lease.epoch != outcome.call.epoch:
        return
    sequence = outcome.call.sequence
    if fault in UNKNOWN_OUTCOME:
        if outcome.late:
            return  # the worker of a write that timed out has died: no more is known than before
        s.storage_fault = fault or ""
        s.round = None
        return
    if lease.outstanding == sequence:
        lease = lease._replace(outstanding=-1)
    if fault is not None:
        s.lease = lease._replace(look_first=True) if fault is Fault.STALE else lease  # another inode: look
        if not outcome.late:  # else the round under way is another one's
            s.storage_fault, s.round = fault, None
        return
    s.lease = lease._replace(landed=max(lease.landed, sequence))
    if current is not None and current.sequence == sequence and not outcome.late:
        s.round = current._replace(written_at=outcome.ended)
        turn.issue(Kind.READ, lease.epoch)


def _on_read_back(turn: Turn, outcome: Outcome, value: ReadBack, lease: Lease, current: Round) -> None:
    s = turn.s
    record = decode(value.data, s.me.cluster_id, lease.epoch)
    if value.inode != lease.inode or not isinstance(record, Record):
        s.storage_fault, s.round = Fault.STALE, None  # unknown: R decides
        return
    if not _is_mine(record, value.data, lease):
        turn.kill(Reason.EPOCH_LOST)
        return
    s.storage_fault = ""
    if record.sequence >= lease.outstanding:
        lease = lease._replace(outstanding=-1)
    s.lease = lease = lease._replace(landed=max(lease.landed, record.sequence), look_first=False)
    if current.sequence >= 0:
        s.round = None
        if current.written_at is not None and record.sequence == current.sequence:
            _acknowledged(turn, lease, current, record)
    elif lease.outstanding >= 0:
        s.round = None  # R decides, unless it returns or is read back before
    elif s.role is Role.REATTACHING:
        _reattach(turn, lease, current, record)
    else:
        _write(turn, lease, current)


def _is_mine(record: Record, raw: bytes, lease: Lease) -> bool:
    """Whether the record is one that this epoch's holder may find: its own, and not older than known."""
    if record.attempt != lease.attempt or record.incarnation != lease.incarnation:
        return False
    if record.sequence < lease.landed or record.sequence > lease.sequence:
        return False
    return record.sequence != lease.sequence or not lease.raw or raw == lease.raw


def _reattach(turn: Turn, lease: Lease, current: Round, record: Record) -> None:
    """Read after re-arming: while it still shows `detached`, the deadline counts from this round."""
    s = turn.s
    if record.state is LeaseState.DETACHED:
        s.lease = lease = lease._replace(issued=current.issued)
        turn.effects.append(Arm(lease.epoch, current.issued))
    _write(turn, lease, current)


def _acknowledged(turn: Turn, lease: Lease, current: Round, record: Record) -> None:
    """The one place where a lease is extended: counted from the issue of the round."""
    s = turn.s
    detached = record.state is LeaseState.DETACHED
    s.lease = lease._replace(
        confirmed=record.sequence,
        issued=current.issued,
        detached=detached,
        held_issued=not detached,
    )
    turn.remember()
    if detached:
        _detached(turn, lease.epoch)
        return
    if turn.obs.guard.epoch == lease.epoch:  # moves the deadline; what is not armed is armed elsewhere
        turn.effects.append(Arm(lease.epoch, current.issued))
    if s.role is Role.REATTACHING:
        turn.become(Role.ACTIVE)
        s.cycle_began = current.issued
    if s.role is Role.ACTIVE:
        turn.effects.append(Supervise(Mode.RUN, lease.epoch, current.issued))


def _detached(turn: Turn, epoch: int) -> None:
    """`detached` is acknowledged: only now may the switch be disarmed."""
    s = turn.s
    s.detach_confirmed = True
    if s.role is not Role.DETACHED:
        turn.become(Role.DETACHED)
    turn.effects.append(Disarm(epoch, detached=True))
    turn.effects.append(Supervise(Mode.HANDS_OFF, epoch))


def drop_confirmed(turn: Turn, lease: Lease) -> Lease:
    """Hosts confirmed off since the epoch before this one was seen to stand still leave the list."""
    s = turn.s
    if not lease.unfenced or s.fence_since is None:
        return lease
    left = remaining_unfenced(lease.unfenced, turn.obs.fenced, turn.obs.peers, s.fence_since)
    if left != lease.unfenced:
        s.lease = lease = lease._replace(unfenced=left)
        turn.remember()
    return lease
