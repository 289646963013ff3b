"""'Observing and taking over', steps 4 to 6: who may claim, how, and who has won."""

from __future__ import annotations

import pytest

from acmd.core.calls import CLUSTER_FILE as CLUSTER_NAME
from acmd.core.calls import Fault, Kind, ReadBack
from acmd.core.decision import Arm, Reason, Remember, Supervise
from acmd.core.lease import LeaseState, decode
from acmd.core.observation import (
    Mode,
    Outcome,
)
from acmd.core.state import Role
from acmd.core.timing import NS_PER_S
from tests.unit.core_kit import (
    CLUSTER,
    CLUSTER_FILE,
    ME,
    NEW,
    armed,
    at,
    claimed,
    failed,
    first,
    has,
    kinds,
    linked,
    listing,
    modes,
    raw,
)


def test_an_eligible_node_links_one_finished_record() -> None:
    """'new `attempt`; `issued = now`; finished record of epoch+1 in `tmp/` ...; `link()`'."""
    node = claimed(t=2.0)
    link = node.take(Kind.LINK)
    record = decode(link.raw, CLUSTER, NEW)
    assert not isinstance(record, str)
    assert (record.epoch, record.sequence, record.state) == (NEW, 0, LeaseState.HELD)
    assert (record.holder, record.attempt, record.incarnation) == ("a", "attempt-new", ME.incarnation)
    assert (record.machine_id, record.boot_id, record.duration_ms) == ("machine-a", "boot-a", 12_000)
    assert node.state.claim is not None
    assert (node.state.claim.issued, node.state.claim.known) == (at(2.0), (6, 7))


@pytest.mark.parametrize(
    "fault", [None, Fault.EXISTS, Fault.IO, Fault.TIMEOUT, Fault.WORKER_LOST, Fault.NO_SPACE]
)
def test_whatever_the_return_code_the_file_decides(fault: Fault | None) -> None:
    """'**Whatever the return code**, look whether the linked file is the one of *this attempt*'."""
    node = claimed()
    link = node.take(Kind.LINK)
    node.disk[NEW] = link.raw
    node.turn(0.5, Outcome(link, at(0), at(0.5), fault=fault))
    node.turn(0.5, node.honest(node.take(Kind.READ), 0.5))
    node.turn(0.5, node.honest(node.take(Kind.LIST), 0.5))
    assert node.role() is Role.PROMOTING
    assert node.state.lease is not None
    assert (node.state.lease.epoch, node.state.lease.inode, node.state.lease.issued) == (
        NEW,
        NEW + 100,
        at(0),
    )
    assert node.state.lease.attempt == "attempt-new"


def test_a_file_of_an_earlier_attempt_is_a_foreign_epoch() -> None:
    """'A file of an earlier attempt of mine is a foreign epoch.' (not: own incarnation, so mine)."""
    node = claimed()
    link = node.take(Kind.LINK)
    node.disk[NEW] = raw(NEW, "a", attempt="attempt-before", sequence=0)
    decision = node.turn(0.1, failed(link, 0.1, Fault.EXISTS))
    decision = node.turn(0.1, node.honest(node.take(Kind.READ), 0.1))
    assert (node.role(), decision.reason, node.state.lease) == (Role.PASSIVE, Reason.CLAIM_LOST, None)


@pytest.mark.parametrize("others", [(6, 7, 8, 9), (5, 6, 7, 8)])
def test_a_file_that_the_observation_did_not_have_means_give_up(others: tuple[int, ...]) -> None:
    """'any lease file that the observation's listing did not have, higher *or* lower, means give up'."""
    node = claimed()
    call = linked(node, 0.1)
    decision = node.turn(0.1, listing(call, 0.1, *others))
    assert (node.role(), decision.reason) == (Role.PASSIVE, Reason.CLAIM_LOST)
    assert node.state.release is None
    assert Kind.RELEASE not in kinds(decision.effects)
    assert first(decision.effects, Remember) == -1


def test_a_file_that_went_into_the_history_is_no_obstacle() -> None:
    """A listing that lost an old epoch meanwhile is fine."""
    node = claimed()
    node.turn(0.1, listing(linked(node, 0.1), 0.1, 7, 8))
    assert node.role() is Role.PROMOTING


def test_after_giving_up_the_own_epoch_ends_only_by_w() -> None:
    """'give up, **writing nothing: that epoch ends only by W**', for the claimant itself as well."""
    node = claimed()
    link = node.take(Kind.LINK)
    node.turn(6, failed(link, 6, Fault.TIMEOUT))
    assert node.role() is Role.PASSIVE
    node.disk[NEW] = link.raw  # it lands late
    t = 6.0
    while t < 21.0:
        node.settle(t, Outcome(link, at(0), at(7), late=True)) if t == 7.0 else node.settle(t)
        assert node.role() is Role.PASSIVE
        t += 1.0
    assert node.disk[NEW] == link.raw
    node.turn(21.7)
    assert node.role() is Role.PASSIVE
    node.settle(22)
    assert node.state.lease is not None
    assert node.state.lease.epoch == NEW + 1


@pytest.mark.parametrize("last", [Kind.LINK, Kind.READ, Kind.LIST])
def test_past_r_a_claim_is_given_up_whatever_comes_then(last: Kind) -> None:
    """'Past `issued + R`: give up, writing nothing', also when the good news is processed only then."""
    node = claimed()
    while node.pending[0].kind is not last:
        node.turn(1, node.honest(node.pending.pop(0), 1))
    news = node.honest(node.pending.pop(0), 1, 5.9)
    effects = list(node.turn(6, news).effects)
    assert (node.role(), node.state.lease, node.state.claim) == (Role.PASSIVE, None, None)
    effects += node.settle(7)
    assert Kind.RELEASE not in kinds(tuple(effects))
    assert first(tuple(effects), Remember) == -1


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.LOCAL])
def test_a_link_that_was_never_issued_is_given_up_at_once(fault: Fault) -> None:
    """Nothing left this host: there is nothing to look for."""
    node = claimed()
    decision = node.turn(0.1, failed(node.take(Kind.LINK), 0.1, fault))
    assert (node.role(), decision.reason) == (Role.PASSIVE, Reason.CLAIM_LOST)


@pytest.mark.parametrize("kind", [Kind.READ, Kind.LIST])
def test_a_look_that_fails_is_made_again_until_r(kind: Kind) -> None:
    """A stale negative look-up, or any error, hides the own claim only for a while."""
    node = claimed()
    node.turn(0, node.honest(node.take(Kind.LINK), 0))
    if kind is Kind.LIST:
        node.turn(0, node.honest(node.take(Kind.READ), 0))
    assert kinds(node.turn(0, failed(node.take(kind), 0, Fault.MISSING)).effects) == []
    assert node.turn(0.05).wake_in_ns <= 0.1 * NS_PER_S
    assert kinds(node.turn(0.1).effects) == [kind]
    node.settle(0.1, node.honest(node.take(kind), 0.1))
    assert node.role() is Role.PROMOTING


@pytest.mark.parametrize("data", [b"", b"x" * 512, raw(NEW, "a", cluster_id="another")])
def test_a_linked_file_that_cannot_be_read_decides_nothing(data: bytes) -> None:
    """A torn or foreign record where the own should be: looked at again until R."""
    node = claimed()
    node.turn(0, node.honest(node.take(Kind.LINK), 0))
    read = node.take(Kind.READ)
    node.turn(0, Outcome(read, at(0), at(0), ReadBack(data, NEW + 100, CLUSTER_FILE)))
    assert node.role() is Role.CLAIMING
    node.settle(0.2)
    assert node.role() is Role.PROMOTING


def test_another_cluster_file_ends_a_claim() -> None:
    """`cluster.json` proves that the storage is the right one; a claim on another is nobody's."""
    node = claimed()
    node.turn(0, node.honest(node.take(Kind.LINK), 0))
    node.cluster_file = b"another " + CLUSTER_NAME.encode()
    node.turn(0, node.honest(node.take(Kind.READ), 0))
    assert (node.role(), node.state.lease) == (Role.PASSIVE, None)


@pytest.mark.parametrize("fault", [None, Fault.EXISTS, Fault.WORKER_LOST])
def test_no_claim_while_one_is_in_flight(fault: Fault | None) -> None:
    """'no claim of mine in flight': a link that nobody has an answer to may yet execute.

    The death of its worker ends that: should it still land, it is a foreign epoch, as for any lost worker.
    """
    node = claimed()
    link = node.take(Kind.LINK)
    node.turn(2, failed(link, 2, Fault.TIMEOUT))
    node.settle(6)
    assert node.role() is Role.PASSIVE
    decision = node.turn(6.5)
    assert decision.reason is Reason.CLAIM_IN_FLIGHT
    node.settle(7)
    assert node.role() is Role.PASSIVE
    node.settle(8, failed(link, 8, fault, late=True) if fault else Outcome(link, at(8), at(8), late=True))
    node.settle(9)
    assert node.state.lease is not None


def test_a_link_whose_epoch_is_taken_is_in_flight_no_more() -> None:
    """Once the name exists that link can only fail: it must not keep this node out of elections for ever."""
    node = claimed()
    node.turn(2, failed(node.take(Kind.LINK), 2, Fault.TIMEOUT))
    node.settle(6)
    node.disk[NEW] = raw(NEW, "b", state=LeaseState.RELEASED)
    node.settle(7)
    node.settle(8)
    assert node.state.lease is not None
    assert node.state.lease.epoch == NEW + 1


def test_a_winner_remembers_before_anything_else() -> None:
    """A daemon that comes after must know the epoch before anything of it can run."""
    node = claimed()
    effects = node.turn(0.1, listing(linked(node, 0.1), 0.1, 6, 7, 8)).effects
    assert 0 <= first(effects, Remember) < first(effects, Arm)
    assert Mode.RUN not in modes(effects)


def test_nothing_starts_before_the_switch_says_that_it_is_armed_and_open() -> None:
    """'the dead man's switch armed first'; 'Then arm the switch. Then start in order'."""
    node = claimed()
    effects = node.settle(0.1)
    assert first(effects, Arm) >= 0
    assert Mode.RUN not in modes(effects)
    node.turn(0.2)
    assert node.role() is Role.PROMOTING
    decision = node.turn(0.3, guard=armed(NEW))
    assert node.role() is Role.ACTIVE
    assert has(decision.effects, Supervise(Mode.RUN, NEW, at(0.1)))
