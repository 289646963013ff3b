"""`decide(state, observation, now)`: the whole protocol of one node, as a pure function.

A decision first lets the clock speak (R and K need no news), then takes in what storage calls
came to, then does what the role asks for. Each role has one function below.
"""

from __future__ import annotations

from typing import Callable

from acmd.core import claiming, holding, observing, renewal
from acmd.core.calls import Fault, Kind
from acmd.core.decision import Decision, Disarm, Exit, Reason, Remember, ShutGate, Supervise
from acmd.core.lease import LeaseState
from acmd.core.observation import Gate, Leave, Mode, Observation, Outcome
from acmd.core.state import Role, State
from acmd.core.timing import Instant, elapsed_for_holder_ns
from acmd.core.turn import Turn
from acmd.errors import IllegalTransition

RENEWING = frozenset({Role.PROMOTING, Role.ACTIVE, Role.GIVING_UP, Role.REATTACHING})
ROLES_A_TURN = 6
HOLDING = RENEWING | {Role.DETACHED}


def decide(state: State, obs: Observation, now: Instant) -> Decision:
    """The next state of this node, and what is to be done, in order.

    Pure: neither argument is changed. Raises IllegalTransition on a bug. Calling it again with
    an unchanged world does nothing but ask again for effects that do not show yet.
    """
    turn = Turn(state, obs, now)
    _deadlines(turn)
    for outcome in obs.outcomes:
        _absorb(turn, outcome)
    for _ in range(ROLES_A_TURN):  # a change of role is acted on at once
        role = turn.s.role
        HANDLERS[role](turn)
        if role is turn.s.role:
            return turn.decision()
    raise IllegalTransition(f"{state.role} -> {turn.s.role} finds no rest")  # pragma: no cover - a bug


def _deadlines(turn: Turn) -> None:
    """R and K, before anything else: what is processed after R extends nothing."""
    s = turn.s
    lease, claim = s.lease, s.claim
    if claim is not None:
        if elapsed_for_holder_ns(claim.issued, turn.now) >= s.me.timing.renew_deadline_ns:
            claiming.give_up_claim(turn)
        return
    if lease is None or not lease.held_issued or (s.role not in RENEWING and s.role is not Role.DEMOTING):
        return
    timing = s.me.timing
    elapsed_ns = elapsed_for_holder_ns(lease.issued, turn.now)
    if elapsed_ns >= timing.kill_deadline_ns:
        turn.kill(Reason.KILL_DEADLINE)
    elif elapsed_ns >= timing.renew_deadline_ns:
        if s.role is not Role.DEMOTING:
            turn.demote()
        turn.wake_within(timing.kill_deadline_ns - elapsed_ns)
    else:
        turn.wake_within(timing.renew_deadline_ns - elapsed_ns)


def _absorb(turn: Turn, outcome: Outcome) -> None:
    """Hand a storage call's outcome to those who asked for it, if they still hold the same role."""
    s = turn.s
    call = outcome.call
    current = call.number >= s.void_before
    if call.kind is Kind.LIST or call.kind is Kind.READ:
        if s.look is None or s.look.number != call.number:
            return
        s.look = None
        if not current:
            return
        if s.role in HOLDING:
            renewal.on_look(turn, outcome)
        elif s.role is Role.CLAIMING:
            claiming.on_look(turn, outcome)
        elif s.role is Role.PASSIVE:
            observing.on_look(turn, outcome)
    elif call.kind is Kind.RELEASE:
        if s.release_call is not None and s.release_call.number == call.number:
            s.release_call = None
    else:
        if s.write is not None and s.write.number == call.number:
            s.write = None
        if s.link_in_flight is not None and s.link_in_flight.number == call.number:
            s.link_in_flight = None
        if call.kind is Kind.LINK:
            claiming.on_link(turn, outcome)
        else:
            renewal.on_write(turn, outcome)


# -- one function for each role -------------------------------------------------------------------


def _starting(turn: Turn) -> None:
    """Adopt what the daemon before this one held, if there is time left for it."""
    s, remembered = turn.s, turn.obs.remembered
    if remembered is None or remembered.boot_id != s.me.boot_id:
        turn.become(Role.PASSIVE)
        return
    lease = remembered.lease._replace(raw=b"", look_first=True)
    s.lease = lease
    s.adopted = remembered.restarts + 1
    s.highest_epoch = max(s.highest_epoch, lease.epoch)
    s.fence_since = turn.now
    if lease.detached:
        turn.become(Role.DETACHED)
        return
    elapsed_ns = elapsed_for_holder_ns(lease.issued, turn.now)
    if elapsed_ns >= s.me.timing.renew_deadline_ns:
        turn.kill(Reason.RENEW_DEADLINE)  # too late: the switch acts, and this node helps it
        return
    turn.effects.append(Remember(lease, s.adopted))
    if s.adopted > s.me.adoption_limit:
        turn.hold_down()
        turn.give_up(Reason.CRASH_LOOP, turn.fit_peer())
    elif not lease.held_issued:
        turn.become(Role.REATTACHING)
    else:
        turn.become(Role.PROMOTING)
        turn.reason = Reason.ADOPTED


def _passive(turn: Turn) -> None:
    s, obs = turn.s, turn.obs
    if _leaving(turn):
        return
    _keep_clear(turn)
    _confirm_release(turn)
    if _leaving(turn):
        return
    if turn.cycle_done or s.seen is None:
        turn.reason = claiming.consider(turn)
        s.standing = turn.reason
        if s.role is not Role.PASSIVE:
            return
    else:
        turn.reason = Reason.STORAGE if s.storage_fault else Reason(s.standing)
    observing.observe(turn)
    if obs.leave is not Leave.NO:
        turn.wake_within(s.me.timing.heartbeat_ns // 4)


def _leaving(turn: Turn) -> bool:
    """Told to end: a release under way gets two heartbeats to be read back; the peer needs no W then."""
    s = turn.s
    if turn.obs.leave is Leave.NO:
        return False
    waited_ns = elapsed_for_holder_ns(s.role_since, turn.now)
    if s.release is not None and waited_ns < 2 * s.me.timing.heartbeat_ns:
        return False
    turn.become(Role.STOPPED)
    return True


def _keep_clear(turn: Turn) -> None:
    """Without a lease nothing active-only runs here, and the switch is disarmed with its gate shut."""
    s, obs = turn.s, turn.obs
    if obs.services.mode is None and (obs.intent.all_disabled or not obs.intent.known):
        return  # maintenance of all, or nobody knows yet: what runs stays exactly as it is
    if obs.services.mode not in (Mode.STOP, Mode.KILL):
        turn.effects.append(Supervise(Mode.STOP, -1))
    if obs.guard.alive and obs.guard.gate is Gate.OPEN:
        turn.effects.append(ShutGate(obs.guard.epoch if obs.guard.epoch is not None else s.highest_epoch))
    elif obs.guard.alive and obs.guard.epoch is not None and obs.services.gone:
        turn.effects.append(Disarm(obs.guard.epoch))


def _confirm_release(turn: Turn) -> None:
    """Write `released` again until it was read back or the epoch is history."""
    s = turn.s
    release, seen = s.release, s.seen
    if release is None or not turn.cycle_done or seen is None:
        return
    record = seen.record
    if seen.epoch > release.lease.epoch or (
        record is not None and seen.epoch == release.lease.epoch and record.state is LeaseState.RELEASED
    ):
        s.release = None
    elif seen.epoch == release.lease.epoch and s.release_call is None:
        turn.write_release()


def _claiming(turn: Turn) -> None:
    claiming.claim_on(turn)


def _stopped(turn: Turn) -> None:
    turn.effects.append(Exit())


HANDLERS: dict[Role, Callable[[Turn], None]] = {
    Role.STARTING: _starting,
    Role.PASSIVE: _passive,
    Role.CLAIMING: _claiming,
    Role.PROMOTING: holding.promoting,
    Role.ACTIVE: holding.active,
    Role.GIVING_UP: holding.giving_up,
    Role.DEMOTING: holding.demoting,
    Role.KILLING: holding.killing,
    Role.DETACHED: holding.detached,
    Role.REATTACHING: holding.reattaching,
    Role.STOPPED: _stopped,
}

__all__ = ["Fault", "decide"]
