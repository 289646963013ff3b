"""'The daemon or its guard goes away': a restarted daemon adopts, in all variants."""

from __future__ import annotations

from typing import Any

import pytest

from acmd.core.calls import Fault, Kind
from acmd.core.decision import Arm, CloseGate, Disarm, Exit, Reason, Remember, Supervise
from acmd.core.lease import LeaseState
from acmd.core.observation import Gate, GuardView, Intent, Leave, Mode, ServicesView
from acmd.core.state import Lease, Remembered, Role, initial_state
from tests.unit.core_kit import (
    EPOCH,
    INTENT_ALL_DISABLED,
    ME,
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
)

UNSEEN = ServicesView(processes=True, jobs=False)
BEFORE = "incarnation-before"


def restarted(mine: Lease | None = None, restarts: int = 0, boot_id: str = ME.boot_id, **world: Any) -> Node:
    """A daemon whose predecessor held epoch 7; its last round was issued at 0 s."""
    left = Remembered(boot_id, mine or lease(incarnation=BEFORE, raw=b"old"), restarts)
    views = {"guard": armed(), "services": UNSEEN, "remembered": left}
    node = Node(initial_state(ME, at(0)), {6: raw(6, "b")}, **{**views, **world})
    node.disk[EPOCH] = raw(EPOCH, "a", incarnation=BEFORE)
    return node


def test_adopts_epoch_and_running_services() -> None:
    """'**adopts** epoch and running services: no failover, no restart of a service'."""
    node = restarted()
    effects = node.settle(3)
    assert node.role() is Role.ACTIVE
    assert (Mode.STOP in modes(effects), Mode.RUN in modes(effects)) == (False, True)
    assert (first(effects, Arm) >= 0, kinds(effects)) == (True, [Kind.LIST, Kind.READ, Kind.WRITE, Kind.READ])
    assert (node.written().epoch, node.written().sequence, node.written().incarnation) == (EPOCH, 4, BEFORE)


def test_the_own_record_is_read_first() -> None:
    """'After an adoption or a re-attachment the own record is read first, by the same rules.'"""
    node = restarted()
    node.disk[EPOCH] = raw(EPOCH, "a", incarnation=BEFORE, sequence=2)
    effects = node.settle(3)
    assert (node.role(), node.state.cause) == (Role.KILLING, Reason.EPOCH_LOST)
    assert Kind.WRITE not in kinds(effects)


def test_the_count_of_restarts_is_kept_first() -> None:
    """'(a bounded number of times in a row ...)': counted before anything can crash again."""
    node = restarted(restarts=2)
    effect = node.turn(3).effects[0]
    assert isinstance(effect, Remember)
    assert effect.restarts == 3


def test_a_crash_loop_demotes() -> None:
    """'a daemon in a crash loop demotes'."""
    node = restarted(restarts=ME.adoption_limit)
    effects = node.settle(3)
    assert (node.role(), node.state.cause) == (Role.GIVING_UP, Reason.CRASH_LOOP)
    assert Mode.RUN not in modes(effects)
    assert node.state.hold_down_since == at(3)
    node.settle(4, services=gone(), guard=disarmed())
    assert (node.written().state, node.written().successor) == (LeaseState.RELEASED, "b")


def test_a_daemon_that_lives_long_enough_is_in_no_crash_loop() -> None:
    """One acknowledgement is not enough: a daemon that dies after each is a crash loop too."""
    node = restarted(restarts=3)
    node.settle(1)
    assert node.state.adopted == 4
    for t in range(2, 16):
        node.settle(t, services=running())
    assert node.state.adopted == 4
    effects = node.settle(16)
    assert node.state.adopted == 0
    assert any(isinstance(effect, Remember) and effect.restarts == 0 for effect in effects)


@pytest.mark.parametrize("left", [None, Remembered("boot-before", lease())])
def test_nothing_to_adopt(left: Remembered | None) -> None:
    """Nothing in /run/acmd/, or a boot before this one: 'same boot id' or nothing."""
    node = restarted(remembered=left)
    node.turn(3)
    assert (node.role(), node.state.lease) == (Role.PASSIVE, None)


@pytest.mark.parametrize("t", [6, 9, 100])
def test_too_late_the_switch_acts(t: int) -> None:
    """'comes before R ... Later: the switch acts', and the next acknowledgement is not taken as fresh."""
    node = restarted()
    effects = node.settle(t)
    assert (node.role(), node.state.cause) == (Role.KILLING, Reason.RENEW_DEADLINE)
    assert (first(effects, Arm), kinds(effects)) == (-1, [])
    assert Mode.RUN not in modes(effects)
    node.settle(t + 1, services=gone(mode=Mode.KILL), guard=disarmed())
    assert node.written().state is LeaseState.RELEASED


def test_a_gate_that_has_closed_is_irrevocable() -> None:
    """The switch's clock had passed R: the adopter gives up what it cannot start any more."""
    node = restarted(guard=armed(gate=Gate.CLOSING))
    node.turn(3)
    assert (node.role(), node.state.cause) == (Role.GIVING_UP, Reason.GUARD_LOST)


def test_an_outstanding_write_of_the_daemon_before() -> None:
    """'that its worker died is no outcome ... no other renewal, by no process, also after an adoption'."""
    node = restarted(mine=lease(incarnation=BEFORE, sequence=4, outstanding=4))
    assert Kind.WRITE not in kinds(node.settle(3))
    node.disk[EPOCH] = raw(EPOCH, "a", incarnation=BEFORE, sequence=4)
    effects = node.settle(4)
    assert kinds(effects) == [Kind.LIST, Kind.READ, Kind.WRITE, Kind.READ]
    assert node.written().sequence == 5


def test_an_outstanding_write_that_never_lands() -> None:
    """R decides: it may land at any time, so nothing else may be written."""
    node = restarted(mine=lease(incarnation=BEFORE, sequence=4, outstanding=4))
    for t in range(1, 7):
        assert Kind.WRITE not in kinds(node.settle(t))
    assert node.role() is Role.DEMOTING


@pytest.mark.parametrize(
    "world",
    [
        {"intent": INTENT_ALL_DISABLED},
        {"intent": Intent(disabled_here=True)},
        {"leave": Leave.RELEASE},
        {"intent": Intent(known=False)},
    ],
    ids=str,
)
def test_nothing_is_decided_before_the_switch_has_been_heard(world: dict[str, Any]) -> None:
    """'work on ... acmd itself must not fence them': an adopter is no claimant that can be called off."""
    node = restarted(guard=GuardView(), **world)
    node.settle(1)
    node.turn(1.5)
    assert node.role() is Role.PROMOTING
    node.turn(1.8, guard=armed())
    assert node.role() in (Role.ACTIVE, Role.GIVING_UP)
    assert (node.role() is Role.GIVING_UP) is (
        world.get("leave") is Leave.RELEASE or world.get("intent") == Intent(disabled_here=True)
    )


def test_without_a_switch_an_adopter_demotes_within_a_heartbeat() -> None:
    """'a daemon that cannot re-arm one within h demotes'."""
    node = restarted(guard=GuardView())
    node.settle(1)
    node.settle(2)
    assert node.role() is Role.PROMOTING
    node.turn(2.1)
    assert (node.role(), node.state.cause) == (Role.GIVING_UP, Reason.GUARD_LOST)


def test_adopted_after_the_switch_had_disarmed() -> None:
    """All was gone already when the daemon died: armed again if the switch agrees."""
    node = restarted(guard=disarmed(6))
    assert has(node.turn(3).effects, Arm(EPOCH, at(0)))
    assert node.role() is Role.PROMOTING


# -- in maintenance ----------------------------------------------------------------------------------

OFF = lease(incarnation=BEFORE, detached=True, held_issued=False)
HANDS_OFF = running(mode=Mode.HANDS_OFF)


def detached_before(**world: Any) -> Node:
    """A daemon that comes back to a detached epoch of its own."""
    views = {"mine": OFF, "guard": disarmed(6)._replace(gate=Gate.OPEN), "intent": INTENT_ALL_DISABLED}
    node = restarted(**{**views, **world})
    node.disk[EPOCH] = raw(EPOCH, "a", incarnation=BEFORE, state=LeaseState.DETACHED)
    return node


def test_a_detached_epoch_is_adopted_however_late() -> None:
    """'A detached epoch does not expire': also not for the daemon that comes back to it a day later."""
    node = detached_before()
    effects = node.settle(86_400)
    assert node.role() is Role.DETACHED
    assert modes(effects)[0] is Mode.HANDS_OFF
    assert kinds(effects) == [Kind.LIST]


def test_a_restarted_daemon_disarms_only_by_a_new_acknowledgement() -> None:
    """'A restarted daemon disarms only by a newly acknowledged `detached`.'"""
    node = detached_before(guard=armed())
    node.turn(1)
    node.turn(1, node.honest(node.take(Kind.LIST), 1))
    effects = node.turn(1, node.honest(node.take(Kind.READ), 1)).effects
    assert kinds(effects) == [Kind.WRITE]
    effects += node.turn(1, node.honest(node.take(Kind.WRITE), 1)).effects
    assert first(effects, Disarm) == -1
    effects = node.turn(1, node.honest(node.take(Kind.READ), 1)).effects
    assert has(effects, Disarm(EPOCH, detached=True))
    assert node.written().sequence == 4


def test_an_armed_switch_keeps_its_deadline_until_then() -> None:
    """The record says `detached` and no `held` was issued since: the epoch cannot expire meanwhile."""
    node = detached_before(guard=armed(), services=HANDS_OFF)
    for t in range(1, 20):
        effects = node.turn(t).effects
        assert has(effects, Arm(EPOCH, at(t)))
        assert (first(effects, Disarm), first(effects, CloseGate)) == (-1, -1)
        while node.pending:
            node.turn(t, failed(node.pending.pop(0), t, Fault.TIMEOUT))


@pytest.mark.parametrize(
    ("leave", "ends"), [(Leave.ADOPT, True), (Leave.DETACH, False), (Leave.RELEASE, False)]
)
def test_leaving_before_the_new_acknowledgement(leave: Leave, *, ends: bool) -> None:
    """An armed switch would kill what `acmd detach` promised to keep: only a restart may go at once."""
    node = detached_before(guard=armed(), services=HANDS_OFF, leave=leave)
    effects = node.turn(1).effects
    assert (Exit() in effects) is ends
    if not ends:
        effects = node.settle(1.1)
        assert first(effects, Disarm) >= 0
        assert node.role() is Role.STOPPED


def test_enabled_while_the_daemon_was_away() -> None:
    """The way back starts as for any other: look at what runs, then arm, then read, then `held`."""
    node = detached_before(intent=Intent(), services=HANDS_OFF)
    effects = node.turn(100).effects
    assert node.role() is Role.REATTACHING
    assert has(effects, Arm(EPOCH, at(100)))
    effects = node.settle(100.2, guard=armed(issued=100))
    assert (node.role(), node.written().state) == (Role.ACTIVE, LeaseState.HELD)


def test_the_middle_of_a_re_attachment_is_adopted() -> None:
    """`detached` is out of /run/acmd/ and no `held` was issued: armed again, read first."""
    node = restarted(mine=lease(incarnation=BEFORE, held_issued=False), services=HANDS_OFF)
    node.disk[EPOCH] = raw(EPOCH, "a", incarnation=BEFORE, state=LeaseState.DETACHED)
    effects = node.settle(3)
    assert node.role() is Role.ACTIVE
    assert kinds(effects) == [Kind.LIST, Kind.READ, Kind.WRITE, Kind.READ]
    assert has(effects, Supervise(Mode.RUN, EPOCH, at(3)))


def test_the_middle_of_a_re_attachment_too_late() -> None:
    """The switch had been armed: after R it acts."""
    node = restarted(mine=lease(incarnation=BEFORE, held_issued=False))
    node.turn(6)
    assert node.role() is Role.KILLING


def test_a_restarted_winner_counts_from_nothing() -> None:
    """The crash loop of one epoch is not held against the next one that is won."""
    node = holder(Role.PASSIVE)
    node.state.lease, node.state.adopted = None, 4
    node.disk[EPOCH] = raw(EPOCH, "b", state=LeaseState.RELEASED)
    node.settle(1, services=gone(6), guard=disarmed(6))
    assert node.state.lease is not None
    assert node.state.adopted == 0
