"""What a holder does in each of its roles: promote, keep, give up, demote, detach, re-attach."""

from __future__ import annotations

from acmd.core.decision import Arm, Disarm, Exit, Fence, Reason, Supervise
from acmd.core.lease import EVERY_HOST
from acmd.core.observation import Gate, Leave, Mode
from acmd.core.renewal import drop_confirmed, renew, wants_detached
from acmd.core.state import FencingPolicy, Lease, Role
from acmd.core.timing import elapsed_for_holder_ns
from acmd.core.turn import Turn


def promoting(turn: Turn) -> None:
    """Holds the lease; starts nothing before the fencing is settled and the switch is armed and open."""
    s, obs = turn.s, turn.obs
    lease = s.lease
    if lease is None:
        return
    armed_already = obs.guard.alive and obs.guard.epoch == lease.epoch  # an adoption
    if obs.leave is Leave.ADOPT:
        _hand_over(turn)
        return
    if s.adopted and not obs.guard.alive:
        _wait_for_guard(turn)  # services may run: nothing is called off, nobody is fenced again
        return
    if not armed_already and _called_off(turn):
        return
    if not armed_already and not _fencing_settled(turn, lease):
        turn.reason = Reason.FENCING
        renew(turn)
        return
    lease = s.lease or lease  # the fencing may have shortened its list of hosts
    if armed_already and obs.guard.gate is Gate.OPEN:
        s.guard_lost_since = None
        turn.become(Role.ACTIVE)
        turn.effects.append(Supervise(Mode.RUN, lease.epoch, lease.issued))
        return
    if armed_already:
        turn.give_up(Reason.GUARD_LOST)  # its gate has closed already: irrevocable for this epoch
        return
    turn.reason = Reason.ARMING
    if s.guard_lost_since is None:
        s.guard_lost_since = turn.now
    elif elapsed_for_holder_ns(s.guard_lost_since, turn.now) > s.me.timing.renew_deadline_ns:
        s.guard_lost_since = None
        turn.hold_down()
        turn.give_up(Reason.GUARD_LOST, turn.fit_peer())
        return
    turn.effects.append(Arm(lease.epoch, lease.issued))
    renew(turn)


def _wait_for_guard(turn: Turn) -> None:
    """After an adoption the switch has one heartbeat to answer."""
    turn.reason = Reason.ARMING
    if elapsed_for_holder_ns(turn.s.role_since, turn.now) > turn.s.me.timing.heartbeat_ns:
        turn.give_up(Reason.GUARD_LOST, turn.fit_peer())
        return
    turn.wake_within(turn.s.me.timing.heartbeat_ns // 4)
    renew(turn)


def _hand_over(turn: Turn) -> None:
    """Leave all to the next daemon, but wait for a write under way: it could not know what became of that."""
    if turn.s.write is None:
        turn.remember()
        turn.become(Role.STOPPED)


def _called_off(turn: Turn) -> bool:
    """Something came between the claim and the first start."""
    obs = turn.obs
    cause = Reason.NONE
    if obs.leave is not Leave.NO:
        cause = Reason.STOPPING
    elif obs.intent.all_disabled:
        cause = Reason.ALL_DISABLED
    elif obs.intent.disabled_here:
        cause = Reason.DISABLED
    if cause is Reason.NONE:
        return False
    turn.give_up(cause)
    return True


def _fencing_settled(turn: Turn, lease: Lease) -> bool:
    """Whether the policy lets the services start. With `required`, not before every host is confirmed.

    `best_effort` has one try; `required` tries until its limit, since giving up costs a hold-down.
    """
    s, obs, me = turn.s, turn.obs, turn.s.me
    if me.fencing is FencingPolicy.OFF or not lease.unfenced:
        return True
    lease = drop_confirmed(turn, lease)
    if not lease.unfenced:
        return True
    over = elapsed_for_holder_ns(s.role_since, turn.now) > me.fence_limit_ns
    if me.fencing is FencingPolicy.BEST_EFFORT and (over or obs.fencing_failed):
        return True
    if over:
        turn.hold_down()
        turn.give_up(Reason.FENCING_FAILED)
        return False
    hosts = set(lease.unfenced)
    if EVERY_HOST in hosts:
        hosts = hosts - {EVERY_HOST} | {peer.node for peer in obs.peers}
    turn.effects.extend(Fence(host) for host in sorted(hosts))
    return False


def active(turn: Turn) -> None:
    """Renew, and look for a reason to give up."""
    s, obs = turn.s, turn.obs
    lease = s.lease
    if lease is None:
        return
    turn.reason = Reason.HOLDING
    if obs.leave is Leave.ADOPT:
        _hand_over(turn)
        return
    if _guard_lost(turn, lease):
        return
    if _reason_to_leave(turn, lease):
        return
    if obs.services.mode is not Mode.RUN or obs.services.epoch != lease.epoch:
        turn.effects.append(Supervise(Mode.RUN, lease.epoch, lease.issued))
    drop_confirmed(turn, lease)
    active_ns = elapsed_for_holder_ns(s.role_since, turn.now)
    if active_ns > s.me.longest_hold_down_ns:
        s.failures = 0
    if s.adopted and active_ns > s.me.timing.takeover_wait_ns:
        s.adopted = 0  # no crash loop
        turn.remember()
    renew(turn)


def _guard_lost(turn: Turn, lease: Lease) -> bool:
    """Without a switch that is armed for this epoch a node demotes within a heartbeat."""
    s, guard = turn.s, turn.obs.guard
    if guard.alive and guard.epoch == lease.epoch:
        s.guard_lost_since = None
        if guard.gate is Gate.SHUT:
            turn.kill(Reason.KILL_DEADLINE)
            return True
        if guard.gate is Gate.CLOSING:
            turn.demote()
            return True
        return False
    if s.guard_lost_since is None:
        s.guard_lost_since = turn.now
    turn.effects.append(Arm(lease.epoch, lease.issued))
    if elapsed_for_holder_ns(s.guard_lost_since, turn.now) < s.me.timing.heartbeat_ns:
        turn.wake_within(s.me.timing.heartbeat_ns // 4)
        return False
    s.guard_lost_since = None
    turn.give_up(Reason.GUARD_LOST, turn.fit_peer())
    return True


def _reason_to_leave(turn: Turn, lease: Lease) -> bool:
    obs = turn.obs
    peer = turn.fit_peer()
    request = obs.intent.switchover
    if obs.leave is Leave.RELEASE:
        turn.give_up(Reason.STOPPING, peer)
    elif wants_detached(turn):
        return False  # the next round writes `detached`
    elif obs.intent.disabled_here and (peer or obs.intent.forced):
        turn.give_up(Reason.DISABLED, peer)
    elif request is not None and request.epoch == lease.epoch and turn.fit_peer(request.target):
        turn.give_up(Reason.SWITCHOVER, turn.fit_peer(request.target))
    elif obs.services.failed and obs.services.epoch == lease.epoch and peer:
        turn.hold_down()
        turn.give_up(Reason.SERVICE_FAILED, peer)
    elif not obs.fit and peer:
        turn.give_up(Reason.UNFIT, peer)
    else:
        return False
    return True


def giving_up(turn: Turn) -> None:
    """Renew while the services stop; release once all is gone."""
    s = turn.s
    turn.press_to_stop(Mode.STOP)
    turn.reason = Reason(s.cause)
    if turn.all_gone():
        turn.release(s.cause, s.successor)
        return
    if turn.obs.services.gone and not turn.obs.guard.alive:
        return  # nothing is left to renew for, and without the switch nothing may be released
    if elapsed_for_holder_ns(s.role_since, turn.now) < s.me.give_up_limit_ns:
        renew(turn)  # afterwards R and K come, and the last resort for what cannot be stopped


def demoting(turn: Turn) -> None:
    """R has passed: nothing is renewed; release if all goes in time."""
    turn.press_to_stop(Mode.STOP)
    _end(turn)


def killing(turn: Turn) -> None:
    """K: what is left is killed, by supervision and by the switch."""
    turn.press_to_stop(Mode.KILL)
    _end(turn)


def _end(turn: Turn) -> None:
    s = turn.s
    turn.reason = Reason(s.cause)
    turn.wake_within(s.me.timing.heartbeat_ns // 4)
    if not turn.all_gone():
        return
    if turn.reason in (Reason.SUPERSEDED, Reason.EPOCH_LOST):
        turn.drop()
    else:
        turn.release(s.cause, "")


def detached(turn: Turn) -> None:
    """Maintenance of all: nobody acts. Ends when enabled again, or when somebody was put in our place."""
    s, obs = turn.s, turn.obs
    lease = s.lease
    if lease is None:
        return
    turn.reason = Reason.DETACHED
    settled = s.detach_confirmed or obs.guard.epoch is None
    if obs.leave is Leave.ADOPT or (obs.leave is not Leave.NO and settled):
        turn.become(Role.STOPPED)
        return
    if obs.services.mode is not Mode.HANDS_OFF:
        turn.effects.append(Supervise(Mode.HANDS_OFF, lease.epoch))
    elif obs.intent.known and not obs.intent.all_disabled and obs.leave is Leave.NO:
        if obs.services.processes:
            _rearm(turn, lease)
            turn.become(Role.REATTACHING)
            return
        if not obs.services.jobs:
            turn.kill(Reason.DETACHED)  # nothing runs: shut the gate, then release
            return
    if s.detach_confirmed and obs.guard.alive and obs.guard.epoch is not None:
        turn.effects.append(Disarm(lease.epoch, detached=True))
    _stay_armed(turn, lease)
    renew(turn)


def _stay_armed(turn: Turn, lease: Lease) -> None:
    """Armed while the record says `detached` and no `held` was issued since: the epoch cannot expire."""
    guard = turn.obs.guard
    if guard.epoch != lease.epoch or lease.held_issued or turn.s.detach_confirmed or turn.s.round is not None:
        return
    if elapsed_for_holder_ns(lease.issued, turn.now) >= turn.s.me.timing.heartbeat_ns:
        turn.s.lease = lease._replace(issued=turn.now)
        turn.remember()
        turn.effects.append(Arm(lease.epoch, turn.now))


def _rearm(turn: Turn, lease: Lease) -> None:
    """Take `detached` out of /run/acmd first, then arm: a daemon that dies in between must not trust it."""
    s = turn.s
    s.detach_confirmed = False
    s.lease = lease._replace(detached=False, held_issued=False, issued=turn.now)
    turn.remember()
    turn.effects.append(Arm(lease.epoch, turn.now))


def reattaching(turn: Turn) -> None:
    """Armed first; then the own `detached` record is read; then `held` is written, by ordinary rounds."""
    s, obs = turn.s, turn.obs
    lease = s.lease
    if lease is None:
        return
    turn.reason = Reason.REATTACHING
    if obs.leave is Leave.ADOPT:
        _hand_over(turn)
        return
    if not lease.held_issued:
        if obs.leave is Leave.RELEASE:
            turn.demote(Reason.STOPPING)
            return
        if wants_detached(turn):
            turn.become(Role.DETACHED)  # by a `detached` that is acknowledged anew
            return
    if obs.guard.alive and obs.guard.epoch == lease.epoch:
        _stay_armed(turn, lease)
        renew(turn)
        return
    turn.reason = Reason.REATTACHING if obs.guard.alive else Reason.GUARD_MISSING
    turn.wake_within(s.me.timing.heartbeat_ns // 4)
    if not lease.held_issued:
        _rearm(turn, lease)


__all__ = ["Exit", "active", "demoting", "detached", "giving_up", "killing", "promoting", "reattaching"]
