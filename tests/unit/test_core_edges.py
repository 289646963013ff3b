"""What the protocol never asks for and a decision must survive: empty hands, strange answers."""

from __future__ import annotations

import random
from typing import Any

import pytest

from acmd.core.calls import Call, Fault, Kind, Listing
from acmd.core.decision import Arm, Disarm, Issue, Reason, Supervise
from acmd.core.lease import LeaseState
from acmd.core.observation import (
    Fenced,
    Gate,
    GuardView,
    Intent,
    Interlock,
    Leave,
    Mode,
    Outcome,
    ServicesView,
)
from acmd.core.state import FencingPolicy, Remembered, Role, Round, Self, initial_state
from acmd.core.timing import PROFILES
from acmd.core.turn import Turn
from tests.unit.core_kit import (
    CLUSTER_FILE,
    EPOCH,
    ME,
    Node,
    at,
    failed,
    gone,
    holder,
    kinds,
    lease,
    raw,
    watcher,
)

OWNERS = [
    Role.PROMOTING,
    Role.ACTIVE,
    Role.GIVING_UP,
    Role.DEMOTING,
    Role.KILLING,
    Role.DETACHED,
    Role.REATTACHING,
]


@pytest.mark.parametrize("role", [*OWNERS, Role.CLAIMING])
def test_a_role_without_what_it_is_about_does_nothing(role: Role) -> None:
    """A holder without a lease, a claimant without a claim: at most it looks."""
    node = holder(role)
    node.state.lease, node.state.cause = None, "stopping"
    assert kinds(node.settle(100)) in ([], [Kind.LIST])
    assert set(map(type, node.effects)) <= {Issue}
    assert node.role() is role


def test_the_ways_out_of_an_epoch_need_one() -> None:
    """Without a lease or a release there is nothing to stop, release, write or drop."""
    node = holder()
    turn = Turn(node.state, node.obs, at(1))
    turn.s.lease = None
    turn._ask_to_stop(Mode.KILL)
    turn.release("stopping", "")
    turn.write_release()
    turn.drop()
    turn.remember()
    turn.press_to_stop(Mode.KILL)
    assert not turn.all_gone()
    assert (turn.effects, turn.s.role) == ([], Role.ACTIVE)


@pytest.mark.parametrize("role", [Role.KILLING, Role.DEMOTING, Role.STOPPED, Role.ACTIVE])
def test_a_look_that_nobody_asked_for_in_this_role(role: Role) -> None:
    """It is taken off the list of what is under way, and is no news."""
    node = holder(role)
    node.state.cause = "stopping"
    call = Call(0, Kind.LIST)
    node.state.look, node.state.calls_made, node.state.cycle_began = call, 1, at(1)
    node.turn(1, Outcome(call, at(1), at(1), Listing((9,), CLUSTER_FILE)))
    assert node.state.highest_epoch == EPOCH


def test_the_end_of_an_older_release_is_not_that_of_the_newer() -> None:
    """Only the call under way counts."""
    node = watcher(raw())
    newer = Call(9, Kind.RELEASE, EPOCH)
    node.state.release_call = newer
    node.turn(0, failed(Call(4, Kind.RELEASE, EPOCH), 0))
    assert node.state.release_call == newer


def test_a_release_follows_the_one_under_way() -> None:
    """'One call of a class in flight': the epoch is erased at once, the record follows."""
    node = holder(Role.DEMOTING, services=gone(), guard=GuardView(alive=True, clean=True, ended=EPOCH))
    node.state.cause, node.state.release_call = "stopping", Call(2, Kind.RELEASE, EPOCH - 2)
    assert Kind.RELEASE not in kinds(node.turn(1).effects)
    node.settle(2, failed(Call(2, Kind.RELEASE, EPOCH - 2), 2))
    assert node.written().state is LeaseState.RELEASED


def test_a_link_that_ends_while_a_look_is_under_way() -> None:
    """The look decides anyway: no second one beside it."""
    node = watcher(raw(state=LeaseState.RELEASED))
    node.turn(0)
    for kind in (Kind.LIST, Kind.READ):
        node.turn(0, node.honest(node.take(kind), 0))
    node.state.look = Call(77, Kind.READ, EPOCH + 1)
    assert kinds(node.turn(0.1, node.honest(node.take(Kind.LINK), 0.1)).effects) == []


def test_a_listing_without_the_own_claim_is_not_fresh() -> None:
    """A directory that does not show what was just seen in it may hide other names as well."""
    node = watcher(raw(state=LeaseState.RELEASED))
    node.turn(0)
    for kind in (Kind.LIST, Kind.READ, Kind.LINK, Kind.READ):
        node.turn(0, node.honest(node.take(kind), 0))
    node.turn(0.1, Outcome(node.take(Kind.LIST), at(0.1), at(0.1), Listing((EPOCH,), CLUSTER_FILE)))
    assert node.role() is Role.CLAIMING
    node.settle(0.3)
    assert node.role() is Role.PROMOTING


def test_a_write_read_back_before_it_returned() -> None:
    """One write at a time, also when the last one is known to have landed."""
    node = holder(mine=lease(look_first=True))
    node.state.write = Call(3, Kind.WRITE, EPOCH, sequence=3)
    assert kinds(node.settle(1)) == [Kind.LIST, Kind.READ]
    assert node.state.round is None
    node.settle(2, Outcome(Call(3, Kind.WRITE, EPOCH, sequence=3), at(0), at(2)))
    assert node.written().sequence == 4


def test_a_read_back_without_a_write_that_returned_acknowledges_nothing() -> None:
    """'the call succeeded **and** a read begun after it returned': one of the two is not enough."""
    node = holder(mine=lease(sequence=4, outstanding=4))
    read = Call(9, Kind.READ, EPOCH)
    node.state.round, node.state.look = Round(at(1), listed=True, sequence=4), read
    node.disk[EPOCH] = raw(EPOCH, "a", sequence=4)
    node.state.calls_made, node.state.cycle_began = 10, at(1)
    node.turn(1.5, node.honest(read, 1.5))
    assert node.state.lease is not None
    assert (node.state.lease.outstanding, node.state.lease.issued) == (-1, at(0))
    assert not node.state.round


def test_a_word_about_no_observation() -> None:
    """Without the moment since when nobody was seen alive, a confirmation cannot be placed in time."""
    node = holder(
        Role.PROMOTING,
        me=ME._replace(fencing=FencingPolicy.REQUIRED),
        mine=lease(unfenced=("b",)),
        guard=GuardView(alive=True),
        services=gone(),
        fenced=(Fenced("b", at(0)),),
    )
    assert node.turn(1).reason is Reason.FENCING


@pytest.mark.parametrize("seed", range(40))
def test_any_sequence_of_observations_is_survived(seed: int) -> None:
    """Whatever is observed, in whatever order: no exception, pure, effects in their order."""
    rng = random.Random(seed)
    me: Self = ME._replace(timing=PROFILES[rng.choice(list(PROFILES))])
    left = Remembered("boot-a", lease(held_issued=rng.random() < 0.5, detached=rng.random() < 0.3), 1)
    node = Node(initial_state(me, at(0)), {EPOCH: raw(EPOCH, rng.choice("ab"))})
    node.obs = node.obs._replace(remembered=rng.choice([None, left]))
    t = 0.0
    for step in range(300):
        t += rng.choice([0.01, 0.1, 0.5, 1.0, 1.0, 2.0, 20.0])
        outcomes = []
        for call in tuple(node.pending):
            if rng.random() < 0.7:
                node.pending.remove(call)
                fault = rng.choice(list(Fault))
                outcomes.append(node.honest(call, t) if rng.random() < 0.8 else failed(call, t, fault))
        node.obs = node.obs._replace(fresh_id=f"attempt-{step}")
        if rng.random() < 0.3:
            node.obs = node.obs._replace(**_some_change(rng, node))
        confirmed = node.state.detach_confirmed
        decision = node.turn(t, *outcomes)
        for effect in decision.effects:
            if isinstance(effect, Supervise) and effect.mode is Mode.RUN:
                assert decision.state.role is Role.ACTIVE
                assert effect.issued is not None
            if isinstance(effect, Disarm) and effect.detached:
                assert confirmed or decision.state.detach_confirmed
            if isinstance(effect, Arm):
                assert decision.state.lease is not None or Kind.RELEASE in kinds(decision.effects)
            if isinstance(effect, Issue) and effect.call.kind is Kind.RELEASE:
                assert decision.state.lease is None
        if decision.state.role is Role.STOPPED:
            return


def _some_change(rng: random.Random, node: Node) -> dict[str, Any]:
    epoch = node.state.lease.epoch if node.state.lease else EPOCH
    return rng.choice(
        [
            {
                "guard": GuardView(
                    True, rng.choice([None, epoch]), at(0), rng.choice(list(Gate)), True, ended=epoch
                )
            },
            {"guard": GuardView(True, epoch, at(0), Gate.OPEN)},
            {"guard": GuardView()},
            {"services": gone(epoch, rng.choice(list(Mode)))},
            {"services": ServicesView(rng.choice(list(Mode)), epoch, failed=rng.random() < 0.2)},
            {
                "intent": Intent(
                    all_disabled=rng.random() < 0.3, disabled_here=rng.random() < 0.2, dead_holder=(epoch, 7)
                )
            },
            {"interlock": rng.choice(list(Interlock))},
            {"fenced": (Fenced("b", at(rng.random() * 100)),)},
            {"fit": rng.random() < 0.8},
            {"run_ok": rng.random() < 0.8},
            {"leave": rng.choices(list(Leave), (20, 1, 1, 1))[0]},
        ]
    )
