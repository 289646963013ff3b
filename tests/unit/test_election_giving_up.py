"""'Giving up on purpose', demoting and killing, and what follows in passive."""

from __future__ import annotations

from typing import Any

import pytest

from acmd.core.calls import Fault, Kind
from acmd.core.decision import CloseGate, Disarm, Erase, Exit, Issue, Reason, ShutGate
from acmd.core.lease import LeaseState
from acmd.core.observation import Gate, GuardView, Intent, Leave, Mode, Peer
from acmd.core.state import Role
from acmd.core.timing import NS_PER_S
from tests.unit.core_kit import (
    CLOSING,
    EPOCH,
    GONE,
    READY,
    SHUT,
    armed,
    disarmed,
    failed,
    first,
    gone,
    has,
    holder,
    kinds,
    lease,
    modes,
    raw,
    running,
    watcher,
)

# -- passive: clear, and leaving --------------------------------------------------------------------


def test_renews_while_the_services_stop() -> None:
    """A stop may take longer than R: the lease is kept meanwhile."""
    node = holder(intent=Intent(disabled_here=True))
    node.turn(0.5)
    node.obs = node.obs._replace(guard=CLOSING)
    for t in range(1, 20):
        node.settle(t, services=running(mode=Mode.STOP))
        assert node.role() is Role.GIVING_UP
    assert node.written().state is LeaseState.HELD
    assert node.written().sequence > 15


def test_a_stop_that_never_ends_is_not_renewed_for_ever() -> None:
    """After its limit R and K come, and the last resort: the peer must get its turn."""
    node = holder(intent=Intent(disabled_here=True))
    node.turn(0.5)
    node.obs = node.obs._replace(guard=CLOSING)
    t = 1
    while node.role() is not Role.KILLING:
        node.settle(t, services=running(mode=Mode.STOP))
        t += 1
        assert t < 140


@pytest.mark.parametrize(
    ("services", "guard"),
    [
        (gone()._replace(processes=True), disarmed()),
        (gone()._replace(jobs=True), disarmed()),
        (gone()._replace(drained=False), disarmed()),
        (gone(6), disarmed()),
        (gone(mode=Mode.RUN), disarmed()),
        (gone(), CLOSING),
        (gone(), disarmed()._replace(clean=False)),
        (gone(), disarmed()._replace(gate=Gate.CLOSING)),
        (gone(), disarmed(6)),
    ],
    ids=["processes", "jobs", "undrained", "old-view", "still-run", "armed", "unclean", "gate", "not-ended"],
)
@pytest.mark.parametrize("role", [Role.GIVING_UP, Role.DEMOTING, Role.KILLING])
def test_nothing_is_released_before_all_is_gone(role: Role, services: Any, guard: GuardView) -> None:
    """'**observe** the cgroups empty and the file systems synced; erase ...; then write `released`'."""
    node = holder(role, services=services, guard=guard)
    node.state.cause = Reason.STOPPING
    effects = node.settle(1)
    assert node.role() is role
    assert first(effects, Erase) == -1
    assert Kind.RELEASE not in kinds(effects)


def test_disarm_is_asked_for_only_when_supervision_says_gone() -> None:
    """The switch has the last word on that; it is asked first."""
    node = holder(Role.GIVING_UP, services=running(mode=Mode.STOP), guard=CLOSING)
    node.state.cause = Reason.STOPPING
    assert first(node.turn(1).effects, Disarm) == -1
    assert has(node.turn(1.1, services=gone()).effects, Disarm(EPOCH))


@pytest.mark.parametrize("role", [Role.GIVING_UP, Role.DEMOTING, Role.KILLING])
def test_the_epoch_is_erased_before_the_release_is_issued(role: Role) -> None:
    """'erase the epoch from `/run/acmd/` (atomic); then write `released` with reason and successor'."""
    node = holder(role)
    node.state.cause, node.state.successor = Reason.DISABLED, "b"
    mode = Mode.KILL if role is Role.KILLING else Mode.STOP
    effects = node.turn(1, services=gone(mode=mode), guard=disarmed()).effects
    assert (node.role(), node.state.lease) == (Role.PASSIVE, None)
    assert [type(effect) for effect in effects[:2]] == [Erase, Issue]
    node.settle(1, node.honest(node.take(Kind.RELEASE), 1))
    released = node.written()
    assert (released.state, released.sequence, released.reason) == (LeaseState.RELEASED, 4, Reason.DISABLED)
    assert released.successor == ("b" if role is Role.GIVING_UP else "")


def test_without_a_living_switch_nothing_is_released() -> None:
    """A switch that died may have left the gate open: only its successor's word tells that all is gone."""
    node = holder(Role.GIVING_UP, services=gone(), guard=GuardView())
    node.state.cause = Reason.GUARD_LOST
    assert Kind.RELEASE not in kinds(node.settle(1))
    assert Kind.RELEASE in kinds(node.turn(1.5, guard=disarmed()).effects)


def test_released_may_be_issued_over_an_outstanding_write() -> None:
    """'`released` alone may be issued over an outstanding write', with a sequence above it."""
    node = holder(Role.DEMOTING, mine=lease(sequence=4, outstanding=4), services=gone(), guard=disarmed())
    node.state.cause = Reason.RENEW_DEADLINE
    node.settle(7)
    assert (node.written().state, node.written().sequence) == (LeaseState.RELEASED, 5)


def test_a_release_is_written_again_until_it_is_read_back() -> None:
    """Whatever its outcome said: W is spared only by a record that is there."""
    node = holder(Role.GIVING_UP, services=gone(), guard=disarmed(), intent=Intent(disabled_here=True))
    node.state.cause = Reason.DISABLED
    node.turn(1)
    release = node.take(Kind.RELEASE)
    assert Kind.RELEASE not in kinds(node.settle(1))
    node.settle(1.5, failed(release, 1.5, Fault.TIMEOUT))
    effects = node.settle(2)
    assert kinds(effects) == [Kind.LIST, Kind.READ, Kind.RELEASE]
    assert node.written().state is LeaseState.RELEASED
    node.settle(3)
    assert node.state.release is None
    assert Kind.RELEASE not in kinds(node.settle(4))


def test_a_release_that_is_history_is_let_go() -> None:
    """A higher epoch makes it pointless."""
    node = holder(Role.GIVING_UP, services=gone(), guard=disarmed(), intent=Intent(disabled_here=True))
    node.state.cause = Reason.DISABLED
    node.turn(1)
    node.turn(1.1, failed(node.take(Kind.RELEASE), 1.1))
    node.disk[8] = raw(8, "b")
    assert Kind.RELEASE not in kinds(node.settle(1.2, node.honest(node.take(Kind.LIST), 1.2)))
    assert node.state.release is None


def test_demoting_asks_again_and_renews_nothing() -> None:
    """'at R it demotes itself': stop, closing, no more rounds."""
    node = holder(Role.DEMOTING)
    node.state.cause = Reason.RENEW_DEADLINE
    effects = node.settle(6.5)
    assert has(effects, CloseGate(EPOCH))
    assert modes(effects) == [Mode.STOP]
    assert kinds(effects) == []
    assert node.turn(6.6, guard=CLOSING, services=running(mode=Mode.STOP)).effects == ()


def test_killing_asks_until_the_gate_is_shut() -> None:
    """'at K what is left is killed': a closing gate is not enough."""
    node = holder(Role.KILLING, guard=CLOSING, services=running(mode=Mode.STOP))
    node.state.cause = Reason.KILL_DEADLINE
    effects = node.turn(9.5).effects
    assert has(effects, ShutGate(EPOCH))
    assert modes(effects) == [Mode.KILL]
    assert node.turn(9.6, guard=SHUT, services=running(mode=Mode.KILL)).effects == ()


def test_strays_without_a_lease_are_stopped() -> None:
    """'strays without a lease are stopped', the gate is shut, a spent switch disarmed."""
    node = watcher(raw(), services=running(), guard=armed())
    effects = node.turn(0).effects
    assert modes(effects) == [Mode.STOP]
    assert has(effects, ShutGate(EPOCH))
    effects = node.turn(0.1, services=GONE, guard=SHUT).effects
    assert has(effects, Disarm(EPOCH))
    effects = node.turn(0.2, guard=READY).effects
    assert (first(effects, ShutGate), first(effects, Disarm), modes(effects)) == (-1, -1, [])


def test_an_open_gate_without_an_epoch_is_shut() -> None:
    """A switch that was detached for an epoch that is over."""
    node = watcher(raw(), guard=READY._replace(gate=Gate.OPEN))
    node.state.highest_epoch = EPOCH
    assert has(node.turn(0).effects, ShutGate(EPOCH))


@pytest.mark.parametrize("peers", [(), (Peer("b", fit=True),)])
def test_a_stop_ends_once_the_release_is_read_back(peers: tuple[Peer, ...]) -> None:
    """'Stopping the daemon ... when not detached releases first': it ends, and never claims again."""
    node = holder(leave=Leave.RELEASE, peers=peers)
    node.settle(1)
    node.settle(2, services=gone(), guard=disarmed())
    t = 2.0
    while node.role() is not Role.STOPPED:
        t += 0.25
        assert t < 6
        assert node.role() is Role.PASSIVE
        node.settle(t)
    assert node.written().state is LeaseState.RELEASED
    assert max(node.disk) == EPOCH


def test_a_stop_does_not_wait_for_a_storage_that_is_gone() -> None:
    """A release that cannot be read back is waited for two heartbeats: the peer has W."""
    node = holder(Role.GIVING_UP, leave=Leave.RELEASE, services=gone(), guard=disarmed())
    node.state.cause = Reason.STOPPING
    node.turn(1)
    decision = node.turn(2.9)
    assert node.role() is Role.PASSIVE
    assert decision.wake_in_ns <= 0.25 * NS_PER_S
    assert node.turn(3).effects[-1] == Exit()
