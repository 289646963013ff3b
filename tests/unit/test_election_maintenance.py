"""'Maintenance': detached while all are disabled, and the way back."""

from __future__ import annotations

from typing import Any

import pytest

from acmd.core.calls import Fault, Kind
from acmd.core.decision import CloseGate, Disarm, Effect, Exit, Issue, Reason, Remember, Supervise
from acmd.core.lease import LeaseState
from acmd.core.observation import Intent, Leave, Mode, Observation
from acmd.core.state import Role
from tests.unit.core_kit import (
    EPOCH,
    INTENT_ALL_DISABLED,
    LEFT_ALONE,
    Node,
    armed,
    detached,
    failed,
    first,
    has,
    holder,
    kinds,
    modes,
    raw,
    running,
    watcher,
)

# -- into it ----------------------------------------------------------------------------------------


def test_disarms_once_detached_is_acknowledged_and_not_before() -> None:
    """'once that is acknowledged (read-back included), and not before, it disarms the switch'."""
    node = holder(intent=INTENT_ALL_DISABLED)
    effects: list[Effect] = []
    node.turn(1)
    for kind in (Kind.LIST, Kind.WRITE):
        effects += node.turn(1, node.honest(node.take(kind), 1)).effects
    assert node.written().state is LeaseState.DETACHED
    assert (first(tuple(effects), Disarm), Mode.HANDS_OFF in modes(tuple(effects))) == (-1, False)
    last = node.turn(1, node.honest(node.take(Kind.READ), 1)).effects
    assert node.role() is Role.DETACHED
    assert 0 <= first(last, Remember) < first(last, Disarm)
    assert has(last, Disarm(EPOCH, detached=True))
    assert Supervise(Mode.HANDS_OFF, EPOCH) in last
    remembered = last[first(last, Remember)]
    assert isinstance(remembered, Remember)
    assert (remembered.lease.detached, remembered.lease.held_issued) == (True, False)


def test_acmd_detach_keeps_the_services_and_ends() -> None:
    """'`acmd detach` stops it and keeps the services'."""
    node = holder(leave=Leave.DETACH)
    effects = node.settle(1)
    assert node.role() is Role.STOPPED
    assert Mode.STOP not in modes(effects)
    assert first(effects, Disarm) < first(effects, Exit)
    assert node.written().state is LeaseState.DETACHED


def test_until_it_is_acknowledged_r_counts() -> None:
    """A `detached` whose outcome nobody knows extends nothing and disarms nothing."""
    node = holder(intent=INTENT_ALL_DISABLED)
    node.turn(1)
    node.turn(1, node.honest(node.take(Kind.LIST), 1))
    node.settle(3, failed(node.take(Kind.WRITE), 3, Fault.TIMEOUT))
    node.settle(6)
    assert (node.role(), node.state.detach_confirmed) == (Role.DEMOTING, False)


def test_enabled_again_before_the_acknowledgement() -> None:
    """A `detached` that landed unseen is followed by `held` as if by any other record."""
    node = holder(intent=INTENT_ALL_DISABLED)
    node.turn(1)
    node.turn(1, node.honest(node.take(Kind.LIST), 1))
    write = node.take(Kind.WRITE)
    node.honest(write, 1)
    node.turn(1.5, failed(write, 1.5, Fault.WORKER_LOST), intent=Intent())
    node.settle(2)
    assert (node.role(), node.written().state, node.written().sequence) == (Role.ACTIVE, LeaseState.HELD, 5)


# -- in it ------------------------------------------------------------------------------------------


def test_nobody_acts_however_long_the_storage_is_gone() -> None:
    """'even when daemons are stopped, ... or the storage is gone for an hour'."""
    node = detached()
    effects: list[Effect] = []
    for t in range(1, 3600, 30):
        effects += node.turn(t).effects
        while node.pending:
            effects += node.turn(t, failed(node.pending.pop(0), t, Fault.TIMEOUT)).effects
    assert node.role() is Role.DETACHED
    assert {type(effect) for effect in effects} == {Issue}
    assert set(kinds(tuple(effects))) == {Kind.LIST}


@pytest.mark.parametrize("confirmed", [True, False])
def test_other_storage_mounted_meanwhile_kills_nothing(*, confirmed: bool) -> None:
    """'services stay exactly as they are': another `cluster.json` is somebody's work."""
    node = detached(guard=LEFT_ALONE if confirmed else armed())
    node.state.detach_confirmed = confirmed
    node.cluster_file = b"another volume"
    node.settle(1)
    node.cluster_file = b""
    node.disk.clear()
    node.settle(2)
    assert node.role() is Role.DETACHED


def test_a_detached_epoch_is_not_renewed() -> None:
    """There is nothing to renew: only whether somebody was put in its place is looked for."""
    node = detached()
    assert kinds(node.settle(1)) == [Kind.LIST]


def test_somebody_was_put_in_its_place() -> None:
    """After `--holder-is-dead` on another node a holder that was not dead ends what runs here."""
    node = detached()
    node.disk[8] = raw(8, "b")
    effects = node.settle(1)
    assert (node.role(), node.state.cause) == (Role.KILLING, Reason.SUPERSEDED)
    assert Mode.KILL in modes(effects)


@pytest.mark.parametrize("leave", [Leave.RELEASE, Leave.ADOPT, Leave.DETACH])
def test_the_daemon_may_be_stopped(leave: Leave) -> None:
    """'even when daemons are stopped': nothing of the services is touched."""
    node = detached(leave=leave)
    assert node.turn(1).effects == (Exit(),)


def test_supervision_and_switch_are_asked_again() -> None:
    """What an acknowledged `detached` asked for is level-triggered as well."""
    node = detached(guard=armed(), services=running())
    effects = node.turn(1).effects
    assert has(effects, Disarm(EPOCH, detached=True))
    assert modes(effects) == [Mode.HANDS_OFF]


# -- nobody claims after it --------------------------------------------------------------------------


def test_a_detached_epoch_does_not_expire() -> None:
    """'nobody claims after it, however old'; a fence agent's word does not end it either."""
    node = watcher(raw(state=LeaseState.DETACHED))
    for t in range(0, 3600, 5):
        node.settle(t)
        assert node.turn(t).reason is Reason.DETACHED
    assert node.role() is Role.PASSIVE


@pytest.mark.parametrize(
    ("declared", "claims"),
    [((EPOCH, 60), True), ((EPOCH - 1, 60), False), ((EPOCH, 59), False), (None, False)],
)
def test_an_operator_declares_the_holder_dead(declared: tuple[int, int] | None, *, claims: bool) -> None:
    """'an operator confirms that on another node': for this record of this epoch, and no other.

    A holder that came back, re-attached and was detached again was not declared dead on that record.
    """
    node = watcher(raw(state=LeaseState.DETACHED, sequence=60), intent=Intent(dead_holder=declared))
    node.settle(0)
    assert (node.state.lease is not None) is claims


def test_all_disabled_leaves_a_passive_node_as_it_is() -> None:
    """'services stay exactly as they are', also before the commands could be read."""
    for intent in (INTENT_ALL_DISABLED, Intent(known=False)):
        node = watcher(raw(), intent=intent, services=running()._replace(mode=None), guard=LEFT_ALONE)
        effects = node.settle(0)
        assert {type(effect) for effect in effects} <= {Issue, type(effects[-1])}
        assert (modes(effects), first(effects, CloseGate)) == ([], -1)


# -- the own `detached`, after a reboot ---------------------------------------------------------------

MINE = raw(EPOCH, "a", state=LeaseState.DETACHED, boot_id="boot-before", unfenced=("c",))


def rebooted(**world: Any) -> Node:
    """A node that finds its own `detached` record, and nothing in /run/acmd/."""
    return watcher(MINE, **{"intent": INTENT_ALL_DISABLED, **world})


def test_the_default_observation_is_the_most_careful_one() -> None:
    """What was not observed counts as the worst: something may live, nothing is armed."""
    obs = Observation()
    assert (obs.services.gone, obs.guard.alive, obs.guard.clean) == (False, False, False)


def test_in_an_older_directory_a_dead_holder_ends_nothing_at_once() -> None:
    """A backup that was put back: its records are from before, and whoever held since has W to stop."""
    named = Intent(dead_holder=(EPOCH, 60))
    node = watcher(raw(state=LeaseState.DETACHED, sequence=60), intent=named)
    node.state.highest_epoch = 20
    for t in range(14):
        node.settle(t)
        assert node.role() is Role.PASSIVE
    node.settle(15)
    assert node.state.lease is not None
