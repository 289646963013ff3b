"""'Maintenance': enabled again, and the own `detached` record after a reboot."""

from __future__ import annotations

from typing import Any

import pytest

from acmd.core.calls import Fault, Kind
from acmd.core.decision import Arm, Disarm, Erase, Exit, Reason, Remember
from acmd.core.lease import LeaseState
from acmd.core.observation import GuardView, Intent, Leave, Mode
from acmd.core.state import Role
from tests.unit.core_kit import (
    EPOCH,
    GONE,
    HANDS_OFF,
    INTENT_ALL_DISABLED,
    LEFT_ALONE,
    Node,
    armed,
    at,
    detached,
    disarmed,
    failed,
    first,
    gone,
    has,
    kinds,
    modes,
    raw,
    watcher,
)

# -- the own `detached`, after a reboot ---------------------------------------------------------------

MINE = raw(EPOCH, "a", state=LeaseState.DETACHED, boot_id="boot-before", unfenced=("c",))


def rebooted(**world: Any) -> Node:
    """A node that finds its own `detached` record, and nothing in /run/acmd/."""
    return watcher(MINE, **{"intent": INTENT_ALL_DISABLED, **world})


def test_the_way_back_in_its_order() -> None:
    """'takes `detached` out of `/run/acmd/`, arms ..., then reads its own ..., then writes `held`'."""
    node = detached(intent=Intent())
    effects = node.turn(1).effects
    assert node.role() is Role.REATTACHING
    assert 0 <= first(effects, Remember) < first(effects, Arm)
    remembered = effects[first(effects, Remember)]
    assert isinstance(remembered, Remember)
    assert (remembered.lease.detached, remembered.lease.held_issued) == (False, False)
    assert kinds(effects) == []
    effects = node.settle(1.2, guard=armed(issued=1))
    assert kinds(effects) == [Kind.LIST, Kind.READ, Kind.WRITE, Kind.READ]
    assert (node.role(), node.written().state) == (Role.ACTIVE, LeaseState.HELD)
    assert Mode.RUN in modes(effects)


def test_rearms_until_the_switch_is_seen_armed() -> None:
    """No `held` was issued: the epoch cannot expire, and the deadline is counted anew each time."""
    node = detached(intent=Intent())
    node.turn(1)
    effects = node.turn(30).effects
    assert has(effects, Arm(EPOCH, at(30)))
    assert node.role() is Role.REATTACHING
    assert node.turn(31, guard=GuardView()).reason is Reason.GUARD_MISSING


def test_while_the_read_shows_detached_the_deadline_counts_from_it() -> None:
    """'unless that read, begun after re-arming, still shows `detached`'."""
    node = detached(intent=Intent())
    node.turn(1)
    node.turn(1.2, guard=armed(issued=1))
    for kind in (Kind.LIST, Kind.READ):
        node.turn(1.2, node.honest(node.take(kind), 1.2))
    node.turn(1.3, failed(node.take(Kind.WRITE), 1.3))  # returned with an error: not outstanding
    assert node.state.lease is not None
    assert (node.state.lease.held_issued, node.state.lease.issued) == (True, at(1.2))
    node.turn(2.2)
    node.turn(2.2, node.honest(node.take(Kind.LIST), 2.2))
    effects = node.turn(2.2, node.honest(node.take(Kind.READ), 2.2)).effects
    assert has(effects, Arm(EPOCH, at(2.2)))
    assert kinds(effects) == [Kind.WRITE]


def test_a_retry_counts_from_the_first_held() -> None:
    """Once `held` may be on disk an observer may count: R from its issue, whatever is not known."""
    node = detached(intent=Intent())
    node.turn(1)
    node.turn(1.2, guard=armed(issued=1))
    for kind in (Kind.LIST, Kind.READ):
        node.turn(1.2, node.honest(node.take(kind), 1.2))
    write = node.take(Kind.WRITE)
    node.settle(3.2, failed(write, 3.2, Fault.TIMEOUT))
    node.settle(5)
    assert node.role() is Role.REATTACHING
    node.disk[EPOCH] = write.raw
    node.turn(7.2)
    assert node.role() is Role.DEMOTING


def test_held_read_back_in_the_next_round() -> None:
    """The first `held` landed after its call was given up: the next round goes on from there."""
    node = detached(intent=Intent())
    node.turn(1)
    node.turn(1.2, guard=armed(issued=1))
    for kind in (Kind.LIST, Kind.READ):
        node.turn(1.2, node.honest(node.take(kind), 1.2))
    write = node.take(Kind.WRITE)
    node.honest(write, 1.2)
    node.settle(2.2, failed(write, 2.2, Fault.WORKER_LOST))
    assert (node.role(), node.written().sequence) == (Role.ACTIVE, 5)


def test_with_the_switch_armed_and_no_storage_it_stays_armed() -> None:
    """While no `held` was issued the epoch cannot expire: the deadline moves with the heartbeat."""
    node = detached(intent=Intent())
    node.turn(1)
    for t in range(2, 40):
        effects = node.turn(t, guard=armed(issued=t - 1)).effects
        assert has(effects, Arm(EPOCH, at(t)))
        while node.pending:
            node.turn(t, failed(node.pending.pop(0), t, Fault.TIMEOUT))
    assert node.role() is Role.REATTACHING


def test_the_stop_of_a_daemon_on_its_way_back() -> None:
    """'Stopping the daemon ... when not detached releases first', with or without a storage."""
    node = detached(intent=Intent())
    node.turn(1)
    node.turn(1.5, leave=Leave.RELEASE, guard=armed(issued=1))
    assert node.role() is Role.DEMOTING
    node.settle(2, services=gone(), guard=disarmed())
    assert node.written().state is LeaseState.RELEASED


def test_a_restart_on_the_way_back() -> None:
    """It exits for adoption in the middle of a re-attachment."""
    node = detached(intent=Intent())
    node.turn(1)
    assert Exit() in node.turn(1.1, leave=Leave.ADOPT).effects


@pytest.mark.parametrize("world", [{"intent": INTENT_ALL_DISABLED}, {"leave": Leave.DETACH}], ids=str)
def test_disabled_again_on_the_way_back(world: dict[str, Any]) -> None:
    """Before any `held`: back to detached, disarmed only by a `detached` that is acknowledged anew."""
    node = detached(intent=Intent())
    node.turn(1)
    effects = node.turn(1.5, guard=armed(issued=1), **world).effects
    assert node.role() is Role.DETACHED
    assert (first(effects, Disarm), first(effects, Exit)) == (-1, -1)
    while node.pending:
        effects += node.turn(1.5, node.honest(node.pending.pop(0), 1.5)).effects
    assert has(effects, Disarm(EPOCH, detached=True))
    assert node.written().sequence == 4


def test_enabled_again_with_nothing_running_releases() -> None:
    """'A holder that finds its own `detached` with nothing running ... writes `released`'."""
    idle = HANDS_OFF._replace(processes=False)
    node = detached(intent=Intent(), services=idle)
    node.turn(1)
    assert (node.role(), node.state.cause) == (Role.KILLING, Reason.DETACHED)
    node.settle(2, services=gone(mode=Mode.KILL), guard=disarmed())
    assert node.written().state is LeaseState.RELEASED


def test_what_is_about_to_start_is_waited_for() -> None:
    """Neither re-attached nor killed while the service manager has a job for it."""
    node = detached(intent=Intent(), services=HANDS_OFF._replace(processes=False, jobs=True))
    node.turn(1)
    assert node.role() is Role.DETACHED
    node.turn(2, services=HANDS_OFF)
    assert node.role() is Role.REATTACHING


def test_the_own_detached_with_nothing_running_is_released() -> None:
    """'A holder on the same machine id whose boot id changed has nothing running and releases'."""
    node = rebooted()
    effects = node.settle(0)
    assert first(effects, Erase) >= 0
    written = node.written()
    assert (written.state, written.sequence, written.unfenced) == (LeaseState.RELEASED, 4, ("c",))
    assert node.role() is Role.PASSIVE


def test_it_is_written_again_until_it_is_read_back() -> None:
    """'writes `released`, again until it is read back', each time the same bytes."""
    node = rebooted()
    writes: list[bytes] = []
    for t in range(3):
        node.turn(t, wall_time=t)
        while node.pending:
            call = node.pending.pop(0)
            if call.kind is Kind.RELEASE:
                writes.append(call.raw)
                node.turn(t, failed(call, t))
            else:
                node.turn(t, node.honest(call, t))
    assert len(writes) == 3
    assert len(set(writes)) == 1
    node.settle(3)
    node.settle(4)
    assert node.state.release is None


@pytest.mark.parametrize(
    "world",
    [
        {"services": GONE._replace(processes=True)},
        {"services": GONE._replace(drained=False)},
        {"guard": armed()},
        {"guard": LEFT_ALONE},
    ],
    ids=["alive", "undrained", "armed", "open"],
)
def test_not_while_something_runs_here(world: dict[str, Any]) -> None:
    """Only 'with nothing running', by both sights."""
    node = rebooted(**world)
    assert Kind.RELEASE not in kinds(node.settle(0))


@pytest.mark.parametrize(
    "found",
    [
        raw(EPOCH, "a", state=LeaseState.DETACHED, machine_id="another"),
        raw(EPOCH, "b", state=LeaseState.DETACHED),
        raw(EPOCH, "a", boot_id="boot-before"),
    ],
    ids=["other-machine", "other-node", "held"],
)
def test_nothing_else_is_released(found: bytes) -> None:
    """Another machine's, another node's, or an own `held` of an earlier boot (that one ends by W)."""
    node = watcher(found, intent=INTENT_ALL_DISABLED)
    assert Kind.RELEASE not in kinds(node.settle(0))
