"""`status`: every field of the snapshot out of a state, a view and a moment."""

from __future__ import annotations

from typing import Any

import pytest

from acmd import status
from acmd.core.calls import Fault
from acmd.core.decision import Reason
from acmd.core.lease import Defect, LeaseState
from acmd.core.observation import Gate, GuardView, Observation
from acmd.core.state import Role, Seen, State, initial_state
from tests.unit.core_kit import EPOCH, ME, armed, at, lease, raw, record


def passive(state: LeaseState | None = LeaseState.HELD, **more: Any) -> State:
    """A node that observes epoch 7 of b since 10 s."""
    found = initial_state(ME, at(0))
    found.role = Role.PASSIVE
    seen = record(state=state, duration_ms=12_000, **more) if state is not None else None
    found.seen = Seen(EPOCH, raw(), seen, at(10), at(10), 14_700_000_000)
    return found


def holder(role: Role = Role.ACTIVE, **more: Any) -> State:
    """A node that holds epoch 7, acknowledged by a round issued at 0 s."""
    found = initial_state(ME, at(0))
    found.role = role
    found.lease = lease(**more)
    return found


def test_every_reason_has_its_sentence() -> None:
    """No reason is ever shown as a bare word, and none is missing."""
    assert set(status.SENTENCES) == set(Reason)
    assert all(status.SENTENCES[reason] for reason in Reason if reason is not Reason.NONE)


def test_reasons_say_what_is_particular() -> None:
    """A refused record is quoted; a storage fault is added, except where it explains nothing."""
    state = passive()
    assert status.reason_of(state, Reason.DISABLED) == status.SENTENCES[Reason.DISABLED]
    state.refused, state.listing = Defect.FOREIGN, (EPOCH,)
    assert status.reason_of(state, Reason.REFUSED_RECORD).endswith(
        "(lease.0000000007: it is of another cluster)"
    )
    state.storage_fault = Fault.STALE
    assert status.reason_of(state, Reason.STORAGE).endswith("(storage: stale)")
    assert "storage:" not in status.reason_of(state, Reason.HOLDING)
    state.refused = ""
    assert "(it is" not in status.reason_of(state, Reason.REFUSED_RECORD)


def test_the_own_lease() -> None:
    """Remaining is until R, expiry until D, both from the issue of the last acknowledged renewal."""
    shown = status.lease_part(holder(unfenced=("b",)), at(2.5))
    assert shown == {
        "holder": "a",
        "state": "held",
        "sequence": 3,
        "age_s": 2.5,
        "remaining_s": 3.5,
        "expires_in_s": 9.5,
        "unfenced": ["b"],
        "claimed_at": None,
        "written_at": None,
    }


def test_a_lease_that_is_observed() -> None:
    """Expiry is when this node may take over: W after the record was first seen unchanged."""
    shown = status.lease_part(passive(sequence=9), at(14))
    assert shown is not None
    assert (shown["holder"], shown["state"], shown["sequence"]) == ("b", "held", 9)
    assert (shown["age_s"], shown["remaining_s"], shown["expires_in_s"]) == (4, 8, 10.7)


@pytest.mark.parametrize("state", [LeaseState.RELEASED, LeaseState.DETACHED])
def test_a_lease_that_does_not_expire(state: LeaseState) -> None:
    """Neither a released nor a detached one has a time left."""
    shown = status.lease_part(passive(state), at(14))
    assert shown is not None
    assert (shown["state"], shown["remaining_s"], shown["expires_in_s"]) == (state.value, None, None)


def test_no_lease_known() -> None:
    """Nothing seen, or nothing that can be understood: no lease is shown, nobody is active."""
    for state in (initial_state(ME, at(0)), passive(None)):
        assert status.lease_part(state, at(14)) is None
        assert status.active_node(state) is None


def test_who_is_active() -> None:
    """A holder that serves, or stays as it is in maintenance; an observed holder unless it released."""
    serving = {Role.ACTIVE, Role.DETACHED, Role.REATTACHING}
    for role in (Role.PROMOTING, Role.GIVING_UP, Role.DEMOTING, Role.KILLING, *serving):
        assert status.active_node(holder(role)) == ("a" if role in serving else None)
    assert status.active_node(passive()) == "b"
    assert status.active_node(passive(LeaseState.DETACHED)) == "b"
    assert status.active_node(passive(LeaseState.RELEASED)) is None
    assert status.active_node(passive(holder="a")) is None  # given back, and not read as such yet


def test_nobody_is_active_by_a_lease_that_has_expired() -> None:
    """A holder whose record was read unchanged for W is not called active, even while nobody may claim."""
    still = passive()
    assert still.seen is not None
    still.seen = still.seen._replace(last_read=at(24.8), confirmed_at=at(24.7))
    assert status.active_node(still) is None
    still.seen = still.seen._replace(confirmed_at=at(24.6))
    assert status.active_node(still) == "b"


def test_what_could_not_be_read_for_long_tells_of_nobody() -> None:
    """Without storage nobody knows the active one longer than a lease lives; a detached one lives on."""
    assert status.active_node(passive(), at(24.6)) == "b"
    assert status.active_node(passive(), at(24.7)) is None
    assert status.active_node(passive(LeaseState.DETACHED), at(3000)) == "b"


def test_the_epoch() -> None:
    """The own one, or the highest observed; none while there is no lease file at all."""
    assert status.epoch_known(holder()) == EPOCH
    assert status.epoch_known(passive()) == EPOCH
    empty = passive(None)
    assert empty.seen is not None
    empty.seen = empty.seen._replace(epoch=-1)
    assert status.epoch_known(empty) is None
    assert status.epoch_known(initial_state(ME, at(0))) is None


def test_the_guard() -> None:
    """Armed with the time until K; the last resort in plain words."""
    shown = status.guard_part(holder(), Observation(guard=armed(issued=1.0)), at(3), "reset")
    assert (shown["alive"], shown["armed"], shown["epoch"], shown["gate"]) == (True, True, EPOCH, "open")
    assert (shown["deadline_in_s"], shown["watchdog"]) == (7, "ok")
    lost = GuardView(gate=Gate.SHUT, watchdog_ok=False)
    shown = status.guard_part(passive(), Observation(guard=lost), at(3), "none")
    assert (shown["alive"], shown["armed"], shown["deadline_in_s"]) == (False, False, None)
    assert shown["watchdog"] == "missing"
    assert shown["last_resort_means"].startswith("NO last resort")


def test_a_record_without_a_daemon() -> None:
    """What was only read has no age."""
    shown = status.record_part(record(sequence=2, unfenced=("c",)))
    assert (shown["holder"], shown["state"], shown["sequence"], shown["unfenced"]) == ("b", "held", 2, ["c"])
    assert shown["age_s"] is shown["remaining_s"] is shown["expires_in_s"] is None
