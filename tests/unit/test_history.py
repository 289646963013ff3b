"""`history`: entries, what is shown of them, and the epochs that they and the lease files tell of."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from acmd.core.lease import LeaseState, Record, encode
from acmd.history import (
    SHARED_BYTES,
    SHARED_ENTRIES,
    Entry,
    entries_of,
    entry_of,
    epochs,
    in_order,
    line_of,
    read_shared,
    shared,
)

C = "cluster"


def lease(
    epoch: int,
    holder: str,
    claimed: int,
    written: int,
    state: LeaseState = LeaseState.HELD,
    reason: str = "",
) -> tuple[int, bytes]:
    """A lease file."""
    record = Record(C, epoch, 5, holder, "i", "t", "m", "b", 12_000, state, reason, unfenced=("x",))
    return epoch, encode(record._replace(claimed_at=claimed, written_at=written))


def told(number: int, at_s: float, event: str, epoch: int = 0, **fields: Any) -> Entry:
    """An entry of an epoch."""
    return Entry(number, at_s, "info", event, {"epoch": epoch, **fields})


def test_an_entry_comes_back() -> None:
    """As one line of JSON; what is torn or foreign is left out."""
    entry = told(3, 17.25, "role", 4, role="active", says="a\nb")
    lines = [line_of(entry), line_of(entry)[:20], "", "[]", '{"number":1}', "\xff"]
    assert entries_of(lines) == [entry]
    assert "\n" not in lines[0]


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=100)


@given(VALUES | st.lists(VALUES, max_size=5) | st.dictionaries(st.text(max_size=9), VALUES, max_size=5))
def test_nonsense_is_no_entry(value: Any) -> None:
    """Never an exception, whatever stands where an entry belongs."""
    for key in ("number", "at_s", "level", "event", "fields"):
        good = {"number": 1, "at_s": 1.0, "level": "info", "event": "role", "fields": {"a": 1}}
        found = entry_of({**good, key: value})
        assert found is None or json.loads(line_of(found)) is not None
    assert entry_of(value) is None


def test_what_is_shown_is_bounded() -> None:
    """The newest, in number and in bytes, and it comes back; of another cluster or node it is refused."""
    many = [told(n, n, "role", 1, says="x" * 300) for n in range(1000)]
    document = shared(C, "a", many).encode()
    assert len(document) <= SHARED_BYTES + 200
    found = read_shared(document, C, "a")
    assert isinstance(found, list)
    assert found == many[-len(found) :]
    assert 50 < len(found) <= SHARED_ENTRIES
    small = read_shared(shared(C, "a", [told(n, n, "role") for n in range(1000)]).encode(), C, "a")
    assert len(small) == SHARED_ENTRIES
    assert read_shared(document, "other", "a") == "it is of another cluster"
    assert read_shared(document, C, "b") == "it is another node's"
    assert read_shared(document[:-5], C, "a") == "it is not JSON, or torn"
    assert read_shared(b"[]", C, "a") == "it is not a journal of acmd"
    assert read_shared(b"[" * 64_000, C, "a") == "it is not JSON, or torn"
    assert read_shared(b" " * 70_000, C, "a") == "it is too large"
    newer = document.replace(b'"v":1', b'"v":2')
    assert read_shared(newer, C, "a") == "it has format 2 of a newer acmd"


def test_a_failover_and_a_switchover() -> None:
    """From, to, length, reason and interruption of each epoch."""
    leases = [
        lease(0, "", 0, 50, LeaseState.RELEASED, "init"),
        lease(1, "a", 100, 160),
        lease(2, "b", 175, 300, LeaseState.RELEASED, "switchover"),
        lease(3, "a", 301, 400),
    ]
    journals = {
        "a": [told(1, 101, "services-up", 1), told(9, 302, "services-up", 3)],
        "b": [
            told(1, 177, "services-up", 2),
            told(2, 200, "services-down", 2),
            told(3, 204.5, "services-up", 2),
            told(4, 299, "services-down", 2),
            told(5, 300, "epoch-ended", 2, reason="switchover"),
        ],
    }
    first, one, two, three = epochs(leases, C, journals)
    assert (first.holder, first.reason, first.planned) == ("", "init", True)
    assert (one.from_s, one.to_s, one.length_s, one.reason, one.planned) == (100, 160, 60, "expired", False)
    assert one.interruption_s is None
    assert (two.to_s, two.reason, two.planned) == (300, "switchover", True)
    assert (two.interruption_s, two.outage_s) == (17, 4.5)
    assert (three.to_s, three.length_s, three.reason, three.planned) == (None, None, "", None)
    assert three.interruption_s == 3
    assert three.unfenced == ["x"]


def test_what_cannot_be_known() -> None:
    """A file that is torn is shown as such; without journals there is no interruption, and no guess."""
    broken = (2, b"x" * 512)
    found = epochs([lease(1, "a", 100, 160), broken, lease(3, "b", 200, 210)], C, {})
    assert [one.state for one in found] == ["held", "unreadable", "held"]
    assert found[1].reason == "bad-crc"
    assert [one.interruption_s for one in found] == [None, None, None]


def test_an_epoch_given_up_without_a_release() -> None:
    """Its holder's journal says why, and until when it lived."""
    journals = {"a": [told(1, 170, "epoch-ended", 1, reason="renew-deadline")]}
    one = epochs([lease(1, "a", 100, 160), lease(2, "b", 200, 210)], C, journals)[0]
    assert (one.reason, one.to_s, one.planned) == ("renew-deadline", 170, False)


def test_events_in_order() -> None:
    """By wall clock, but those of one node in its own order, also when its clock was set back."""
    a = [told(1, 10, "x"), told(2, 5, "y"), told(3, 12, "z")]
    b = [told(1, 11, "w")]
    assert [(node, entry.event) for node, entry in in_order({"b": b, "a": a})] == [
        ("a", "x"),
        ("a", "y"),
        ("b", "w"),
        ("a", "z"),
    ]
