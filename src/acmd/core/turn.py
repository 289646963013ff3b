"""One decision in the making: the cloned state, what is known, and the effects so far."""

from __future__ import annotations

from acmd.core.calls import Call, Kind
from acmd.core.decision import (
    CloseGate,
    Decision,
    Disarm,
    Effect,
    Erase,
    Issue,
    NoteEpoch,
    Reason,
    Remember,
    ShutGate,
    Supervise,
)
from acmd.core.lease import LeaseState, Record, encode
from acmd.core.observation import Gate, Mode, Observation
from acmd.core.state import Lease, Release, Role, State, check_transition
from acmd.core.timing import NS_PER_MS, Instant


class Turn:
    """Collects what a decision comes to. Lives for one call of `decide`."""

    __slots__ = ("cycle_done", "effects", "notes", "now", "obs", "reason", "s", "wake_ns")

    def __init__(self, state: State, obs: Observation, now: Instant) -> None:
        self.s = state.clone()
        self.obs = obs
        self.now = now
        self.effects: list[Effect] = []
        self.notes: list[Effect] = []  # performed last: a full disk keeps nothing else from being done
        self.reason = Reason.NONE
        self.wake_ns = state.me.timing.heartbeat_ns
        self.cycle_done = False  # a passive node's round of observation was completed in this turn

    def decision(self) -> Decision:
        """What it came to."""
        effects = (*self.effects, *self.notes)
        return Decision(self.s, effects, self.wake_ns if self.wake_ns > 0 else 0, self.reason)

    def wake_within(self, duration_ns: int) -> None:
        """Decide again after this time at the latest."""
        if duration_ns < self.wake_ns:
            self.wake_ns = duration_ns

    def become(self, role: Role) -> None:
        """Change the role. Outcomes of calls made in the old one no longer count for the new one."""
        check_transition(self.s.role, role)
        self.s.role = role
        self.s.role_since = self.now
        self.s.round = None
        self.s.void_before = self.s.calls_made
        self.s.cycle_began = None
        self.s.guard_lost_since = None  # one epoch's lost switch says nothing about the next one

    def issue(
        self,
        kind: Kind,
        epoch: int = -1,
        raw: bytes = b"",
        attempt: str = "",
        inode: int = 0,
        sequence: int = -1,
    ) -> Call:
        """Ask for a storage call."""
        call = Call(self.s.calls_made, kind, epoch, raw, attempt, inode, sequence)
        self.s.calls_made += 1
        if kind is Kind.LIST or kind is Kind.READ:
            self.s.look = call
        elif kind is Kind.RELEASE:
            self.s.release_call = call
        else:
            self.s.write = call
        self.effects.append(Issue(call))
        return call

    def see_epochs(self, epochs: tuple[int, ...]) -> None:
        """Remember the highest epoch for ever: an older directory is then known as such.

        A claim of mine that is still under way can only fail once its name is taken.
        """
        flying = self.s.link_in_flight
        if flying is not None and epochs and epochs[-1] >= flying.epoch:
            self.s.link_in_flight = None
        if epochs and epochs[-1] > self.s.highest_epoch:
            self.s.highest_epoch = epochs[-1]
            self.notes.append(NoteEpoch(epochs[-1]))

    def remember(self) -> None:
        """Keep the lease for an adopting daemon."""
        if self.s.lease is not None:
            self.effects.append(Remember(self.s.lease, self.s.adopted))

    def record_of(self, lease: Lease, sequence: int, state: LeaseState, reason: str, successor: str) -> bytes:
        """The next record of the own epoch, as bytes."""
        me = self.s.me
        return encode(
            Record(
                cluster_id=me.cluster_id,
                epoch=lease.epoch,
                sequence=sequence,
                holder=me.node,
                incarnation=lease.incarnation,
                attempt=lease.attempt,
                machine_id=me.machine_id,
                boot_id=me.boot_id,
                duration_ms=me.timing.lease_duration_ns // NS_PER_MS,
                state=state,
                reason=reason,
                successor=successor,
                unfenced=lease.unfenced,
                address=me.address,
                written_at=max(0, self.obs.wall_time),
                claimed_at=lease.claimed_at,
            )
        )

    # -- the ways out of an epoch ------------------------------------------------------------------

    def give_up(self, cause: Reason, successor: str = "") -> None:
        """Stop the services on purpose, renewing all the while, then release."""
        self.s.cause = cause
        self.s.successor = successor
        self.become(Role.GIVING_UP)
        self._ask_to_stop(Mode.STOP)

    def demote(self, cause: Reason = Reason.RENEW_DEADLINE) -> None:
        """R has passed: irrevocable for this epoch. Graceful stop; nothing is renewed any more."""
        self.s.cause = cause
        self.become(Role.DEMOTING)
        self._ask_to_stop(Mode.STOP)

    def kill(self, cause: Reason) -> None:
        """Straight to K."""
        self.s.cause = cause
        self.become(Role.KILLING)
        self._ask_to_stop(Mode.KILL)

    def _ask_to_stop(self, mode: Mode) -> None:
        lease = self.s.lease
        if lease is None:
            return
        self.effects.append(CloseGate(lease.epoch) if mode is Mode.STOP else ShutGate(lease.epoch))
        self.effects.append(Supervise(mode, lease.epoch))

    def press_to_stop(self, mode: Mode) -> None:
        """Ask again for what does not show yet."""
        lease, guard, services = self.s.lease, self.obs.guard, self.obs.services
        if lease is None:
            return
        if guard.alive and guard.gate is not Gate.SHUT and (mode is Mode.KILL or guard.gate is Gate.OPEN):
            self.effects.append(CloseGate(lease.epoch) if mode is Mode.STOP else ShutGate(lease.epoch))
        if services.epoch != lease.epoch or services.mode is not mode:
            self.effects.append(Supervise(mode, lease.epoch))

    def all_gone(self) -> bool:
        """Whether this epoch's services are gone for good, by supervision's word *and* the switch's.

        Asks the switch to end the epoch meanwhile: it refuses until it has seen the same by itself.
        Once ended there, the epoch is never armed again, not even by a request still under way.
        """
        lease, guard, services = self.s.lease, self.obs.guard, self.obs.services
        if lease is None or services.epoch != lease.epoch or services.mode not in (Mode.STOP, Mode.KILL):
            return False
        if not services.gone or not guard.alive:
            return False  # a switch that died may have left the gate open: its successor's word is needed
        if guard.epoch is not None or guard.ended < lease.epoch:
            self.effects.append(Disarm(lease.epoch))
            return False
        return guard.gate is Gate.SHUT and guard.clean

    def release(self, reason: str, successor: str) -> None:
        """Erase the epoch, then write `released`: from the erasing on it is over for this node."""
        lease = self.s.lease
        if lease is None:
            return
        raw = self.record_of(lease, lease.sequence + 1, LeaseState.RELEASED, reason, successor)
        self.s.release = Release(lease, raw, reason, successor)
        self.s.lease = None
        self.s.standing = reason
        self.become(Role.PASSIVE)
        self.write_release()

    def write_release(self) -> None:
        """Issue the release; also over an outstanding write, since no order of landing harms any more."""
        release = self.s.release
        if release is None:
            return
        self.effects.append(Erase(release.lease.epoch))
        if self.s.release_call is not None:
            return  # an earlier one is under way; this one follows once it has returned
        lease = release.lease
        self.issue(Kind.RELEASE, lease.epoch, release.raw, inode=lease.inode, sequence=lease.sequence + 1)

    def drop(self) -> None:
        """End an epoch that is not mine to write into any more (superseded, lost)."""
        lease = self.s.lease
        if lease is None:
            return
        self.effects.append(Erase(lease.epoch))
        self.s.lease = None
        self.s.standing = self.s.cause
        self.become(Role.PASSIVE)

    # -- what the operator or the node's own condition asks for ------------------------------------

    def fit_peer(self, target: str = "") -> str:
        """The named peer, or the first by name, that could take over; "" when there is none."""
        names = sorted(p.node for p in self.obs.peers if p.fit and p.heard and not p.disabled)
        if target:
            return target if target in names else ""
        return names[0] if names else ""

    def hold_down(self) -> None:
        """Stay out of elections for a while, twice as long each time."""
        me = self.s.me
        self.s.failures += 1
        doubled = me.hold_down_ns << min(self.s.failures - 1, 20)
        self.s.hold_down_ns = min(doubled, me.longest_hold_down_ns)
        self.s.hold_down_since = self.now
