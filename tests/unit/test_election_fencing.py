"""'Observing and taking over', step 7: `unfenced` is a set of hosts, and what the policies make of it."""

from __future__ import annotations

from typing import Any

import pytest

from acmd.core.calls import Kind
from acmd.core.decision import Arm, Effect, Fence, Reason, Remember
from acmd.core.lease import LeaseState
from acmd.core.observation import Fenced, Intent, Mode, Observation, Peer
from acmd.core.state import FencingPolicy, Role, Self
from acmd.core.timing import NS_PER_S
from tests.unit.core_kit import (
    EPOCH,
    ME,
    WORLD,
    Node,
    armed,
    at,
    disarmed,
    first,
    gone,
    has,
    holder,
    kinds,
    lease,
    modes,
    raw,
    watcher,
)

REQUIRED = ME._replace(fencing=FencingPolicy.REQUIRED)
BEST_EFFORT = ME._replace(fencing=FencingPolicy.BEST_EFFORT)
NEW = EPOCH + 1
NODES = (Peer("b", fit=True), Peer("c", fit=True))


def unfenced_of_claim(
    found: bytes, *, highest: int = EPOCH, ended_by: Observation = WORLD
) -> tuple[str, ...]:
    """The set that a claim after this record puts into its own."""
    node = watcher(found, peers=ended_by.peers, fenced=ended_by.fenced, intent=ended_by.intent)
    node.state.highest_epoch = highest
    t = 0.0
    while node.role() is Role.PASSIVE and t < 30.0:
        node.turn(t)
        while node.pending and node.pending[0].kind is not Kind.LINK:
            node.turn(t, node.honest(node.pending.pop(0), t))
        t += 0.5
    assert node.state.claim is not None
    return node.state.claim.unfenced


@pytest.mark.parametrize(
    ("found", "unfenced"),
    [
        (raw(), ("b",)),
        (raw(unfenced=("c",)), ("b", "c")),
        (raw(unfenced=("a", "c")), ("b", "c")),
        (raw(state=LeaseState.RELEASED), ()),
        (raw(state=LeaseState.RELEASED, unfenced=("c",)), ("c",)),
        (raw(unfenced=("*",)), ("*", "b")),
        (raw(holder="a"), ()),
        (b"torn" * 128, ("*",)),
    ],
    ids=[
        "expiry",
        "inherits",
        "drops-itself",
        "released",
        "not-forgotten-over-a-release",
        "all",
        "own",
        "torn",
    ],
)
def test_what_a_claim_inherits(found: bytes, unfenced: tuple[str, ...]) -> None:
    """'An expiry adds the holder's; every claim inherits the rest; ... A claimant drops itself'."""
    assert unfenced_of_claim(found) == unfenced


def test_an_older_directory_tells_nothing_of_who_held_last() -> None:
    """Below the highest epoch remembered any host may have held: '*'."""
    assert unfenced_of_claim(raw(unfenced=("c",)), highest=20) == ("*",)


def test_a_host_confirmed_off_is_left_out() -> None:
    """'an entry goes only after a fence agent, or an operator's 'that host is off', confirmed it'."""
    word = WORLD._replace(fenced=(Fenced("b", at(2)),))
    assert unfenced_of_claim(raw(unfenced=("c",)), ended_by=word) == ("c",)


def test_a_detached_holder_declared_dead_is_unfenced() -> None:
    """The operator's override ends the epoch; that the host is off is a word of its own."""
    found = raw(state=LeaseState.DETACHED, sequence=60)
    word = WORLD._replace(intent=Intent(dead_holder=(EPOCH, 60)))
    assert unfenced_of_claim(found, ended_by=word) == ("b",)


@pytest.mark.parametrize(
    ("peers", "fenced", "left"),
    [
        (NODES, ("b",), ("*",)),
        (NODES, ("b", "c"), ()),
        ((), ("b",), ("*",)),
        (NODES, ("*",), ()),
    ],
    ids=["one", "all", "nobody-known", "the-operator-says-all"],
)
def test_every_host_goes_when_every_known_peer_is_confirmed(
    peers: tuple[Peer, ...], fenced: tuple[str, ...], left: tuple[str, ...]
) -> None:
    """'*' stands for hosts that nobody can name."""
    word = WORLD._replace(peers=peers, fenced=tuple(Fenced(host, at(2)) for host in fenced))
    assert unfenced_of_claim(b"torn" * 128, ended_by=word) == left


def test_every_record_repeats_the_set() -> None:
    """'every record (renewals, releases, the helper's too) repeats it'."""
    node = holder(mine=lease(unfenced=("b", "c")))
    node.settle(1)
    assert node.written().unfenced == ("b", "c")
    node.turn(2, intent=Intent(disabled_here=True, forced=True))
    node.settle(2, services=gone(), guard=disarmed())
    assert (node.written().state, node.written().unfenced) == (LeaseState.RELEASED, ("b", "c"))


def active_beside_unfenced(since: float | None = -5, **changes: Any) -> Node:
    """An active node whose record names b and c; `since` is when the epoch before it stood still."""
    node = holder(mine=lease(unfenced=("b", "c")), **changes)
    node.state.fence_since = None if since is None else at(since)
    return node


@pytest.mark.parametrize("me", [ME, REQUIRED], ids=["off", "required"])
def test_an_active_node_drops_a_host_once_confirmed(me: Self) -> None:
    """'an entry goes only after a fence agent, or an operator's word': also when that comes late."""
    node = active_beside_unfenced(me=me)
    effects = node.turn(1, fenced=(Fenced("b", at(0)),)).effects
    assert first(effects, Remember) >= 0
    assert first(effects, Fence) == -1
    node.settle(2)
    assert node.role() is Role.ACTIVE
    assert node.written().unfenced == ("c",)


@pytest.mark.parametrize(("since", "asked"), [(-5, -6), (None, 0)], ids=["an-older-word", "never-seen"])
def test_an_active_node_keeps_what_is_not_confirmed(since: float | None, asked: float) -> None:
    """A word about the time before the observation says nothing of the epoch after it."""
    node = active_beside_unfenced(since, fenced=(Fenced("b", at(asked)),))
    node.settle(1)
    assert node.written().unfenced == ("b", "c")


def promoting(me: Self, **world: Any) -> Node:
    """A node that won epoch 7 by expiry: b is unfenced; nothing is armed or started."""
    world.setdefault("has_fence_agent", True)
    node = holder(
        Role.PROMOTING, me=me, mine=lease(unfenced=("b",)), guard=disarmed(6), services=gone(6), **world
    )
    node.state.fence_since = at(-5)
    return node


def test_with_required_nothing_starts_before() -> None:
    """'With `required` nothing starts before (renewals go on meanwhile ...)'."""
    node = promoting(REQUIRED)
    effects: list[Effect] = []
    for t in range(1, 20):
        effects += node.settle(t)
        assert node.turn(t).reason is Reason.FENCING
    assert has(effects, Fence("b"))
    assert first(tuple(effects), Arm) == -1, "a renewal that is acknowledged meanwhile must not arm"
    assert modes(tuple(effects)) == []
    assert node.written().sequence == 22


def test_once_confirmed_the_entry_goes_and_the_switch_is_armed() -> None:
    """'Then arm the switch.' The next record has the smaller set, and /run/acmd/ too."""
    node = promoting(REQUIRED)
    node.settle(1)
    effects = node.turn(1.5, fenced=(Fenced("b", at(-1)),)).effects
    assert 0 <= first(effects, Remember) < first(effects, Arm)
    assert modes(effects) == []
    node.settle(2)
    assert node.written().unfenced == ()
    effects = node.turn(2.5, guard=armed(issued=2)).effects
    assert node.role() is Role.ACTIVE
    assert Mode.RUN in modes(effects)


def test_a_word_from_before_the_observation_confirms_nothing() -> None:
    """The host may have come back since."""
    node = promoting(REQUIRED)
    node.settle(1, fenced=(Fenced("b", at(-6)), Fenced("c", at(1))))
    assert node.turn(1).reason is Reason.FENCING


def test_required_tries_until_its_limit_then_releases_and_holds_down() -> None:
    """'failing: release, hold down': not for one try that failed, which may have begun before the claim."""
    node = promoting(REQUIRED)
    node.settle(1)
    node.state.lease = lease(unfenced=("b",), issued=at(59))
    assert has(node.turn(60, fencing_failed=True).effects, Fence("b"))
    assert node.role() is Role.PROMOTING
    node.turn(61)
    assert (node.role(), node.state.cause) == (Role.GIVING_UP, Reason.FENCING_FAILED)
    assert node.state.hold_down_ns == 30 * NS_PER_S
    effects = node.settle(62, services=gone()) + node.settle(62, guard=disarmed())
    assert Kind.RELEASE in kinds(effects)
    assert first(effects, Arm) == -1
    assert node.written().unfenced == ("b",)


def test_best_effort_that_fails_starts_and_keeps_the_entry() -> None:
    """With best effort a failure is an alarm, and the set remembers it."""
    node = promoting(BEST_EFFORT)
    assert has(node.turn(1).effects, Fence("b"))
    effects = node.turn(2, fencing_failed=True).effects
    assert first(effects, Arm) >= 0
    node.settle(3)
    assert node.written().unfenced == ("b",)


@pytest.mark.parametrize("unfenced", [(), ("b",)])
def test_policy_off_asks_nobody_and_keeps_the_set(unfenced: tuple[str, ...]) -> None:
    """Without an agent the set is still kept: a later policy must know it."""
    node = promoting(ME)
    node.state.lease = lease(unfenced=unfenced)
    effects = node.turn(1).effects
    assert first(effects, Fence) == -1
    assert first(effects, Arm) >= 0


def test_every_host_means_each_known_peer_is_asked() -> None:
    """An agent can only be asked for a host that has a name."""
    node = promoting(REQUIRED, peers=NODES)
    node.state.lease = lease(unfenced=("*",))
    effects = node.turn(1).effects
    assert {effect.host for effect in effects if isinstance(effect, Fence)} == {"b", "c"}


def test_every_host_means_the_silent_ones_too() -> None:
    """Who held without a record that tells so may be the very node that is not heard any more."""
    silent = (Peer("b", fit=True, heard=False), NODES[1])
    node = promoting(REQUIRED, peers=silent)
    node.state.lease = lease(unfenced=("*",))
    effects = node.turn(1, fenced=(Fenced("c", at(0)),)).effects
    assert has(effects, Fence("b"))
    assert first(effects, Arm) == -1
    assert first(node.turn(2, fenced=(Fenced("c", at(0)), Fenced("b", at(1)))).effects, Arm) >= 0


def test_part_of_the_set_confirmed() -> None:
    """Each entry goes by itself; the rest still bars the start."""
    node = promoting(REQUIRED, peers=NODES)
    node.state.lease = lease(unfenced=("b", "c"))
    effects = node.turn(1, fenced=(Fenced("c", at(0)),)).effects
    assert node.state.lease is not None
    assert node.state.lease.unfenced == ("b",)
    assert has(effects, Fence("b"))
    assert not has(effects, Fence("c"))


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ({}, True),
        ({"agent": False}, False),
        ({"suspect_s": 0}, False),
        ({"fencing": FencingPolicy.OFF}, False),
        ({"found": raw(state=LeaseState.DETACHED)}, False),
        ({"found": raw(holder="a")}, False),
    ],
    ids=str,
)
def test_the_agent_may_be_asked_before_w(change: dict[str, Any], *, asked: bool) -> None:
    """'(it may be asked before W once `suspect_after` has passed with successful unchanged reads)'."""
    me = REQUIRED._replace(
        suspect_after_ns=change.get("suspect_s", 4) * NS_PER_S,
        fencing=change.get("fencing", FencingPolicy.REQUIRED),
    )
    node = watcher(change.get("found", raw()), me=me, has_fence_agent=change.get("agent", True))
    for t in range(4):
        assert first(node.settle(t), Fence) == -1
    assert (Fence("b") in node.settle(4)) is asked
    assert node.role() is Role.PASSIVE


def test_a_confirmation_is_followed_by_a_look_at_once() -> None:
    """What a claim still needs is one more read: it does not wait for the next heartbeat."""
    node = watcher(raw(), me=REQUIRED._replace(suspect_after_ns=4 * NS_PER_S), has_fence_agent=True)
    for t in range(5):
        node.settle(t)
    node.settle(4.2, fenced=(Fenced("b", at(4)),))
    assert node.state.lease is not None
