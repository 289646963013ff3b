"""`tasks.succession`: each change of the holder is told once, and only as far as it was seen."""

from __future__ import annotations

from typing import Any

import pytest

from acmd.core.lease import LeaseState
from acmd.core.state import Release, Seen, State, initial_state
from acmd.tasks.succession import KEPT, Succession
from tests.unit.core_kit import ME, at, lease, raw, record


def seeing(epoch: int, holder: str, since_s: float, **more: Any) -> State:
    """Node a observes this record, unchanged since then."""
    state = initial_state(ME, at(0))
    state.seen = Seen(epoch, raw(epoch, holder), record(epoch, holder, **more), at(since_s), at(since_s), 0)
    return state


def holding(epoch: int) -> State:
    """Node a holds this epoch."""
    state = initial_state(ME, at(0))
    state.lease = lease(epoch=epoch)
    return state


def told(*steps: tuple[State, float]) -> list[tuple[str, str, str, int]]:
    """How, from, to and epoch of what these steps, each at its second, came to; oldest first."""
    succession = Succession()
    for state, second in steps:
        succession.note(state, at(second), 1_700_000_000)
    return [(one.how, one.before, one.after, one.epoch) for one in succession.handovers]


@pytest.mark.parametrize(
    ("before", "how"),
    [
        ({"state": LeaseState.RELEASED, "reason": "switchover"}, "switchover"),
        ({"state": LeaseState.RELEASED, "reason": "service-failed"}, "release"),
        ({"state": LeaseState.RELEASED, "reason": "stopping"}, "switchover"),
        ({"state": LeaseState.HELD}, "failover"),
    ],
)
def test_how_it_happened(before: dict[str, Any], how: str) -> None:
    """A record that was released says why; one that stood still for a whole lease expired."""
    assert told((seeing(7, "b", 1, **before), 2), (holding(8), 20)) == [(how, "b", "a", 8)]


def test_what_was_not_seen_is_not_claimed_to_be_known() -> None:
    """A record that still changed a moment before the next epoch: nobody knows here how that came."""
    assert told((seeing(7, "b", 1), 2), (seeing(8, "c", 3), 4)) == [("takeover", "b", "c", 8)]


def test_a_node_that_gave_the_lease_back_says_why() -> None:
    """Though the other one was faster than its next look, so that it never saw its own `released` record."""
    given = initial_state(ME, at(0))
    given.release = Release(lease(epoch=7), b"", "switchover", "b")
    assert told((holding(7), 1), (given, 2), (seeing(8, "b", 3), 4)) == [("switchover", "a", "b", 8)]


def test_a_takeover_that_this_node_did_not_see_is_as_old_as_its_record() -> None:
    """After a crash the daemon finds the other one active: since its claim, not since this first look."""
    succession = Succession()
    succession.note(holding(7), at(1), 1_700_000_000)
    succession.note(seeing(8, "b", 3, claimed_at=1_700_000_000 - 40), at(50), 1_700_000_000)
    assert [(one["how"], one["age_s"]) for one in succession.shown(at(50))] == [("takeover", 40.0)]


def test_the_same_node_again() -> None:
    """Is a restart, and no hand-over to anybody."""
    assert told((seeing(7, "b", 1), 2), (seeing(8, "b", 3), 4)) == [("restart", "b", "b", 8)]


def test_nothing_to_tell() -> None:
    """The first record seen, the empty holder of a new cluster, renewals, and older epochs are no changes."""
    new = seeing(0, "", 1, state=LeaseState.RELEASED)
    assert told((initial_state(ME, at(0)), 1), (new, 1), (holding(1), 2), (holding(1), 3), (new, 4)) == []


def test_bounded() -> None:
    """The newest stay, and are shown newest first with their age."""
    succession = Succession()
    for epoch in range(1, 60):
        succession.note(seeing(epoch, "bc"[epoch % 2], epoch), at(epoch), epoch)
    shown = succession.shown(at(100))
    assert len(shown) == KEPT
    assert (shown[0]["epoch"], shown[0]["age_s"], shown[0]["at"]) == (59, 41.0, 59)


def epoch(number: int, holder: str, state: str = "released", reason: str = "switchover") -> dict[str, Any]:
    """As `acmd history --json` has it."""
    return {
        "epoch": number,
        "holder": holder,
        "state": state,
        "reason": reason,
        "from_s": 1_700_000_000.0 + number,
    }


def test_what_was_before_is_recalled() -> None:
    """Each change of the files is there, with its age; what was seen by this daemon stays as it was seen."""
    succession = Succession()
    succession.note(seeing(9, "b", 1), at(2), 1_700_000_100)
    succession.note(holding(10), at(20), 1_700_000_100)
    files = [
        epoch(3, ""),
        epoch(4, "a"),
        epoch(5, "b", "held", "expired"),
        epoch(6, "b", reason="stopping"),
        epoch(8, ""),
        epoch(9, "b"),
        epoch(10, "a", "held", ""),
    ]
    succession.recall(files, at(20), 1_700_000_105)
    assert [(one.how, one.before, one.after, one.epoch) for one in succession.handovers] == [
        ("switchover", "a", "b", 5),
        ("restart", "b", "b", 6),
        ("failover", "b", "a", 10),
    ]
    assert succession.shown(at(20))[-1]["age_s"] == pytest.approx(100)
    succession.recall(files, at(20), 1_700_000_105)
    assert len(succession.handovers) == 3


def test_recalled_and_seen_at_once() -> None:
    """A change that is in the files already when it is seen is told once, as seen."""
    succession = Succession()
    succession.note(seeing(9, "b", 1), at(2), 1_700_000_000)
    succession.recall([epoch(9, "b"), epoch(10, "a", "held", "")], at(20), 1_700_000_020)
    succession.note(holding(10), at(20), 1_700_000_020)
    assert [(one.how, one.epoch) for one in succession.handovers] == [("failover", 10)]
    many = [epoch(number, "ab"[number % 2]) for number in range(100)]
    succession.recall(many, at(20), 1_700_000_120)
    assert len(succession.handovers) == KEPT
