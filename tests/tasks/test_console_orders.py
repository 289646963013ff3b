"""`tasks.console`: orders about services, hosts, hold-downs and the daemon itself, refused word for word."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from acmd.core.decision import Reason
from acmd.core.lease import LeaseState
from acmd.core.observation import GuardView, Leave, Mode, Observation
from acmd.core.orders import Held, Orders, disable_all, disable_node
from acmd.core.state import Role, Seen, State
from acmd.core.timing import NS_PER_S
from acmd.ports import ServiceStatus
from acmd.tasks.supervision import Plan, Unit
from tests.fakes.clock import FakeClock
from tests.fakes.service import FakeService
from tests.tasks.console_kit import MARK, Desk
from tests.tasks.virtual_time import virtual
from tests.unit.core_kit import EPOCH, lease, raw, record

# ---------------------------------------------------------------- an end by itself


@virtual
async def test_an_end_in_the_past(clock: FakeClock) -> None:
    """Judged by the clock of the node that is asked; nonsense is refused too."""
    desk = Desk(clock)
    await desk.active()
    past = clock.wall_time() - 60
    assert await desk.refused("disable", all=True, until=past) == (
        "by the clock of a that end was 60 s ago already",
        "name a later one; if it is later, set the clocks of the nodes",
    )
    for nonsense in ("noon", True, -5, 1.5):
        assert (await desk.refused("disable", until=nonsense))[0] == "`until` is not a time"
    await desk.ask("disable", node="b", until=past + 120)
    assert desk.bench.keeper.orders is not None
    assert desk.bench.keeper.orders.nodes["b"].until == past + 120


# ---------------------------------------------------------------- hold-down, detach


@virtual
async def test_clear_hold_down(clock: FakeClock) -> None:
    """Of a node that holds down, by name; others are refused."""
    desk = Desk(clock)
    await desk.active()
    assert await desk.refused("clear-hold-down") == (
        "a does not hold down",
        "`acmd status` says why it is not active",
    )
    assert (await desk.refused("clear-hold-down", node="x"))[0] == "there is no node 'x'"
    await desk.peer(beat=2, held_down=True)
    assert await desk.refused("switchover", to="b") == (
        "b cannot take over: it holds down after failures (`acmd clear-hold-down b` ends that)",
        "mend that, or name another",
    )
    assert await desk.ask("clear-hold-down", node="b") == {"ok": True, "node": "b"}
    assert desk.bench.keeper.orders is not None
    assert desk.bench.keeper.orders.hold_downs_cleared == {"b": 1}


@virtual
async def test_detach(clock: FakeClock) -> None:
    """Only a daemon that may go without touching a service is told to; the answer comes first."""
    desk = Desk(clock)
    await desk.active()
    assert await desk.refused("detach") == (
        "the cluster is not disabled: a daemon that ends now hands its services over",
        "`acmd detach` without --no-disable does both, or `acmd disable --all` first",
    )
    desk.bench.put_orders(0, disable_all(Orders(), MARK))
    await desk.bench.keeper.read_orders()
    await desk.active()
    assert await desk.refused("detach") == (
        "the lease is not detached yet: this node is active",
        "ask again in a moment",
    )
    state = desk.state(Role.DETACHED)
    desk.show(state)
    assert (await desk.refused("detach"))[0] == "the lease is not detached yet: this node is detached"
    state.detach_confirmed = True
    assert await desk.ask("detach") == {"ok": True, "node": "a", "pid": 4711}
    assert desk.left == []
    await asyncio.sleep(0.2)
    assert desk.left == [Leave.DETACH]
    desk.show(desk.state())
    assert (await desk.ask("detach"))["ok"]


# ---------------------------------------------------------------- other hosts


def observed(desk: Desk, still_s: float, holder: str = "b", **more: Any) -> State:
    """Node a is passive; the record has stood still for so long."""
    state = desk.state()
    found = record(holder=holder, **more)
    desk.clock.advance(round(still_s * NS_PER_S))
    seen = desk.clock.now().__class__(*(part - round(still_s * NS_PER_S) for part in desk.clock.now()))
    state.seen = Seen(EPOCH, raw(holder=holder, **more), found, seen, seen, 14 * NS_PER_S)
    desk.show(state)
    return state


@virtual
async def test_fence_refusals(clock: FakeClock) -> None:
    """Not this node, nobody unheard of, not the active one without force, not without an agent."""
    desk = Desk(clock)
    await desk.active()
    assert await desk.refused("fence") == ("which node?", "name it")
    assert await desk.refused("fence", node="a") == (
        "a is this node and cannot fence itself",
        "run it on another node",
    )
    assert await desk.refused("fence", node="x") == ("there is no node 'x'", "nodes known: a, b")
    observed(desk, 0.5)
    assert await desk.refused("fence", node="b") == (
        "b is the active node and renews its lease: its services would be cut off",
        "`acmd switchover` hands them over in order; --force fences it all the same",
    )
    desk.fencing.agent = None
    assert await desk.refused("fence", node="b") == (
        "no fence agent is configured",
        "set fencing.agent; to state that b is off already use `acmd confirm-off b`",
    )


@virtual
async def test_fence_by_hand(clock: FakeClock) -> None:
    """The agent's word is the answer and counts for the heartbeat; a failure there is nobody else's."""
    desk = Desk(clock)
    await desk.active()
    assert await desk.ask("fence", node="b") == {"ok": True, "node": "b", "result": "failed"}
    assert not desk.fencing.failed()
    desk.agent.works.add("b")
    desk.agent.takes_s = 7
    assert (await desk.ask("fence", node="b"))["result"] == "running"
    assert (await desk.ask("fence-result", node="b"))["result"] == "confirmed"
    assert [fenced.host for fenced in desk.fencing.confirmed()] == ["b"]
    assert desk.agent.runs == ["b", "b"]
    assert desk.log.count("order-given") == 2
    assert desk.log.last("order-given")["about"] == "b"
    assert (await desk.ask("fence-result", node="c"))["result"] == "unknown"
    observed(desk, 0.5)
    assert (await desk.ask("fence", node="b", force=True))["ok"]
    await desk.fencing.close()


@virtual
async def test_confirm_off_refusals(clock: FakeClock) -> None:
    """A host that is heard, one that renews, one nobody waits for, a detached lease, another's list."""
    desk = Desk(clock)
    await desk.active()
    assert (await desk.refused("confirm-off", node="a"))[
        0
    ] == "a is this node and cannot be off: it answers you"
    assert await desk.refused("confirm-off", node="b") == (
        "b is not off: its node file keeps changing",
        "power b off first, then say so",
    )
    clock.advance(60 * NS_PER_S)
    waits = (
        "nobody waits for b to be off: it is neither the lease's silent holder nor among those whose end "
        "is unconfirmed",
        "`acmd status` shows both",
    )
    assert await desk.refused("confirm-off", node="b") == waits
    desk.show(desk.state())
    assert await desk.refused("confirm-off", node="b") == waits
    observed(desk, 100, state=LeaseState.RELEASED)
    assert await desk.refused("confirm-off", node="b") == waits
    observed(desk, 0.5)
    assert await desk.refused("confirm-off", node="b") == (
        "b is not off: its lease was renewed a moment ago",
        "power b off first",
    )
    observed(desk, 100, state=LeaseState.DETACHED)
    assert await desk.refused("confirm-off", node="b") == (
        "the lease of b is detached: it ends by an order only",
        "`acmd enable --all --holder-is-dead` if it is off for good",
    )
    await desk.peer("c", beat=5)
    observed(desk, 0.5, holder="c", unfenced=("b",))
    assert await desk.refused("confirm-off", node="b") == (
        "the list with b is kept by c, the active node",
        "run `acmd confirm-off b` on c",
    )


@virtual
async def test_confirm_off(clock: FakeClock) -> None:
    """The silent holder, or a host on the list; the word speaks of the moment of asking."""
    desk = Desk(clock)
    await desk.active()
    clock.advance(60 * NS_PER_S)
    observed(desk, 10)
    answer = await desk.ask("confirm-off", node="b", reason="I pulled the plug")
    assert answer == {"ok": True, "node": "b", "effect": "expired"}
    assert desk.fencing.confirmed()[-1] == ("b", clock.now())
    assert desk.log.last("order-given")["reason"] == "I pulled the plug"
    observed(desk, 100, state=LeaseState.RELEASED, unfenced=("z",))
    assert (await desk.ask("confirm-off", node="z"))["effect"] == "listed"
    state = desk.state(Role.ACTIVE)
    state.lease = lease(unfenced=("*",))
    desk.show(state)
    assert (await desk.ask("confirm-off", node="*"))["effect"] == "listed"


@virtual
async def test_forget(clock: FakeClock) -> None:
    """Only a node that is silent, holds nothing and is accounted for; its file and its orders go."""
    desk = Desk(clock)
    await desk.active()
    assert await desk.refused("forget", node="b") == (
        "b is alive: its node file keeps changing",
        "stop acmd on b and disable its unit first",
    )
    clock.advance(60 * NS_PER_S)
    observed(desk, 60)
    assert (await desk.refused("forget", node="b"))[0] == "b holds the lease"
    state = desk.state(Role.ACTIVE)
    state.lease = lease(unfenced=("b",))
    desk.show(state)
    assert await desk.refused("forget", node="b") == (
        "nobody has confirmed that b is off",
        "`acmd confirm-off b` on the active node first",
    )
    desk.show(desk.state(Role.ACTIVE))
    desk.bench.put_orders(0, disable_node(Orders(), "b", MARK))
    answer = await desk.ask("forget", node="b")
    assert (answer["ok"], answer["node"]) == (True, "b")
    assert "nodes/b.json" not in desk.bench.directory.files
    assert desk.bench.keeper.orders is not None
    assert desk.bench.keeper.orders.nodes == {}


@virtual
async def test_override_interlock(clock: FakeClock) -> None:
    """While an interlock is what blocks, for the epoch that is to end."""
    desk = Desk(clock)
    await desk.active()
    assert await desk.refused("override-interlock") == (
        "no interlock keeps this node from taking over at this moment",
        "`acmd status` says what does, if anything",
    )
    state = observed(desk, 30)
    desk.show(state, Reason.INTERLOCK)
    assert await desk.ask("override-interlock") == {"ok": True, "epoch": EPOCH}
    assert desk.bench.keeper.orders is not None
    assert [desk.bench.keeper.orders.overrides(epoch) for epoch in (EPOCH, EPOCH + 1)] == [True, False]


# ---------------------------------------------------------------- services


def serving(desk: Desk) -> Unit:
    """Node a is active, and supervision keeps web, which app requires."""
    group = desk.snapshot.active_services
    group.mode, group.epoch = Mode.RUN, EPOCH
    app = Unit(FakeService("app"), Plan(requires=("web",)), ServiceStatus("app", "active", state="running"))
    if len(group.units) == 1:
        group.units.append(app)
    return group.units[0]


@virtual
async def test_service_refusals(clock: FakeClock) -> None:
    """What cannot be done with a service here and now, and where or how it can."""
    desk = Desk(clock)
    await desk.active()
    unit = serving(desk)
    assert await desk.refused("service", deed="kick", service="web") == (
        "a service cannot be told to 'kick'",
        "one of start, stop, restart, pause, resume",
    )
    assert await desk.refused("service", deed="stop", service="x") == (
        "there is no service 'x' on a",
        "services: app, web",
    )
    for deed in ("stop", "restart"):
        assert await desk.refused("service", deed=deed, service="web") == (
            "app cannot do without web and would be stopped too",
            f"`acmd service {deed} web --force` if that is meant",
        )
    assert await desk.refused("service", deed="resume", service="web") == (
        "web is not paused",
        "it is looked after as usual",
    )
    unit.held = Held("stopped", "bob", 1)
    assert (await desk.refused("service", deed="resume", service="web"))[1].startswith("it is stopped; ")
    unit.held = Held("paused", "bob", 1)
    assert await desk.refused("service", deed="restart", service="web", force=True) == (
        "web is paused: acmd leaves it alone",
        "`acmd service resume web` first",
    )
    desk.snapshot.active_services.mode = Mode.HANDS_OFF
    assert (await desk.refused("service", deed="stop", service="web"))[0].startswith("the whole cluster is")


@pytest.mark.parametrize("deed", ["start", "stop", "restart", "pause", "resume"])
def test_an_active_only_service_on_a_passive_node(deed: str) -> None:
    """Never against the gate: the refusal says where it may run."""

    @virtual
    async def run(clock: FakeClock) -> None:
        desk = Desk(clock)
        await desk.active()
        desk.snapshot.active_services.mode = Mode.STOP
        observed(desk, 0.1)
        assert await desk.refused("service", deed=deed, service="web") == (
            "web runs on the active node only, which is b; a is passive",
            "run it on b",
        )
        desk.show(desk.state())
        assert await desk.refused("service", deed=deed, service="web") == (
            "web runs on the active node only, and there is none now; a is passive",
            "`acmd status` says why no node is active",
        )
        assert desk.snapshot.active_services.units[0].held is None

    run()


def _held(unit: Unit) -> Held | None:
    return unit.held


@virtual
async def test_services_are_held_and_let_go(clock: FakeClock) -> None:
    """Each deed does what it says, is kept for the next daemon, signed and logged."""
    desk = Desk(clock)
    await desk.active()
    unit = serving(desk)
    answer = await desk.ask("service", deed="stop", service="web", force=True, reason="index")
    assert answer == {"ok": True, "service": "web", "deed": "stop", "node": "a", "was": "running"}
    assert unit.held == Held("stopped", "alice", clock.wall_time(), "index", EPOCH)
    assert desk.held.held == {"web": unit.held}
    assert desk.log.last("order-given") == {
        "level": "info",
        "what": "service stop",
        "by": "alice",
        "about": "web",
        "reason": "index",
    }
    await desk.ask("service", deed="start", service="web")
    assert (_held(unit), unit.restart, desk.held.held) == (None, "", {})
    await desk.ask("service", deed="pause", service="web")
    assert unit.held is not None
    assert unit.held.how == "paused"
    await desk.ask("service", deed="resume", service="web")
    await desk.ask("service", deed="restart", service="web", force=True)
    assert (_held(unit), unit.restart) == (None, "an operator asked for it")


@virtual
async def test_a_run_directory_that_is_full(clock: FakeClock) -> None:
    """A hold that the next daemon would not know of is refused, and nothing has changed."""
    desk = Desk(clock)
    await desk.active()
    unit = serving(desk)
    desk.held.full = True
    assert await desk.refused("service", deed="pause", service="web") == ("no room", "make some")
    assert unit.held is None


@virtual
async def test_the_next_daemon_knows(clock: FakeClock) -> None:
    """What was held before it started is held on."""
    desk = Desk(clock)
    desk.held.held = {"web": Held("paused", "alice", 1, "", EPOCH), "gone": Held("stopped", "alice", 1)}
    desk.console.__post_init__()
    assert desk.snapshot.active_services.units[0].held == desk.held.held["web"]
    desk.show(desk.state(), obs=Observation(guard=GuardView(alive=True)))
