"""'Renewing': one round is list, write, read back; only the whole of it extends the lease."""

from __future__ import annotations

from typing import Any

import pytest

from acmd.core.calls import Call, Fault, Kind, ReadBack
from acmd.core.decision import Arm, Issue, Reason, Remember, ShutGate, Supervise
from acmd.core.election import decide
from acmd.core.lease import LeaseState
from acmd.core.observation import Gate, Mode, Outcome
from acmd.core.state import Role
from acmd.core.timing import NS_PER_S, Instant
from tests.unit.core_kit import (
    CLUSTER_FILE,
    EPOCH,
    Node,
    armed,
    at,
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
    until,
)


def issued(node: Node) -> Instant | None:
    """What R and K count from."""
    return node.state.lease.issued if node.state.lease is not None else None


def read_back(call: Call, t: float, data: bytes, inode: int = EPOCH + 100) -> Outcome:
    """An answer to a read that is not what is on disk."""
    return Outcome(call, at(t), at(t), ReadBack(data, inode, CLUSTER_FILE))


def test_a_round_is_list_write_read() -> None:
    """'Note `issued`, then list the directory freshly ... Write the next sequence ... a read begun after'."""
    node = holder()
    effects = node.settle(1)
    assert kinds(effects) == [Kind.LIST, Kind.WRITE, Kind.READ]
    assert (node.written().sequence, node.written().state) == (4, LeaseState.HELD)


def test_only_the_read_back_extends_and_from_the_issue() -> None:
    """'Only *acknowledged* extends, counted from `issued`' (not from the acknowledgement)."""
    node = holder()
    write = until(node, Kind.WRITE, 1)
    assert node.turn(2, node.honest(write, 1.5, 2)).state.role is Role.ACTIVE
    assert issued(node) == at(0)
    decision = node.turn(3, node.honest(node.take(Kind.READ), 2, 3))
    assert issued(node) == at(1)
    assert has(decision.effects, Arm(EPOCH, at(1)))
    assert has(decision.effects, Supervise(Mode.RUN, EPOCH, at(1)))
    assert first(decision.effects, Remember) < first(decision.effects, Arm)


def test_the_sequence_is_remembered_before_it_is_issued() -> None:
    """'it is kept in `/run/acmd/` before it is issued'."""
    node = holder()
    node.turn(1)
    effects = node.turn(1, node.honest(node.take(Kind.LIST), 1)).effects
    assert [type(effect) for effect in effects][:2] == [Remember, Issue]
    assert isinstance(effects[0], Remember)
    assert (effects[0].lease.sequence, effects[0].lease.outstanding) == (4, 4)


def test_rounds_follow_each_other_by_a_heartbeat() -> None:
    """One round each h, counted from the beginning of the last."""
    node = holder()
    node.settle(1)
    decision = node.turn(1.75)
    assert kinds(decision.effects) == []
    assert decision.wake_in_ns == pytest.approx(0.25 * NS_PER_S)
    assert kinds(node.settle(2)) == [Kind.LIST, Kind.WRITE, Kind.READ]
    assert node.written().sequence == 5


@pytest.mark.parametrize("role", [Role.ACTIVE, Role.PROMOTING, Role.GIVING_UP, Role.REATTACHING])
def test_any_higher_lease_file_is_straight_to_k(role: Role) -> None:
    """'**any** higher lease file means superseded, straight to K', in every role that renews."""
    node = holder(role)
    node.disk[9] = b"not even a record"
    node.state.cause = Reason.STOPPING
    effects = node.settle(1)
    assert node.role() is Role.KILLING
    assert has(effects, ShutGate(EPOCH))
    assert Mode.KILL in modes(effects)
    assert Kind.WRITE not in kinds(effects)
    assert node.state.highest_epoch == 9


def test_a_superseded_epoch_is_written_no_more() -> None:
    """After the killing of a superseded epoch's services nothing is written, not even a release."""
    node = holder()
    node.disk[8] = raw(8, "b")
    node.settle(1)
    before = node.disk[EPOCH]
    effects = node.settle(2, services=gone(mode=Mode.KILL), guard=armed(gate=Gate.SHUT))
    effects += node.settle(3, guard=disarmed())
    assert (node.role(), node.state.lease) == (Role.PASSIVE, None)
    assert Kind.RELEASE not in kinds(effects)
    assert node.disk[EPOCH] == before


def test_nothing_is_written_over_an_outstanding_write() -> None:
    """'While one is outstanding no other renewal of this epoch is issued'."""
    node = holder()
    write = until(node, Kind.WRITE, 1)
    assert kinds(node.settle(3, failed(write, 3, Fault.TIMEOUT))) == [Kind.LIST, Kind.READ]
    assert kinds(node.settle(4)) == [Kind.LIST, Kind.READ]
    assert node.state.lease is not None
    assert node.state.lease.outstanding == 4


@pytest.mark.parametrize("fault", [Fault.TIMEOUT, Fault.WORKER_LOST])
def test_the_read_back_ends_an_outstanding_write(fault: Fault) -> None:
    """'A write is outstanding until its call *returned* or its sequence was read back'."""
    node = holder()
    write = until(node, Kind.WRITE, 1)
    node.settle(3, failed(write, 3, fault))
    node.disk[EPOCH] = write.raw
    assert kinds(node.settle(4)) == [Kind.LIST, Kind.READ, Kind.WRITE, Kind.READ]
    assert node.written().sequence == 5, "a sequence is never reused"
    assert issued(node) == at(4)


def test_a_late_return_ends_an_outstanding_write_and_extends_nothing() -> None:
    """'Anything else (timeout ...) is *unknown* and extends nothing', also when it succeeds afterwards."""
    node = holder()
    write = until(node, Kind.WRITE, 1)
    node.settle(3, failed(write, 3, Fault.TIMEOUT))
    node.disk[EPOCH] = write.raw
    node.turn(3.5, Outcome(write, at(1), at(3.5), late=True))
    assert issued(node) == at(0)
    assert node.state.lease is not None
    assert (node.state.lease.outstanding, node.state.lease.landed) == (-1, 4)
    assert kinds(node.settle(4)) == [Kind.LIST, Kind.WRITE, Kind.READ]


@pytest.mark.parametrize(
    "fault", [Fault.IO, Fault.NO_SPACE, Fault.READ_ONLY, Fault.BUSY, Fault.LOCAL, Fault.DENIED]
)
def test_a_write_that_returned_with_an_error_is_unknown(fault: Fault) -> None:
    """It is not outstanding, extends nothing, and its sequence is not used again."""
    node = holder()
    write = until(node, Kind.WRITE, 1)
    node.settle(1, failed(write, 1, fault))
    assert (issued(node), node.state.storage_fault) == (at(0), fault)
    node.settle(2)
    assert (node.written().sequence, issued(node)) == (5, at(2))
    assert node.state.storage_fault == ""


def test_a_read_back_older_than_a_write_that_succeeded_is_lost() -> None:
    """'An older sequence ... means that the epoch is lost: straight to K'."""
    node = holder()
    write = until(node, Kind.WRITE, 1)
    node.turn(1, Outcome(write, at(1), at(1)))  # it says that it succeeded; the disk still has 3
    node.turn(1, node.honest(node.take(Kind.READ), 1))
    assert (node.role(), node.state.cause) == (Role.KILLING, Reason.EPOCH_LOST)


@pytest.mark.parametrize(
    "change",
    [
        {"attempt": "another"},
        {"incarnation": "another"},
        {"sequence": 5},
        {"sequence": 2},
        {"sequence": 4, "reason": "not what I wrote"},
    ],
    ids=str,
)
def test_a_valid_record_that_i_did_not_issue_is_lost(change: dict[str, Any]) -> None:
    """'or a valid record that I did not issue, means that the epoch is lost: straight to K'."""
    node = holder()
    node.turn(1, node.honest(until(node, Kind.WRITE, 1), 1))
    node.turn(1, read_back(node.take(Kind.READ), 1, raw(EPOCH, "a", **change)))
    assert (node.role(), node.state.cause) == (Role.KILLING, Reason.EPOCH_LOST)


@pytest.mark.parametrize(
    "data",
    [b"", b"x" * 512, b"x" * 513, raw(EPOCH, "a", cluster_id="another"), raw(8, "a")],
    ids=lambda d: str(len(d)),
)
def test_what_is_not_a_record_is_unknown(data: bytes) -> None:
    """'Anything else (timeout, error, bad CRC) is *unknown* and extends nothing; R decides'."""
    node = holder()
    node.turn(1, node.honest(until(node, Kind.WRITE, 1), 1))
    node.turn(1, read_back(node.take(Kind.READ), 1, data))
    assert (node.role(), issued(node)) == (Role.ACTIVE, at(0))
    node.settle(2)
    assert issued(node) == at(2)


@pytest.mark.parametrize("kind", [Kind.LIST, Kind.READ])
@pytest.mark.parametrize("fault", [Fault.IO, Fault.STALE, Fault.TIMEOUT, Fault.NOT_A_CLUSTER])
def test_a_look_that_failed_is_unknown(kind: Kind, fault: Fault) -> None:
    """Every error of a look extends nothing and ends nothing; the next round comes after a heartbeat."""
    node = holder()
    node.turn(1, failed(until(node, kind, 1), 1, fault))
    assert (node.role(), issued(node), node.state.storage_fault) == (Role.ACTIVE, at(0), fault)
    assert kinds(node.turn(1.5).effects) == []
    node.settle(2)
    assert issued(node) == at(2)


def test_a_stale_handle_makes_the_next_round_look_first() -> None:
    """'the name still leads to the open inode': the look decides, before anything is written."""
    node = holder()
    node.settle(1, failed(until(node, Kind.WRITE, 1), 1, Fault.STALE))
    assert kinds(node.settle(2)) == [Kind.LIST, Kind.READ, Kind.WRITE, Kind.READ]
    assert issued(node) == at(2)


def test_an_acknowledgement_after_r_extends_nothing() -> None:
    """'both before the R in force': processed at R it is too late, whenever it was read."""
    node = holder()
    node.turn(1, node.honest(until(node, Kind.WRITE, 1), 1))
    read = node.take(Kind.READ)
    decision = node.turn(6, node.honest(read, 1, 1.1))
    assert (node.role(), issued(node)) == (Role.DEMOTING, at(0))
    assert first(decision.effects, Arm) == -1


def test_the_larger_clock_counts_for_the_holder() -> None:
    """'the holder counts the larger of the elapsed `CLOCK_BOOTTIME` and `CLOCK_MONOTONIC_RAW`'."""
    for now in (Instant(6 * NS_PER_S, 0), Instant(0, 6 * NS_PER_S)):
        node = holder(mine=lease(issued=Instant(0, 0)))
        assert decide(node.state, node.obs, now).state.role is Role.DEMOTING


def test_r_k_and_when_to_wake() -> None:
    """'at R it demotes itself ...; at K what is left is killed', and the daemon wakes for both."""
    node = holder()
    node.turn(0)
    assert node.turn(5.75).wake_in_ns == pytest.approx(0.25 * NS_PER_S)
    decision = node.turn(6)
    assert node.role() is Role.DEMOTING
    assert modes(decision.effects)[:1] == [Mode.STOP]
    assert node.turn(8.9, services=running(mode=Mode.STOP)).wake_in_ns == pytest.approx(0.1 * NS_PER_S)
    decision = node.turn(9)
    assert node.role() is Role.KILLING
    assert decision.effects[0] == ShutGate(EPOCH)
    assert modes(decision.effects)[:1] == [Mode.KILL]


def test_demoting_is_irrevocable() -> None:
    """'at R it demotes itself, irrevocably for this epoch': a storage that comes back changes nothing."""
    node = holder()
    node.turn(1, node.honest(until(node, Kind.WRITE, 1), 1))
    node.turn(6.1, services=running(mode=Mode.STOP))
    node.settle(6.2, node.honest(node.take(Kind.READ), 6.2))
    assert node.role() is Role.DEMOTING
    assert issued(node) == at(0)
    assert kinds(node.settle(7.5)) == []


@pytest.mark.parametrize(
    "role", [Role.PROMOTING, Role.ACTIVE, Role.GIVING_UP, Role.REATTACHING, Role.DEMOTING]
)
def test_a_pause_past_k_is_straight_to_k(role: Role) -> None:
    """Whoever was away until after K does not begin with a graceful stop."""
    node = holder(role)
    node.turn(9)
    assert (node.role(), node.state.cause) == (Role.KILLING, Reason.KILL_DEADLINE)


def test_a_write_of_an_epoch_that_is_over_is_nobodys_news() -> None:
    """The end of a write of another epoch changes no lease."""
    node = holder()
    before = node.state.lease
    stray = Call(-5, Kind.WRITE, 5, sequence=3)
    node.turn(0.5, Outcome(stray, at(0), at(0.5)))
    assert before is not None
    assert node.state.lease is not None
    assert node.state.lease.landed == before.landed
