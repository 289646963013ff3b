"""Bad input and broken surroundings: never an exception, never a promotion, and a way on afterwards."""

from __future__ import annotations

import json
import zlib

import pytest

from acmd.core.calls import Fault, Kind, Listing, ReadBack
from acmd.core.decision import Erase, Issue, NoteEpoch, Reason, Remember
from acmd.core.lease import MAX_EPOCH, RECORD_BYTES, Defect, LeaseState
from acmd.core.observation import Outcome
from acmd.core.state import Role
from tests.unit.core_kit import (
    CLUSTER_FILE,
    EPOCH,
    Node,
    at,
    disarmed,
    failed,
    first,
    gone,
    holder,
    kinds,
    lease,
    raw,
    watcher,
)

GOOD = raw(state=LeaseState.RELEASED)


def with_crc(wire: dict[str, object]) -> bytes:
    """Any JSON as a line whose CRC is right."""
    body = json.dumps(wire)[1:].encode().ljust(RECORD_BYTES - 19) + b"\n"
    return b'{"crc":"%08x",' % zlib.crc32(body) + body


REFUSED = {
    "empty": (b"", Defect.TRUNCATED),
    "truncated": (GOOD[:511], Defect.TRUNCATED),
    "oversized": (GOOD + b" ", Defect.OVERSIZED),
    "garbage": (with_crc({"v": 1, "epoch": "seven"}), Defect.GARBAGE),
    "foreign": (raw(cluster_id="another", state=LeaseState.RELEASED), Defect.FOREIGN),
    "future": (with_crc({"v": 2}), Defect.FUTURE),
    "misplaced": (raw(EPOCH + 1, state=LeaseState.RELEASED), Defect.MISPLACED),
}


@pytest.mark.parametrize(("data", "defect"), REFUSED.values(), ids=REFUSED)
def test_a_refused_record_forbids_any_promotion(data: bytes, defect: Defect) -> None:
    """'a record of a foreign cluster id is refused': however long it stays, nothing is claimed after it."""
    node = watcher(data)
    for t in range(0, 60, 2):
        node.settle(t)
        assert (node.role(), node.state.refused, node.turn(t).reason) == (
            Role.PASSIVE,
            defect,
            Reason.REFUSED_RECORD,
        )
    node.disk[EPOCH] = raw()
    node.settle(60)
    assert node.state.refused == ""
    assert node.state.seen is not None
    assert node.state.seen.first_seen == at(60), "what was seen before is forgotten"


def test_a_directory_that_became_empty_is_no_refusal() -> None:
    """An empty directory is an observation: W, and the remembered epoch + 1."""
    node = watcher(b"")
    node.settle(0)
    node.disk.clear()
    for t in range(1, 17):
        node.settle(t)
    assert node.state.lease is not None
    assert node.state.lease.epoch == EPOCH + 1


def test_another_cluster_file_is_refused() -> None:
    """A directory swapped for that of another cluster: refused while it is there."""
    node = watcher(GOOD)
    node.cluster_file = b"another cluster"
    for t in range(30):
        node.turn(t)
        while node.pending:
            node.turn(t, node.honest(node.pending.pop(0), t))
    assert (node.role(), node.state.storage_fault) == (Role.PASSIVE, Fault.NOT_A_CLUSTER)
    assert node.turn(30).reason in (Reason.REFUSED_RECORD, Reason.STORAGE)


def test_an_answer_without_a_value_is_no_answer() -> None:
    """A driver that says neither fault nor value is not believed, by no role."""
    for node in (watcher(GOOD), holder()):
        role = node.role()
        node.turn(1)
        node.turn(1, Outcome(node.take(Kind.LIST), at(1), at(1)))
        assert node.role() is role
        assert node.state.storage_fault == Fault.NOT_A_CLUSTER


TORN = b"{torn" * 102 + b"\n}"
OTHER = b"{rent" * 102 + b"\n}"


def test_a_bad_crc_neither_changes_nor_confirms() -> None:
    """'A read that fails, or a bad CRC, neither changes nor confirms'."""
    node = watcher(raw())
    for t in range(14):
        node.settle(t)
    for moment, data in ((14.2, TORN), (14.7, OTHER)):
        node.disk[EPOCH] = data
        node.settle(moment)
    assert node.role() is Role.PASSIVE
    assert node.state.seen is not None
    assert (node.state.seen.first_seen, node.state.seen.raw) == (at(0), raw())
    node.disk[EPOCH] = raw()
    node.settle(15.7)
    assert node.state.lease is not None


def test_a_bad_crc_that_stays_is_compared_by_its_bytes() -> None:
    """'(a bad CRC that stays is compared by its bytes)': W from its first sight, then all are unfenced."""
    node = watcher(raw(duration_ms=20_000))
    node.settle(0)
    node.disk[EPOCH] = TORN
    t = 1.0
    while t < 25.4:
        node.settle(t)
        assert node.role() is Role.PASSIVE
        t += 1.0
    node.settle(25.5)  # W of the longer lease that was last known here: 24.44 s
    assert node.state.lease is not None
    assert node.state.lease.unfenced == ("*",)


def test_two_torn_reads_far_apart_are_no_observation() -> None:
    """'so do two successful reads more than R apart': a torn read of long ago counts for nothing."""
    node = watcher(TORN)
    node.settle(0)
    for t in (100, 101, 102):
        node.settle(t)
    assert node.role() is Role.PASSIVE
    assert node.state.seen is not None
    assert node.state.seen.first_seen == at(100)


def test_a_torn_record_that_is_mended_starts_again() -> None:
    """The holder goes on: what was torn is forgotten."""
    node = watcher(TORN)
    for t in range(5):
        node.settle(t)
    node.disk[EPOCH] = raw(sequence=9)
    node.settle(5)
    assert node.state.torn is None
    assert node.state.seen is not None
    assert (node.state.seen.first_seen, node.state.seen.record is not None) == (at(5), True)


def test_a_full_disk_demotes_the_holder_at_r_and_harms_nobody() -> None:
    """Every renewal fails with ENOSPC: R decides; nothing else is lost."""
    node = holder()
    for t in range(1, 6):
        node.turn(t)
        node.turn(t, node.honest(node.take(Kind.LIST), t))
        node.turn(t, failed(node.take(Kind.WRITE), t, Fault.NO_SPACE))
        assert node.role() is Role.ACTIVE
    node.turn(6)
    assert node.role() is Role.DEMOTING


def test_an_unwritable_run_directory_promotes_nobody() -> None:
    """`/run/acmd/` cannot be written: no candidate, and it says so."""
    node = watcher(GOOD, run_ok=False)
    for t in range(30):
        node.settle(t)
    assert node.turn(30).reason is Reason.RUN_UNWRITABLE
    assert node.state.lease is None


def test_an_unwritable_run_directory_demotes_a_holder() -> None:
    """'it is kept in `/run/acmd/` before it is issued': what cannot be kept is not issued, and R comes."""
    node = holder(run_ok=False)
    sequences = []
    for t in range(1, 7):
        node.turn(t)
        while node.pending:
            call = node.pending.pop(0)
            if call.kind is Kind.WRITE:
                sequences.append(call.sequence)
                node.turn(t, failed(call, t, Fault.LOCAL))
            else:
                node.turn(t, node.honest(call, t))
    assert node.role() is Role.DEMOTING
    assert sequences == [4, 5, 6, 7, 8], "a sequence is never used twice"


def test_a_release_waits_for_the_erasing() -> None:
    """While the epoch cannot be erased nothing is released; it is tried again."""
    node = holder(Role.GIVING_UP, services=gone(), guard=disarmed())
    node.state.cause = Reason.STOPPING
    node.turn(1)
    effects = node.settle(1.1, failed(node.take(Kind.RELEASE), 1.1, Fault.LOCAL))
    assert first(effects, Erase) >= 0
    assert Kind.RELEASE in kinds(effects)
    assert node.written().state is LeaseState.RELEASED


def test_the_highest_epoch_is_noted_last() -> None:
    """A full /var/lib must keep nothing else from being done: killing, least of all."""
    node = holder()
    node.disk[9] = raw(9, "b")
    node.turn(1)
    effects = node.turn(1, node.honest(node.take(Kind.LIST), 1)).effects
    assert effects[-1] == NoteEpoch(9)


def test_the_last_number_is_never_claimed_after() -> None:
    """`touch lease.9999999999`: the next name would have eleven digits, which no listing knows."""
    node = watcher(raw(MAX_EPOCH, state=LeaseState.RELEASED), epoch=MAX_EPOCH)
    for t in range(30):
        node.settle(t)
    assert (node.role(), node.turn(30).reason) == (Role.PASSIVE, Reason.REFUSED_RECORD)


@pytest.mark.parametrize("what", ["listing", "inode"])
def test_a_held_lease_file_that_is_gone_or_another(what: str) -> None:
    """'the name still leads to the open inode': an unlinked or swapped file extends nothing; R decides."""
    node = holder()
    for t in range(1, 6):
        node.turn(t)
        call = node.take(Kind.LIST)
        if what == "listing":
            node.turn(t, Outcome(call, at(t), at(t), Listing((6,), CLUSTER_FILE)))
        else:
            node.turn(t, node.honest(call, t))
            node.turn(t, node.honest(node.take(Kind.WRITE), t))
            answer = ReadBack(node.disk[EPOCH], 999, CLUSTER_FILE)
            node.turn(t, Outcome(node.take(Kind.READ), at(t), at(t), answer))
        assert node.role() is Role.ACTIVE
    node.turn(6)
    assert node.role() is Role.DEMOTING
    assert node.state.lease is not None
    assert node.state.lease.issued == at(0)


def test_a_time_before_1970_makes_no_unreadable_record() -> None:
    """Wall-clock times are for people only, and a negative one would be refused by every reader."""
    node = watcher(GOOD, wall_time=-5)
    node.settle(0)
    assert node.written(EPOCH + 1).written_at == 0
    node.settle(1)
    assert node.state.lease is not None
    assert node.state.lease.issued == at(1)


def settle_wild(node: Node, t: float) -> None:
    """One decision whose calls all fail, each in another way."""
    faults = list(Fault)
    node.turn(t)
    for i, call in enumerate(tuple(node.pending)):
        node.pending.remove(call)
        node.turn(t, failed(call, t, faults[(round(t) + i) % len(faults)]))


@pytest.mark.parametrize(
    "role", [Role.PASSIVE, Role.ACTIVE, Role.PROMOTING, Role.GIVING_UP, Role.REATTACHING]
)
def test_no_fault_of_any_kind_raises_or_promotes(role: Role) -> None:
    """'Every error is *unknown*': a minute of nothing but errors, of every kind, in every role."""
    node = watcher(raw()) if role is Role.PASSIVE else holder(role)
    node.state.cause = Reason.STOPPING
    for t in range(60):
        settle_wild(node, t)
        assert node.role() not in (Role.CLAIMING, Role.STOPPED)
    if role is not Role.PASSIVE:
        assert node.role() is Role.KILLING


def test_remember_before_write_even_when_all_is_late() -> None:
    """The order of the two holds in a decision that takes in several outcomes at once."""
    node = holder(mine=lease(look_first=True))
    node.turn(1)
    listed = node.honest(node.take(Kind.LIST), 1)
    node.turn(1, listed)
    read = node.honest(node.take(Kind.READ), 1)
    effects = node.turn(1, read, listed, read).effects
    assert first(effects, Remember) < first(effects, Issue)
    assert kinds(effects) == [Kind.WRITE]
