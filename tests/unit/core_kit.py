"""One node's `decide`, driven by hand: a clock to set, a lease directory in memory, and views to put.

`Node.turn` makes one decision and checks each time that `decide` is pure and keeps the order of
effects on which safety rests. `Node.settle` also lets every storage call end at once, honestly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from acmd.core.calls import Call, Fault, Kind, Listing, ReadBack
from acmd.core.decision import Arm, Decision, Disarm, Effect, Erase, Issue, Remember, Supervise
from acmd.core.election import decide
from acmd.core.lease import LeaseState, Record, decode, encode
from acmd.core.observation import Gate, GuardView, Intent, Mode, Observation, Outcome, Peer, ServicesView
from acmd.core.state import FencingPolicy, Lease, Role, Self, State, initial_state
from acmd.core.timing import NS_PER_S, PROFILES, Instant

CLUSTER = "11111111-2222-3333-4444-555555555555"
CLUSTER_FILE = b'{"id": "11111111-2222-3333-4444-555555555555"}'
TIMING = PROFILES["standard"]  # h 1, R 6, K 9, D 12, W 14.7
ME = Self("a", CLUSTER, CLUSTER_FILE, "machine-a", "boot-a", "incarnation-a", TIMING, "10.0.0.1")
EPOCH = 7

GONE = ServicesView(mode=Mode.STOP, epoch=-1, processes=False, jobs=False, drained=True)
READY = GuardView(alive=True, gate=Gate.SHUT, clean=True)
WORLD = Observation(
    guard=READY, services=GONE, peers=(Peer("b", fit=True),), fresh_id="attempt-new", wall_time=1_700_000_000
)


def at(seconds: float) -> Instant:
    """This moment on both clocks."""
    return Instant(round(seconds * NS_PER_S), round(seconds * NS_PER_S))


def armed(epoch: int = EPOCH, gate: Gate = Gate.OPEN, issued: float = 0.0) -> GuardView:
    """A switch that is armed."""
    return GuardView(alive=True, epoch=epoch, issued=at(issued), gate=gate)


def disarmed(ended: int = EPOCH) -> GuardView:
    """A switch that saw all gone and was disarmed."""
    return READY._replace(ended=ended)


def running(epoch: int = EPOCH, mode: Mode = Mode.RUN, **more: Any) -> ServicesView:
    """Active-only services that live."""
    return ServicesView(mode=mode, epoch=epoch, processes=True, jobs=False, drained=False, **more)


def gone(epoch: int = EPOCH, mode: Mode = Mode.STOP) -> ServicesView:
    """This epoch's services have been seen gone."""
    return GONE._replace(mode=mode, epoch=epoch)


def record(epoch: int = EPOCH, holder: str = "b", **more: Any) -> Record:
    """A record of a peer, or of this node when `holder` is "a"."""
    base = Record(
        cluster_id=CLUSTER,
        epoch=epoch,
        sequence=3,
        holder=holder,
        incarnation=f"incarnation-{holder}",
        attempt=f"attempt-{holder}",
        machine_id=f"machine-{holder}",
        boot_id=f"boot-{holder}",
        duration_ms=12_000,
        state=LeaseState.HELD,
    )
    return base._replace(**more)


def raw(epoch: int = EPOCH, holder: str = "b", **more: Any) -> bytes:
    """The bytes of such a record."""
    return encode(record(epoch, holder, **more))


class Node:
    """See the module's text. `disk` maps epochs to bytes; inode numbers are epoch + 100."""

    def __init__(self, state: State, disk: dict[int, bytes], **world: Any) -> None:
        self.state = state
        self.disk = disk
        self.cluster_file = CLUSTER_FILE
        self.obs = WORLD._replace(**world)
        self.effects: tuple[Effect, ...] = ()
        self.pending: list[Call] = []

    def turn(self, t: float, *outcomes: Outcome, **world: Any) -> Decision:
        """One decision at `t` seconds; changes of the world last."""
        self.obs = self.obs._replace(**world)
        obs = self.obs._replace(outcomes=outcomes)
        before, key = self.state, self.state.key()
        decision = decide(before, obs, at(t))
        assert before.key() == key, "decide changed its argument"
        assert decide(before, obs, at(t))[1:] == decision[1:], "decide is not a function of its arguments"
        check_order(decision.effects)
        self.state, self.effects = decision.state, decision.effects
        self.pending += [effect.call for effect in decision.effects if isinstance(effect, Issue)]
        return decision

    def take(self, kind: Kind) -> Call:
        """The oldest call of this kind that waits for an answer."""
        call = next(call for call in self.pending if call.kind is kind)
        self.pending.remove(call)
        return call

    def settle(self, t: float, *outcomes: Outcome, **world: Any) -> tuple[Effect, ...]:
        """Decide, and let every call end honestly at once, until none waits; all effects in their order."""
        effects: list[Effect] = list(self.turn(t, *outcomes, **world).effects)
        for _ in range(20):
            if not self.pending:
                return tuple(effects)
            effects += self.turn(t, self.honest(self.pending.pop(0), t)).effects
        raise AssertionError(f"calls without an end: {self.pending}")

    def honest(self, call: Call, began: float, ended: float | None = None) -> Outcome:
        """Execute the call on the directory in memory."""
        start, end = at(began), at(began if ended is None else ended)
        if call.kind is Kind.LIST:
            return Outcome(call, start, end, Listing(tuple(sorted(self.disk)), self.cluster_file))
        if call.kind is Kind.LINK:
            if call.epoch in self.disk:
                return Outcome(call, start, end, fault=Fault.EXISTS)
            self.disk[call.epoch] = call.raw
            return Outcome(call, start, end)
        if call.epoch not in self.disk:
            return Outcome(call, start, end, fault=Fault.MISSING)
        if call.kind is Kind.READ:
            return Outcome(
                call, start, end, ReadBack(self.disk[call.epoch], call.epoch + 100, self.cluster_file)
            )
        self.disk[call.epoch] = call.raw
        return Outcome(call, start, end)

    def role(self) -> Role:
        """The role after the last decision."""
        return self.state.role

    def written(self, epoch: int = EPOCH) -> Record:
        """The record on disk."""
        found = decode(self.disk[epoch], CLUSTER, epoch)
        assert isinstance(found, Record)
        return found


def failed(call: Call, t: float, fault: Fault = Fault.IO, *, late: bool = False) -> Outcome:
    """The call has ended with a fault."""
    return Outcome(call, at(t), at(t), fault=fault, late=late)


def watcher(*records: bytes, me: Self = ME, epoch: int = EPOCH, **world: Any) -> Node:
    """A passive node, and a directory whose highest epoch is `epoch`."""
    state = initial_state(me, at(0))
    state.role = Role.PASSIVE
    first = epoch - len(records) + 1
    return Node(state, {first + i: data for i, data in enumerate(records)}, **world)


def lease(**more: Any) -> Lease:
    """A lease of this node: epoch 7, sequence 3, acknowledged by a round issued at 0 s."""
    base = Lease(
        epoch=EPOCH,
        attempt="attempt-a",
        incarnation="incarnation-a",
        inode=EPOCH + 100,
        sequence=3,
        confirmed=3,
        landed=3,
        issued=at(0),
        unfenced=(),
        claimed_at=0,
    )
    return base._replace(**more)


def holder(role: Role = Role.ACTIVE, me: Self = ME, mine: Lease | None = None, **world: Any) -> Node:
    """A node that holds epoch 7, with its services running and the switch armed."""
    state = initial_state(me, at(0), highest_epoch=EPOCH)
    state.role = role
    state.lease = mine if mine is not None else lease()
    state.listing = (6, 7)
    views: dict[str, Any] = {"guard": armed(), "services": running()}
    return Node(state, {6: raw(6, "b"), EPOCH: raw(EPOCH, "a")}, **{**views, **world})


def first(effects: tuple[Effect, ...], kind: type[Effect]) -> int:
    """Where the first effect of this kind stands; -1 when there is none."""
    return next((i for i, effect in enumerate(effects) if isinstance(effect, kind)), -1)


def kinds(effects: tuple[Effect, ...]) -> list[Kind]:
    """The storage calls among the effects."""
    return [effect.call.kind for effect in effects if isinstance(effect, Issue)]


def modes(effects: tuple[Effect, ...]) -> list[Mode]:
    """What supervision is asked for."""
    return [effect.mode for effect in effects if isinstance(effect, Supervise)]


def has(effects: Sequence[Effect], effect: Effect) -> bool:
    """Whether this very effect is among them. Equality is not enough: ShutGate(7) == CloseGate(7)."""
    return any(type(other) is type(effect) and other == effect for other in effects)


def check_order(effects: tuple[Effect, ...]) -> None:
    """Effects that must come before others in every single decision."""
    for i, effect in enumerate(effects):
        before = effects[:i]
        if isinstance(effect, Issue) and effect.call.kind is Kind.WRITE:
            assert any(isinstance(e, Remember) and e.lease.sequence == effect.call.sequence for e in before)
        if isinstance(effect, Issue) and effect.call.kind is Kind.RELEASE:
            assert any(isinstance(e, Erase) and e.epoch == effect.call.epoch for e in before)
            assert not any(isinstance(e, Remember) for e in effects[first(effects, Erase) :])
        if isinstance(effect, Disarm) and effect.detached:
            assert not any(isinstance(e, Arm) for e in before)


INTENT_ALL_DISABLED = Intent(all_disabled=True)


# -- nodes in the middle of something -----------------------------------------------------------------

RELEASED = raw(state=LeaseState.RELEASED)
NEW = EPOCH + 1
SHOOTER = ME._replace(fencing=FencingPolicy.BEST_EFFORT)
AGENT: dict[str, Any] = {"has_fence_agent": True, "me": SHOOTER}


def claimed(t: float = 0.0, **world: Any) -> Node:
    """A node that has just claimed epoch 8; its link waits for an answer."""
    node = watcher(raw(6), RELEASED, **world)
    node.turn(t)
    node.turn(t, node.honest(node.take(Kind.LIST), t))
    node.turn(t, node.honest(node.take(Kind.READ), t))
    assert node.role() is Role.CLAIMING
    return node


def listing(call: Call, t: float, *epochs: int) -> Outcome:
    """An answer to a listing."""
    return Outcome(call, at(t), at(t), Listing(epochs, CLUSTER_FILE))


def linked(node: Node, t: float) -> Call:
    """Let the link succeed and the linked file be read; the listing after it waits."""
    node.turn(t, node.honest(node.take(Kind.LINK), t))
    node.turn(t, node.honest(node.take(Kind.READ), t))
    return node.take(Kind.LIST)


LEFT_ALONE = READY._replace(gate=Gate.OPEN, clean=False)  # disarmed, its gate open for a detached epoch
HANDS_OFF = running(mode=Mode.HANDS_OFF)
DETACHED = raw(EPOCH, "a", state=LeaseState.DETACHED)


def detached(**world: Any) -> Node:
    """A node whose `detached` was acknowledged: disarmed, its services left alone."""
    mine = lease(detached=True, held_issued=False)
    views = {"guard": LEFT_ALONE, "services": HANDS_OFF, "intent": INTENT_ALL_DISABLED}
    node = holder(Role.DETACHED, mine=mine, **{**views, **world})
    node.state.detach_confirmed = True
    node.disk[EPOCH] = DETACHED
    return node


CLOSING = armed(gate=Gate.CLOSING)
SHUT = armed(gate=Gate.SHUT)
NOBODY = (Peer("b", fit=False), Peer("c", fit=True, disabled=True))


def promoting(**world: Any) -> Node:
    """A node that won epoch 7; nothing is armed or started."""
    return holder(Role.PROMOTING, **{"guard": disarmed(6), "services": gone(6), **world})


def until(node: Node, kind: Kind, t: float) -> Call:
    """Run the round begun at `t` up to the call of this kind, which then waits for its answer."""
    if not node.pending:
        node.turn(t)
    while node.pending[0].kind is not kind:
        node.turn(t, node.honest(node.pending.pop(0), t))
    return node.take(kind)
