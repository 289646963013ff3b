"""`core.orders`: what a command file may hold, what it means for a node, and each change of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmd.core.observation import Intent, SwitchoverRequest
from acmd.core.orders import (
    BadOrders,
    Disabled,
    Orders,
    clear_hold_down,
    disable_all,
    disable_node,
    enable_all,
    enable_node,
    ended_by_time,
    forget_node,
    from_content,
    intent_of,
    override_interlock,
    switch_over,
    to_content,
)

MARK = Disabled("alice", 1_700_000_000, "kernel", forced=True)
FULL = Orders(
    by="bob",
    at=5,
    what="enable b",
    everywhere=MARK,
    nodes={"b": Disabled("bob", 6)},
    switchover_epoch=7,
    switchover_to="c",
    dead_holder=3,
    dead_holder_sequence=77,
    hold_downs_cleared={"a": 2},
    interlock_override=6,
)


def test_what_is_written_is_read() -> None:
    """Orders survive the way through a file."""
    for orders in (Orders(), FULL):
        assert from_content(json.loads(json.dumps(to_content(orders)))) == orders


@pytest.mark.parametrize("key", sorted({*to_content(FULL)} - {"interlock_override", "dead_holder_sequence"}))
def test_incomplete_orders_are_refused(key: str) -> None:
    """Each part must be there."""
    content = to_content(FULL)
    del content[key]
    with pytest.raises(BadOrders, match=f"incomplete or of the wrong type: '{key}'"):
        from_content(content)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("by", 1),
        ("at", "now"),
        ("at", True),
        ("at", 1.5),
        ("what", None),
        ("everywhere", False),
        ("everywhere", {}),
        ("everywhere", {"by": "x", "at": 1, "reason": "", "forced": 1}),
        ("everywhere", {"by": "x", "at": "1", "reason": "", "forced": True}),
        ("nodes", None),
        ("nodes", {"b": None}),
        ("switchover_epoch", None),
        ("switchover_to", []),
        ("dead_holder", "3"),
        ("hold_downs_cleared", {"a": "2"}),
        ("hold_downs_cleared", [1]),
        ("interlock_override", "6"),
        ("everywhere", {"by": "x", "at": 1, "reason": "", "forced": True, "until": "noon"}),
    ],
)
def test_orders_of_the_wrong_type_are_refused(key: str, value: object) -> None:
    """Nothing is guessed: a value of another type makes the whole command one that cannot be followed."""
    with pytest.raises(BadOrders, match="wrong type"):
        from_content({**to_content(FULL), key: value})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(to_content(FULL))), JSON))
def test_whatever_a_file_holds(changes: dict[str, Any]) -> None:
    """Any JSON is either orders or BadOrders, and orders mean something for any node."""
    try:
        orders = from_content({**to_content(FULL), **changes})
    except BadOrders:
        return
    assert intent_of(orders, "a").known
    assert from_content(to_content(orders)) == orders


def test_nothing_ordered() -> None:
    """No orders: known, and nothing else."""
    assert intent_of(Orders(), "a") == Intent(known=True)


def test_what_they_mean_for_a_node() -> None:
    """A node is disabled by its own entry alone; forced only with it; the rest counts for everybody."""
    for_b = intent_of(FULL, "b")
    assert (for_b.all_disabled, for_b.disabled_here, for_b.forced) == (True, True, False)
    assert for_b.switchover == SwitchoverRequest(7, "c")
    assert (for_b.dead_holder, for_b.clear_hold_down) == ((3, 77), 0)
    for_a = intent_of(FULL, "a")
    assert (for_a.disabled_here, for_a.forced, for_a.clear_hold_down) == (False, False, 2)
    assert intent_of(disable_node(Orders(), "a", MARK), "a").forced


def test_changes_leave_the_rest_as_it_is() -> None:
    """Each change is signed and described, and touches nothing but what it names."""
    changed = disable_node(FULL, "a", MARK)
    assert (changed.nodes, changed.everywhere) == ({"b": FULL.nodes["b"], "a": MARK}, MARK)
    assert (changed.by, changed.at, changed.what) == ("alice", 1_700_000_000, "disable a")
    assert "a" not in FULL.nodes
    assert enable_node(changed, "a", MARK).nodes == FULL.nodes
    assert enable_node(FULL, "unheard-of", MARK).nodes == FULL.nodes
    assert enable_node(FULL, "b", MARK).what == "enable b"


def test_the_whole_cluster() -> None:
    """Disabled and enabled again; nodes that were disabled one by one stay so; a dead holder is named."""
    changed = disable_all(Orders(nodes=FULL.nodes), MARK)
    assert (changed.everywhere, changed.what) == (MARK, "disable all")
    enabled = enable_all(changed, MARK)
    assert (enabled.everywhere, enabled.nodes, enabled.dead_holder) == (None, FULL.nodes, -1)
    named = enable_all(changed, MARK, (9, 50))
    assert (named.dead_holder, named.dead_holder_sequence) == (9, 50)


def test_a_switchover_names_its_epoch() -> None:
    """So that it is void in any later one."""
    assert intent_of(switch_over(Orders(), MARK, 4, ""), "a").switchover == SwitchoverRequest(4, "")
    assert switch_over(Orders(), MARK, 4, "").what == "switchover of epoch 4 to any fit node"
    assert switch_over(Orders(), MARK, 4, "b").what == "switchover of epoch 4 to b"


def test_orders_of_an_earlier_version_are_followed() -> None:
    """What it did not know is as if it were not ordered."""
    content = to_content(FULL)
    del content["interlock_override"], content["everywhere"]["until"], content["nodes"]["b"]["until"]
    assert from_content(content) == replace(FULL, interlock_override=-1)


def test_a_hold_down_is_cleared_by_counting() -> None:
    """Each such order counts, so that a second one is not taken for the first."""
    changed = clear_hold_down(clear_hold_down(FULL, MARK, "a"), MARK, "b")
    assert changed.hold_downs_cleared == {"a": 3, "b": 1}
    assert changed.what == "clear the hold-down of b"


def test_an_override_names_its_epoch() -> None:
    """So that the next takeover asks again."""
    changed = override_interlock(FULL, MARK, 9)
    assert (changed.interlock_override, changed.what) == (9, "override the interlock for epoch 9")


def test_a_node_is_forgotten() -> None:
    """Nothing that names it is left; other nodes' orders are."""
    marked = disable_node(FULL, "a", MARK)
    changed = forget_node(marked, MARK, "a")
    assert (changed.nodes, changed.hold_downs_cleared) == (FULL.nodes, {})
    assert (changed.everywhere, changed.what) == (MARK, "forget a")


def until(second: int) -> Disabled:
    """A maintenance that ends by itself."""
    return replace(MARK, until=second)


def test_maintenance_ends_by_itself() -> None:
    """At its second, not before; signed by the node that ended it; nothing else changes."""
    orders = Orders(everywhere=until(100), nodes={"a": until(50), "b": until(50)})
    assert ended_by_time(orders, "a", 49, ends_all=True) is orders
    first = ended_by_time(orders, "a", 50, ends_all=False)
    assert (set(first.nodes), first.what, first.by) == ({"b"}, "enable a", "acmd on a")
    assert ended_by_time(first, "a", 100, ends_all=False) is first
    second = ended_by_time(first, "a", 100, ends_all=True)
    assert (second.everywhere, set(second.nodes), second.what) == (None, {"b"}, "enable all")


def test_maintenance_without_an_end() -> None:
    """It lasts until somebody ends it."""
    orders = Orders(everywhere=MARK, nodes={"a": MARK})
    assert ended_by_time(orders, "a", 2**40, ends_all=True) is orders
    assert ended_by_time(Orders(), "a", 2**40, ends_all=True) == Orders()


def test_a_text_steers_no_terminal_and_always_encodes() -> None:
    """A command file that somebody else wrote: no escape, no second line, no half of a character."""
    mark = {"by": "x\x1b[2J", "at": 1, "reason": "M\udcfcrz\nWARN all is lost", "forced": False, "until": 0}
    found = from_content({**to_content(FULL), "everywhere": mark})
    assert found.everywhere is not None
    assert (found.everywhere.by, found.everywhere.reason) == ("x?[2J", "M?rz?WARN all is lost")


@pytest.mark.parametrize("value", [10**18, -2])
def test_a_number_that_no_clock_has(value: int) -> None:
    """A time that cannot be shown would make every status fail: such orders are not followed."""
    mark = {"by": "x", "at": value, "reason": "", "forced": False, "until": 0}
    with pytest.raises(BadOrders, match="no number that belongs there"):
        from_content({**to_content(FULL), "everywhere": mark})
