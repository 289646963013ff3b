"""What a holder does: arm and start, keep, give up on purpose, demote, be killed."""

from __future__ import annotations

from typing import Any

import pytest

from acmd.core.calls import Fault, Kind
from acmd.core.decision import Arm, CloseGate, Disarm, Exit, Reason, Supervise
from acmd.core.lease import LeaseState
from acmd.core.observation import Gate, GuardView, Intent, Leave, Mode, SwitchoverRequest
from acmd.core.state import Role
from acmd.core.timing import NS_PER_S
from tests.unit.core_kit import (
    EPOCH,
    ME,
    NOBODY,
    READY,
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
    promoting,
    raw,
    running,
    until,
)

# -- promoting ------------------------------------------------------------------------------------


def test_arms_until_the_switch_is_seen_open_then_runs() -> None:
    """S2: 'only under a lease known to be valid, with the dead man's switch armed first.'"""
    node = promoting()
    for t in (0.1, 0.2):
        effects = node.turn(t).effects
        assert has(effects, Arm(EPOCH, at(0)))
        assert modes(effects) == []
    effects = node.turn(0.3, guard=armed()).effects
    assert node.role() is Role.ACTIVE
    assert has(effects, Supervise(Mode.RUN, EPOCH, at(0)))


def test_a_switch_that_cannot_be_armed_is_a_reason_to_give_up() -> None:
    """Otherwise the lease would be kept for ever by a node that can start nothing."""
    node = promoting()
    for t in range(1, 8):
        node.settle(t)
    assert node.role() is Role.PROMOTING
    node.settle(8)
    assert (node.role(), node.state.cause) == (Role.GIVING_UP, Reason.GUARD_LOST)
    assert node.state.hold_down_since == at(8)
    assert has(node.settle(9, services=gone()), Disarm(EPOCH))
    node.settle(9, guard=disarmed())
    assert (node.written().state, node.written().successor) == (LeaseState.RELEASED, "b")


@pytest.mark.parametrize(
    ("world", "cause"),
    [
        ({"leave": Leave.RELEASE}, Reason.STOPPING),
        ({"leave": Leave.DETACH}, Reason.STOPPING),
        ({"intent": Intent(all_disabled=True)}, Reason.ALL_DISABLED),
        ({"intent": Intent(disabled_here=True)}, Reason.DISABLED),
    ],
    ids=str,
)
def test_what_calls_a_promotion_off(world: dict[str, Any], cause: Reason) -> None:
    """Something came between the claim and the first start: nothing is started, the epoch is released."""
    node = promoting()
    effects = node.turn(1, **world).effects
    assert (node.role(), node.state.cause) == (Role.GIVING_UP, cause)
    assert first(effects, Arm) == -1
    assert Mode.RUN not in modes(effects)
    effects = node.settle(2, services=gone()) + node.settle(2, guard=disarmed())
    assert first(effects, Arm) == -1
    assert node.written().state is LeaseState.RELEASED


def test_a_restart_during_a_promotion_exits_for_adoption() -> None:
    """'a *restart* ... exits for adoption instead'."""
    node = promoting(leave=Leave.ADOPT)
    assert node.turn(1).effects[-1] == Exit()
    assert node.role() is Role.STOPPED
    assert node.turn(2).effects == (Exit(),)


# -- active: reasons to give up --------------------------------------------------------------------

LEAVING: list[tuple[dict[str, Any], Reason, str]] = [
    ({"leave": Leave.RELEASE}, Reason.STOPPING, "b"),
    ({"leave": Leave.RELEASE, "peers": NOBODY}, Reason.STOPPING, ""),
    ({"intent": Intent(disabled_here=True)}, Reason.DISABLED, "b"),
    ({"intent": Intent(disabled_here=True, forced=True), "peers": NOBODY}, Reason.DISABLED, ""),
    ({"intent": Intent(switchover=SwitchoverRequest(EPOCH))}, Reason.SWITCHOVER, "b"),
    ({"intent": Intent(switchover=SwitchoverRequest(EPOCH, "b"))}, Reason.SWITCHOVER, "b"),
    ({"services": running(failed=True)}, Reason.SERVICE_FAILED, "b"),
    ({"fit": False}, Reason.UNFIT, "b"),
]


@pytest.mark.parametrize(("world", "cause", "successor"), LEAVING, ids=lambda value: str(value)[:50])
def test_reasons_to_give_up(world: dict[str, Any], cause: Reason, successor: str) -> None:
    """'Switchover, host going down, a service that cannot be kept up: gate to *closing* ...; stop'."""
    node = holder()
    effects = node.turn(1, **world).effects
    assert (node.role(), node.state.cause, node.state.successor) == (Role.GIVING_UP, cause, successor)
    assert 0 <= first(effects, CloseGate) < first(effects, Supervise)
    assert modes(effects)[0] is Mode.STOP
    assert (node.state.hold_down_since is not None) is (cause is Reason.SERVICE_FAILED)


@pytest.mark.parametrize(
    "world",
    [
        {"intent": Intent(disabled_here=True), "peers": NOBODY},
        {"intent": Intent(switchover=SwitchoverRequest(EPOCH)), "peers": NOBODY},
        {"intent": Intent(switchover=SwitchoverRequest(EPOCH, "c")), "peers": NOBODY},
        {"intent": Intent(switchover=SwitchoverRequest(EPOCH - 1, "b"))},
        {"services": running(failed=True), "peers": NOBODY},
        {"services": running(EPOCH - 1, failed=True)},
        {"fit": False, "peers": NOBODY},
        {"fit": False, "peers": ()},
    ],
    ids=str,
)
def test_without_a_fit_peer_a_holder_stays(world: dict[str, Any]) -> None:
    """'refused without a fit peer unless forced'; a switchover request of another epoch is void."""
    node = holder()
    node.settle(1, **world)
    assert node.role() is Role.ACTIVE


def test_supervision_is_asked_until_it_runs() -> None:
    """Effects are level-triggered: what does not show is asked for again."""
    node = holder(services=gone(6))
    assert modes(node.turn(0.5).effects) == [Mode.RUN]
    assert modes(node.turn(0.6, services=running(6)).effects) == [Mode.RUN]
    assert modes(node.turn(0.7, services=running()).effects) == []


def test_a_long_time_in_office_ends_the_growth_of_hold_downs() -> None:
    """Failures of long ago do not lengthen the next hold-down."""
    node = holder(mine=lease(issued=at(599)))
    node.state.failures = 3
    node.settle(600)
    assert node.state.failures == 3
    node.settle(601)
    assert node.state.failures == 0


# -- the switch goes away --------------------------------------------------------------------------


@pytest.mark.parametrize("guard", [GuardView(), READY, armed(6)], ids=["dead", "disarmed", "other-epoch"])
def test_without_a_switch_it_demotes_within_a_heartbeat(guard: GuardView) -> None:
    """'a daemon that cannot re-arm one within h demotes'."""
    node = holder(guard=guard)
    decision = node.turn(0.5)
    assert has(decision.effects, Arm(EPOCH, at(0)))
    assert decision.wake_in_ns <= 0.25 * NS_PER_S
    node.turn(1.4)
    assert node.role() is Role.ACTIVE
    node.turn(1.5)
    assert (node.role(), node.state.cause) == (Role.GIVING_UP, Reason.GUARD_LOST)


def test_a_switch_that_comes_back_in_time_is_armed_again() -> None:
    """A new switch that is armed within h changes nothing."""
    node = holder(guard=GuardView())
    node.turn(0.5)
    node.turn(1.0, guard=armed())
    node.turn(5, guard=GuardView())
    assert node.role() is Role.ACTIVE


@pytest.mark.parametrize(("gate", "role"), [(Gate.CLOSING, Role.DEMOTING), (Gate.SHUT, Role.KILLING)])
def test_the_switchs_clock_counts_too(gate: Gate, role: Role) -> None:
    """'*Closing* (at R by the switch's own clock ...)': the daemon follows the switch, never back."""
    node = holder(guard=armed(gate=gate))
    node.turn(1)
    assert node.role() is role


# -- passive: clear, and leaving --------------------------------------------------------------------


def test_a_restart_while_active_leaves_all_as_it_is() -> None:
    """'exits for adoption instead': nothing is stopped, disarmed or released."""
    node = holder(leave=Leave.ADOPT)
    effects = node.turn(0.5).effects
    assert node.role() is Role.STOPPED
    assert (modes(effects), first(effects, Disarm), kinds(effects)) == ([], -1, [])


def test_a_restart_waits_for_a_write_under_way() -> None:
    """A write whose end nobody knows would keep the next daemon from renewing at all."""
    node = holder()
    node.turn(1)
    node.turn(1, node.honest(node.take(Kind.LIST), 1))
    write = node.take(Kind.WRITE)
    assert first(node.turn(1.1, leave=Leave.ADOPT).effects, Exit) == -1
    node.turn(1.2, node.honest(write, 1.1, 1.2))
    assert node.role() is Role.STOPPED
    assert node.state.lease is not None
    assert node.state.lease.outstanding == -1


def test_me_is_the_node_of_these_tests() -> None:
    """The numbers above assume these limits."""
    assert ME.give_up_limit_ns == 120 * NS_PER_S


def test_a_guard_lost_in_one_epoch_says_nothing_of_the_next() -> None:
    """Late with one answer just as a switchover came, it must not cost the next takeover and a hold-down."""
    node = holder()
    node.settle(1.0, guard=armed()._replace(alive=False))
    node.settle(1.3, intent=Intent(switchover=SwitchoverRequest(EPOCH, "b")))
    assert node.role() is Role.GIVING_UP
    node.settle(1.4, guard=disarmed(), services=gone())
    node.disk[EPOCH + 1] = raw(EPOCH + 1, "b")
    t = 60.0
    while node.role() is Role.PASSIVE and t < 120:
        node.settle(t)
        t += 1.0
    assert (node.role(), node.state.hold_down_since) == (Role.PROMOTING, None)


@pytest.mark.parametrize("fault", [Fault.WORKER_LOST, Fault.LOCAL, Fault.IO])
def test_the_late_fault_of_a_write_stops_no_round(fault: Fault) -> None:
    """What became of it is known now, or as unknown as before; the round under way has another worker."""
    node = holder()
    write = until(node, Kind.WRITE, 1)
    node.settle(3, failed(write, 3, Fault.TIMEOUT))
    node.disk[EPOCH] = write.raw
    until(node, Kind.WRITE, 4)
    node.turn(4.1, failed(write, 4.1, fault, late=True))
    assert node.state.round is not None
    assert node.state.lease is not None
    assert node.state.lease.outstanding == 5
