"""'Observing and taking over', step 4: who may claim."""

from __future__ import annotations

from typing import Any

import pytest

from acmd.core.calls import Kind
from acmd.core.decision import Fence, Reason
from acmd.core.lease import LeaseState
from acmd.core.observation import (
    Fenced,
    Gate,
    GuardView,
    Intent,
    Interlock,
    Leave,
    Peer,
    ServicesView,
)
from acmd.core.state import Role
from acmd.core.timing import NS_PER_S
from acmd.core.turn import Turn
from tests.unit.core_kit import (
    AGENT,
    EPOCH,
    GONE,
    NEW,
    READY,
    RELEASED,
    armed,
    at,
    first,
    kinds,
    raw,
    watcher,
)

BLOCKED: list[tuple[dict[str, Any], Reason]] = [
    ({"intent": Intent(known=False)}, Reason.INTENT_UNKNOWN),
    ({"intent": Intent(all_disabled=True)}, Reason.ALL_DISABLED),
    ({"intent": Intent(disabled_here=True)}, Reason.DISABLED),
    ({"fit": False}, Reason.UNFIT),
    ({"run_ok": False}, Reason.RUN_UNWRITABLE),
    ({"guard": GuardView()}, Reason.GUARD_MISSING),
    ({"guard": READY._replace(watchdog_ok=False)}, Reason.WATCHDOG_MISSING),
    ({"services": GONE._replace(processes=True)}, Reason.OWN_SERVICES_LEFT),
    ({"services": GONE._replace(jobs=True)}, Reason.OWN_SERVICES_LEFT),
    ({"services": GONE._replace(drained=False)}, Reason.OWN_SERVICES_LEFT),
    ({"services": ServicesView()}, Reason.OWN_SERVICES_LEFT),
    ({"guard": READY._replace(clean=False)}, Reason.GUARD_NOT_CLEAN),
    ({"guard": armed(5, Gate.SHUT)}, Reason.GUARD_NOT_CLEAN),
    ({"interlock": Interlock.BLOCKED}, Reason.INTERLOCK),
]


@pytest.mark.parametrize(("world", "reason"), BLOCKED, ids=lambda value: str(value)[:60])
def test_what_makes_a_node_ineligible(world: dict[str, Any], reason: Reason) -> None:
    """'Eligible: not disabled, fit, ..., own services observed gone and synced, switch disarmed, ...'."""
    node = watcher(RELEASED, **world)
    node.turn(0)
    node.turn(0, node.honest(node.take(Kind.LIST), 0))
    decision = node.turn(0, node.honest(node.take(Kind.READ), 0))
    assert (node.role(), decision.reason) == (Role.PASSIVE, reason)
    assert Kind.LINK not in kinds(decision.effects)


def test_yields_to_the_named_target_for_w() -> None:
    """'not yielding to a named target (yielding ends after W)'."""
    node = watcher(raw(state=LeaseState.RELEASED, successor="b"))
    t = 0.0
    while t < 14.7:
        node.settle(t)
        assert (node.role(), node.turn(t).reason) == (Role.PASSIVE, Reason.YIELDING)
        t += 1.0
    node.settle(15)
    assert node.state.lease is not None


def test_the_named_target_does_not_yield() -> None:
    """'The successor needs no W'."""
    node = watcher(raw(state=LeaseState.RELEASED, successor="a"))
    node.settle(0)
    assert node.state.lease is not None


@pytest.mark.parametrize("leave", [Leave.RELEASE, Leave.ADOPT, Leave.DETACH])
def test_a_leaving_node_claims_nothing(leave: Leave) -> None:
    """A daemon that was told to end is no candidate."""
    node = watcher(RELEASED)
    node.turn(0)
    node.turn(0, node.honest(node.take(Kind.LIST), 0))
    node.turn(0, node.honest(node.take(Kind.READ), 0), leave=leave)
    assert node.role() is Role.STOPPED


def test_hold_down_grows_ends_and_is_cleared() -> None:
    """'no hold-down': it doubles with each failure up to its limit, ends by time or an operator's command."""
    node = watcher(RELEASED)
    for failures, length in ((1, 30), (2, 60), (6, 600), (99, 600)):
        turn = Turn(node.state, node.obs, at(0))
        turn.s.failures = failures - 1
        turn.hold_down()
        assert turn.s.hold_down_ns == length * NS_PER_S
        node.state = turn.s
    node.settle(590)
    assert node.turn(590).reason is Reason.HOLD_DOWN
    node.settle(591, intent=Intent(known=False, clear_hold_down=0))
    node.settle(592, intent=Intent(clear_hold_down=1))
    assert node.state.lease is not None
    assert (node.state.failures, node.state.hold_down_since) == (0, None)


def test_an_order_from_before_the_start_clears_nothing() -> None:
    """What an operator cleared once does not undo the hold-down of a daemon that starts later."""
    node = watcher(RELEASED, intent=Intent(known=False))
    node.state.hold_down_since, node.state.hold_down_ns = at(0), 30 * NS_PER_S
    node.settle(1)
    node.settle(2, intent=Intent(clear_hold_down=3))
    assert node.turn(2).reason is Reason.HOLD_DOWN
    node.settle(3, intent=Intent(clear_hold_down=4))
    assert node.state.hold_down_since is None


def test_hold_down_ends_by_itself() -> None:
    """When its time has passed the node is a candidate again."""
    node = watcher(RELEASED)
    node.state.hold_down_since, node.state.hold_down_ns = at(0), 30 * NS_PER_S
    node.settle(29)
    assert node.role() is Role.PASSIVE
    node.settle(30)
    assert node.role() is not Role.PASSIVE


def test_an_interlock_blocks_until_it_agrees() -> None:
    """'interlocks agree'; 'a node that an interlock blocks is not eligible, and says so'."""
    node = watcher(RELEASED, interlock=Interlock.BLOCKED, **AGENT)
    t = 0.0
    while t <= 14.0:
        assert first(node.settle(t), Fence) == -1
        t += 1.0
    assert Fence("b") in node.settle(15), "'Blocked for longer than W: the fence agent if there is one'"
    node.settle(16, interlock=Interlock.OVERRIDDEN)
    assert node.state.lease is not None


def test_without_an_agent_an_interlock_is_left_to_the_operator() -> None:
    """'else an alarm and an operator's override'."""
    node = watcher(RELEASED, interlock=Interlock.BLOCKED)
    for t in range(40):
        assert first(node.settle(t), Fence) == -1
    assert node.role() is Role.PASSIVE


def test_the_agents_word_settles_an_interlock() -> None:
    """A host that is confirmed off answers no more, whatever a cached answer says."""
    node = watcher(RELEASED, interlock=Interlock.BLOCKED, **AGENT)
    node.settle(0)
    node.settle(1, fenced=(Fenced("b", at(0.5)),))
    assert node.state.lease is not None


def test_each_interlock_gets_its_own_w() -> None:
    """An interlock of yesterday's election must not shorten today's patience."""
    node = watcher(RELEASED, interlock=Interlock.BLOCKED, **AGENT)
    node.settle(0)
    node.disk[NEW] = raw(NEW, "b", sequence=1)
    node.settle(1, interlock=Interlock.CLEAR)
    node.settle(2, interlock=Interlock.BLOCKED)
    node.disk[NEW] = raw(NEW, "b", state=LeaseState.RELEASED)
    assert first(node.settle(1000), Fence) == -1


def test_this_host_is_never_fenced_by_itself() -> None:
    """The agent is for the others: an interlock over an own record shoots nobody."""
    node = watcher(raw(EPOCH, "a", state=LeaseState.RELEASED), interlock=Interlock.BLOCKED, **AGENT)
    for t in range(40):
        assert Fence("a") not in node.settle(t)


def test_an_interlock_over_a_torn_record_asks_for_every_peer() -> None:
    """Nobody knows who held: each known peer is to be off before it passes, silent ones too."""
    peers = (Peer("b", fit=True), Peer("c", fit=False, heard=False))
    node = watcher(b"torn" * 128, interlock=Interlock.BLOCKED, peers=peers, **AGENT)
    effects = tuple(effect for t in range(40) for effect in node.settle(t))
    assert {effect.host for effect in effects if isinstance(effect, Fence)} == {"b", "c"}
    node.settle(41, fenced=(Fenced("b", at(35)),))
    assert node.role() is Role.PASSIVE
    node.settle(42, fenced=(Fenced("b", at(35)), Fenced("c", at(36))))
    assert node.state.lease is not None
