"""Claiming: who may, how a claim is made, and how a claimant knows that it won. Protocol, steps 4 to 6."""

from __future__ import annotations

from acmd.core.calls import Fault, Kind, Listing, ReadBack
from acmd.core.decision import Fence, Reason
from acmd.core.lease import EVERY_HOST, MAX_EPOCH, LeaseState, Record, decode, encode
from acmd.core.observation import Fenced, Interlock, Leave, Outcome, Peer
from acmd.core.observing import ended, fenced_after
from acmd.core.state import Claim, FencingPolicy, Lease, Role, Seen
from acmd.core.timing import NS_PER_MS, Instant, elapsed_for_holder_ns, elapsed_for_observer_ns
from acmd.core.turn import Turn

RETRY_NS = 100 * NS_PER_MS


def blocker(turn: Turn) -> Reason:
    """Why this node must not claim now; NONE when nothing speaks against it. The order is the order shown."""
    s, obs = turn.s, turn.obs
    checks = (
        (obs.leave is not Leave.NO, Reason.STOPPING),
        (bool(s.refused) or s.highest_epoch >= MAX_EPOCH, Reason.REFUSED_RECORD),
        (not obs.intent.known, Reason.INTENT_UNKNOWN),
        (obs.intent.all_disabled, Reason.ALL_DISABLED),
        (obs.intent.disabled_here, Reason.DISABLED),
        (not obs.fit, Reason.UNFIT),
        (_held_down(turn), Reason.HOLD_DOWN),
        (not obs.run_ok, Reason.RUN_UNWRITABLE),
        (not obs.guard.alive, Reason.GUARD_MISSING),
        (not obs.guard.watchdog_ok, Reason.WATCHDOG_MISSING),
        (not obs.services.gone, Reason.OWN_SERVICES_LEFT),
        (obs.guard.epoch is not None or not obs.guard.clean, Reason.GUARD_NOT_CLEAN),
        (s.write is not None or s.link_in_flight is not None, Reason.CLAIM_IN_FLIGHT),
        (_yielding(turn), Reason.YIELDING),
    )
    for blocked, reason in checks:
        if blocked:
            return reason
    return Reason.NONE


def _held_down(turn: Turn) -> bool:
    s = turn.s
    if turn.obs.intent.known and turn.obs.intent.clear_hold_down > s.cleared:
        if s.cleared >= 0:  # those given before this start speak of an earlier hold-down
            s.hold_down_since, s.failures = None, 0
        s.cleared = turn.obs.intent.clear_hold_down
    if s.hold_down_since is None:
        return False
    if elapsed_for_observer_ns(s.hold_down_since, turn.now) < s.hold_down_ns:
        return True
    s.hold_down_since = None
    return False


def _yielding(turn: Turn) -> bool:
    """Another node was named successor: it has W to come."""
    s = turn.s
    record = s.seen.record if s.seen is not None else None
    return (
        s.seen is not None
        and record is not None
        and record.state is LeaseState.RELEASED
        and record.successor not in ("", s.me.node)
        and elapsed_for_observer_ns(s.seen.first_seen, turn.now) < s.me.timing.takeover_wait_ns
    )


def consider(turn: Turn) -> Reason:
    """Claim if the observation and nothing else forbids it; otherwise the reason for not doing so."""
    s = turn.s
    seen = s.seen
    reason = blocker(turn)
    over = ended(turn)
    if not over:
        s.interlock_since = None
    if seen is None:
        return reason if reason is not Reason.NONE else Reason.STORAGE if s.storage_fault else Reason.WAITING
    if reason is Reason.NONE and not over:
        _suspect(turn, seen)
        return _standing(turn, seen)
    if reason is Reason.NONE and _interlocked(turn, seen):
        reason = Reason.INTERLOCK
    if reason is not Reason.NONE:
        return reason
    _claim(turn, seen)
    return Reason.CLAIMED


def _standing(turn: Turn, seen: Seen) -> Reason:
    if seen.record is not None and seen.record.state is LeaseState.DETACHED:
        return Reason.DETACHED
    still_ns = elapsed_for_observer_ns(seen.first_seen, seen.last_read)
    return Reason.FOLLOWING if still_ns < 3 * turn.s.me.timing.heartbeat_ns else Reason.WAITING


def _suspect(turn: Turn, seen: Seen) -> None:
    """Ask the fence agent before W, once the record has stood still long enough."""
    me = turn.s.me
    record = seen.record
    if (
        me.suspect_after_ns > 0
        and record is not None
        and _may_fence(turn, (record.holder,))
        and record.state is LeaseState.HELD
        and seen.confirmed_at is not None
        and elapsed_for_observer_ns(seen.first_seen, seen.confirmed_at) >= me.suspect_after_ns
    ):
        turn.effects.append(Fence(record.holder))


def _may_fence(turn: Turn, hosts: tuple[str, ...]) -> bool:
    """Whether it is others that are to be shot, with something to shoot with, and leave to do so."""
    me = turn.s.me
    return me.node not in hosts and turn.obs.has_fence_agent and me.fencing is not FencingPolicy.OFF


def _interlocked(turn: Turn, seen: Seen) -> bool:
    """The peer's database still answers. After W more, the fence agent is asked, if there is one."""
    s, obs = turn.s, turn.obs
    if obs.interlock is not Interlock.BLOCKED:
        s.interlock_since = None
        return False
    record = seen.record
    hosts = (record.holder,) if record is not None else tuple(peer.node for peer in obs.peers)
    if hosts and all(fenced_after(obs.fenced, host, seen.first_seen) for host in hosts):
        return False
    if s.interlock_since is None:
        s.interlock_since = turn.now
    waited_ns = elapsed_for_observer_ns(s.interlock_since, turn.now)
    if waited_ns > s.me.timing.takeover_wait_ns and _may_fence(turn, hosts):
        turn.effects.extend(Fence(host) for host in hosts)
    return True


def _claim(turn: Turn, seen: Seen) -> None:
    """One link() decides. The record is finished before, and `issued` is now."""
    s, obs, me = turn.s, turn.obs, turn.s.me
    epoch = max(seen.epoch, s.highest_epoch) + 1
    unfenced = inherit_unfenced(turn, seen)
    raw = encode(
        Record(
            cluster_id=me.cluster_id,
            epoch=epoch,
            sequence=0,
            holder=me.node,
            incarnation=me.incarnation,
            attempt=obs.fresh_id,
            machine_id=me.machine_id,
            boot_id=me.boot_id,
            duration_ms=me.timing.lease_duration_ns // NS_PER_MS,
            state=LeaseState.HELD,
            unfenced=unfenced,
            address=me.address,
            written_at=max(0, obs.wall_time),
            claimed_at=max(0, obs.wall_time),
        )
    )
    s.claim = Claim(epoch, obs.fresh_id, turn.now, raw, s.listing, unfenced, max(0, obs.wall_time))
    s.fence_since = seen.first_seen
    turn.become(Role.CLAIMING)
    turn.issue(Kind.LINK, epoch, raw, attempt=obs.fresh_id)


def inherit_unfenced(turn: Turn, seen: Seen) -> tuple[str, ...]:
    """The hosts whose end nobody has confirmed: the record's, and the holder's if its epoch just expired.

    Where no record tells who held the epoch, it may have been any host.
    """
    s = turn.s
    record = seen.record
    if record is None or seen.epoch < s.highest_epoch:
        hosts = {EVERY_HOST}
    else:
        hosts = set(record.unfenced)
        if record.state is not LeaseState.RELEASED:
            hosts.add(record.holder)
    hosts.discard(s.me.node)  # its own services were observed gone, or it would not be eligible
    return remaining_unfenced(tuple(sorted(hosts)), turn.obs.fenced, turn.obs.peers, seen.first_seen)


def remaining_unfenced(
    hosts: tuple[str, ...], fenced: tuple[Fenced, ...], peers: tuple[Peer, ...], since: Instant
) -> tuple[str, ...]:
    """Without those confirmed off since then. '*' goes once every known peer was, also those not heard."""
    if not fenced:
        return hosts
    names = [p.node for p in peers]
    every = bool(names) and all(fenced_after(fenced, name, since) for name in names)
    return tuple(
        host for host in hosts if not fenced_after(fenced, host, since) and not (host == EVERY_HOST and every)
    )


def claim_on(turn: Turn) -> None:
    """A claim under way: look again after a failed look, until R (see `election._deadlines`)."""
    s = turn.s
    claim = s.claim
    if claim is None:
        return
    timing = s.me.timing
    left_ns = timing.renew_deadline_ns - elapsed_for_holder_ns(claim.issued, turn.now)
    turn.wake_within(min(left_ns, RETRY_NS))
    if claim.link_ended and s.look is None:
        since_ns = RETRY_NS if s.cycle_began is None else elapsed_for_holder_ns(s.cycle_began, turn.now)
        if since_ns >= RETRY_NS:
            _look(turn, claim)


def _look(turn: Turn, claim: Claim) -> None:
    turn.s.cycle_began = turn.now
    if claim.inode:
        turn.issue(Kind.LIST)
    else:
        turn.issue(Kind.READ, claim.epoch)


def give_up_claim(turn: Turn) -> None:
    """Nothing is written: should the file be there, that epoch ends only by W, also for this node."""
    turn.s.claim = None
    turn.become(Role.PASSIVE)
    turn.s.standing = Reason.CLAIM_LOST


def on_link(turn: Turn, outcome: Outcome) -> None:
    """The link call has ended, somehow: what it says proves nothing, so the file is looked at.

    One that timed out is in flight until it returns or its name is taken. A worker that died left
    the kernel: should its link still land, that is a foreign epoch which only W ends.
    """
    s = turn.s
    if outcome.fault is Fault.TIMEOUT:
        s.link_in_flight = outcome.call
    claim = s.claim
    if claim is None or claim.attempt != outcome.call.attempt or outcome.late:
        return
    if outcome.fault in (Fault.BUSY, Fault.LOCAL):
        give_up_claim(turn)
        return
    s.claim = claim._replace(link_ended=True)
    if s.look is None:
        _look(turn, s.claim)


def on_look(turn: Turn, outcome: Outcome) -> None:
    """First the linked file must be this attempt's; then no other lease file may have appeared."""
    s = turn.s
    claim, value = s.claim, outcome.value
    if claim is None or outcome.fault is not None or value is None:
        return  # looked at again until R
    if value.cluster_file != s.me.cluster_file:
        give_up_claim(turn)
    elif isinstance(value, Listing):
        _on_listing(turn, value, claim)
    else:
        _on_linked_file(turn, value, claim)


def _on_linked_file(turn: Turn, value: ReadBack, claim: Claim) -> None:
    s = turn.s
    record = decode(value.data, s.me.cluster_id, claim.epoch)
    if isinstance(record, Record) and record.attempt == claim.attempt:
        s.claim = claim._replace(inode=value.inode)
        turn.issue(Kind.LIST)
    elif isinstance(record, Record):
        give_up_claim(turn)


def _on_listing(turn: Turn, listing: Listing, claim: Claim) -> None:
    s = turn.s
    turn.see_epochs(listing.epochs)
    if any(epoch != claim.epoch and epoch not in claim.known for epoch in listing.epochs):
        give_up_claim(turn)
        return
    if claim.epoch not in listing.epochs:
        return  # provably not a fresh listing: looked at again until R
    s.lease = Lease(
        epoch=claim.epoch,
        attempt=claim.attempt,
        incarnation=s.me.incarnation,
        inode=claim.inode,
        sequence=0,
        confirmed=0,
        landed=0,
        issued=claim.issued,
        unfenced=claim.unfenced,
        claimed_at=claim.claimed_at,
        raw=claim.raw,
    )
    s.claim = None
    s.seen = s.torn = None  # what was observed before the own epoch says nothing about the time after it
    s.adopted = 0
    s.listing = listing.epochs
    turn.remember()
    turn.become(Role.PROMOTING)
