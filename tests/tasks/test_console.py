"""`tasks.console`: the snapshot, and orders that are refused word for word without changing anything."""

from __future__ import annotations

import json

import pytest

from acmd import status
from acmd.core.calls import Fault
from acmd.core.decision import Reason
from acmd.core.lease import LeaseState
from acmd.core.observation import Gate, GuardView, Observation
from acmd.core.orders import Orders, disable_all, disable_node, to_content
from acmd.core.state import Role, Seen
from acmd.core.timing import NS_PER_S
from tests.fakes.clock import FakeClock
from tests.tasks.console_kit import MARK, Desk
from tests.tasks.virtual_time import virtual
from tests.unit.core_kit import CLUSTER, EPOCH, raw, record

# ---------------------------------------------------------------- refusals


STARTING = ("the daemon is starting", "ask again in a moment")


@pytest.mark.parametrize("do", ["status", "switchover", "disable", "enable"])
def test_before_the_first_decision(do: str) -> None:
    """A daemon that knows nothing yet says so, whatever it is asked."""

    @virtual
    async def run(clock: FakeClock) -> None:
        assert await Desk(clock).refused(do) == STARTING

    run()


@virtual
async def test_something_unheard_of(clock: FakeClock) -> None:
    """An order of a newer command line is refused by its name."""
    refusal = await Desk(clock).refused("explode")
    assert refusal == ("this daemon cannot do 'explode'", "is it an older version?")


@virtual
async def test_switchover_refusals(clock: FakeClock) -> None:
    """Each reason why services cannot be handed over, in its own words."""
    desk = Desk(clock)
    desk.show(desk.state())
    assert await desk.refused("switchover") == (
        "no node is active, so nothing can be handed over",
        "see `acmd status`",
    )
    desk.show(desk.state(Role.ACTIVE))
    assert await desk.refused("switchover") == ("no node can take over (no other node)", "see `acmd status`")
    await desk.peer(silent=True)
    assert await desk.refused("switchover", to="a") == (
        "a is the active node already",
        "name another with --to",
    )
    assert await desk.refused("switchover", to="c") == (
        "there is no node 'c' to switch to",
        "other nodes known: b",
    )
    assert await desk.refused("switchover", to="b") == (
        "b cannot take over: it was not heard lately",
        "mend that, or name another",
    )
    await desk.peer(beat=1, fit=False, unfit_because="its guard does not answer")
    assert (await desk.refused("switchover", to="b"))[0] == "b cannot take over: its guard does not answer"
    await desk.peer(beat=2, fit=False)
    assert (await desk.refused("switchover"))[0] == "no node can take over (b: it is not fit)"
    await desk.peer(beat=3)
    desk.bench.put_orders(0, disable_node(Orders(), "b", MARK))
    assert (await desk.refused("switchover"))[0] == "no node can take over (b: it is disabled)"
    desk.bench.put_orders(1, disable_all(Orders(), MARK))
    await desk.bench.keeper.read_orders()
    desk.show(desk.state(Role.ACTIVE))
    assert await desk.refused("switchover") == (
        "the whole cluster is disabled: nobody acts",
        "`acmd enable --all` first",
    )


@virtual
async def test_disable_refusals(clock: FakeClock) -> None:
    """An unknown node, and the active one while nobody could take over: what would stop is named."""
    desk = Desk(clock)
    await desk.active(silent=True)
    for order in ("disable", "enable"):
        assert await desk.refused(order, node="c") == ("there is no node 'c'", "nodes known: a, b")
    assert await desk.refused("disable") == (
        "a is active and no other node can take over: web would stop",
        "mend the other node first, or stop the services with --force",
    )


@virtual
async def test_enable_refusals(clock: FakeClock) -> None:
    """Nobody is declared dead who does not hold a detached lease."""
    desk = Desk(clock)
    state = desk.state()
    for seen in (None, _seen(desk, LeaseState.HELD), _seen(desk, None)):
        state.seen = seen
        desk.show(state)
        assert await desk.refused("enable", all=True, holder_is_dead=True) == (
            "there is no detached lease whose holder could be dead",
            "see `acmd status`",
        )


@virtual
async def test_nobody_is_declared_dead_who_is_heard(clock: FakeClock) -> None:
    """A detached holder that lives would run the services beside its successor; one built anew runs none."""
    desk = Desk(clock)
    state = desk.state()
    state.seen = _seen(desk, LeaseState.DETACHED)
    desk.show(state)
    await desk.peer(role="detached")
    assert await desk.refused("enable", all=True, holder_is_dead=True) == (
        "b is not dead: its acmd is heard, and its services may run",
        "`acmd enable --all` without --holder-is-dead: it goes on as the active node",
    )
    own = record(state=LeaseState.DETACHED, holder="a", machine_id=state.me.machine_id)
    state.seen = state.seen._replace(record=own)
    desk.show(state)
    assert (await desk.refused("enable", all=True, holder_is_dead=True))[0].startswith("a is not dead")
    state.seen = state.seen._replace(record=own._replace(machine_id="another"))
    desk.show(state)
    assert (await desk.ask("enable", all=True, holder_is_dead=True))["ok"]


@virtual
async def test_storage_that_takes_no_order(clock: FakeClock) -> None:
    """A stalled or full storage is answered with the fault, and with where to look afterwards."""
    desk = Desk(clock)
    await desk.active()
    desk.bench.store.stall()
    assert await desk.refused("switchover") == (
        "the shared directory did not take the order: timeout: injected",
        "nothing may have changed; look at `acmd status` once the storage answers",
    )


def _seen(desk: Desk, kind: LeaseState | None) -> Seen:
    now = desk.clock.now()
    found = record(state=kind) if kind is not None else None
    return Seen(EPOCH, raw(), found, now, now, 14 * NS_PER_S)


# ---------------------------------------------------------------- orders


@virtual
async def test_orders_that_are_given(clock: FakeClock) -> None:
    """Each is answered with what it does, signed with who asked, and logged once."""
    desk = Desk(clock)
    await desk.active()
    switch = await desk.ask("switchover", to="b", reason="patching")
    assert switch == {"ok": True, "epoch": EPOCH, "from": "a", "to": "b"}
    orders = desk.bench.keeper.orders
    assert orders is not None
    assert (orders.switchover_epoch, orders.switchover_to, orders.by) == (EPOCH, "b", "alice")
    assert await desk.ask("disable", reason="x" * 1000) == {"ok": True, "node": "a"}
    assert await desk.ask("disable", node="b", force=True) == {"ok": True, "node": "b"}
    assert await desk.ask("disable", all=True) == {"ok": True, "all": True}
    orders = desk.bench.keeper.orders
    assert orders is not None
    assert (orders.nodes["a"].reason, orders.nodes["b"].forced) == ("x" * 200, True)
    assert orders.everywhere is not None
    assert await desk.ask("enable") == {"ok": True, "node": "a"}
    assert await desk.ask("enable", node="b") == {"ok": True, "node": "b"}
    state = desk.state()
    state.seen = _seen(desk, LeaseState.DETACHED)
    desk.show(state)
    assert await desk.ask("enable", all=True, holder_is_dead=True) == {"ok": True, "all": True}
    orders = desk.bench.keeper.orders
    assert orders is not None
    assert (orders.nodes, orders.everywhere, orders.dead_holder) == ({}, None, EPOCH)
    assert await desk.ask("enable", all=True) == {"ok": True, "all": True}
    assert desk.log.count("order-given") == 8
    assert desk.log.last("order-given") == {
        "level": "info",
        "what": "enable",
        "by": "alice",
        "about": "all",
    }


@virtual
async def test_the_active_node_is_disabled_by_force(clock: FakeClock) -> None:
    """`--force` stops the services although nobody can take over."""
    desk = Desk(clock)
    await desk.active(silent=True)
    assert await desk.ask("disable", force=True) == {"ok": True, "node": "a"}


@virtual
async def test_candidates_are_judged_by_the_orders_just_read(clock: FakeClock) -> None:
    """A peer that another operator disabled a moment ago is no candidate, though nobody here knows yet."""
    desk = Desk(clock)
    await desk.active()
    desk.bench.put_orders(0, disable_node(Orders(), "b", MARK))
    assert (await desk.refused("disable"))[0].startswith("a is active and no other node can take over")


# ---------------------------------------------------------------- the snapshot


@virtual
async def test_snapshot_of_the_active_node(clock: FakeClock) -> None:
    """It has every field that status promises, as JSON values, with the age of this very moment."""
    desk = Desk(clock)
    await desk.active()
    clock.advance(2 * NS_PER_S)
    shown = json.loads(json.dumps(await desk.ask("status")))
    assert shown["cluster"] == {"name": "prod", "id": CLUSTER, "directory": "/shared"}
    assert (shown["node"], shown["role"], shown["active"], shown["epoch"]) == ("a", "active", "a", EPOCH)
    assert shown["role_since_s"] == 2
    lease_shown = shown["lease"]
    assert (lease_shown["holder"], lease_shown["sequence"], lease_shown["age_s"]) == ("a", 3, 2.0)
    assert (lease_shown["remaining_s"], lease_shown["expires_in_s"]) == (4.0, 10.0)
    assert [(row["name"], row["role"], row["fit"]) for row in shown["nodes"]] == [
        ("a", "active", True),
        ("b", "passive", True),
    ]
    service = shown["nodes"][0]["services"][0]
    assert (service["name"], service["state"], service["runs_on"]) == ("web", "running", "active")
    assert shown["nodes"][1]["last_seen_s"] == 2
    assert shown["maintenance"] == {"all": None, "nodes": {}}
    guard = shown["guard"]
    assert (guard["armed"], guard["last_resort"], guard["watchdog"]) == (True, "reset", "ok")
    assert guard["notes"] == ["memory: not locked"]
    assert shown["storage"] == {"fault": None, "abandoned_workers": 2}
    assert (shown["reason"], shown["reason_code"]) == (status.SENTENCES[Reason.HOLDING], "holding")
    assert desk.snapshot.holds_lease()


@virtual
async def test_snapshot_in_trouble(clock: FakeClock) -> None:
    """A silent peer has no role, a lost guard makes unfit, faults and maintenance are shown."""
    desk = Desk(clock)
    state = desk.state()
    state.storage_fault = Fault.TIMEOUT
    desk.bench.put_orders(0, disable_node(disable_all(Orders(), MARK), "b", MARK))
    await desk.bench.keeper.read_orders()
    obs = Observation(guard=GuardView(alive=False, watchdog_ok=False, gate=Gate.SHUT))
    desk.show(state, Reason.GUARD_MISSING, obs)
    await desk.peer(silent=True, role="active")
    shown = await desk.ask("status")
    rows = {row["name"]: row for row in shown["nodes"]}
    assert (rows["a"]["fit"], rows["a"]["unfit_because"]) == (False, "its guard does not answer")
    assert rows["b"]["role"] == "unknown"
    assert shown["storage"]["fault"] == "timeout"
    assert shown["reason"].endswith("(storage: timeout)")
    assert shown["maintenance"]["all"]["by"] == "alice"
    assert shown["maintenance"]["nodes"]["b"]["reason"] == "kernel"
    assert (shown["guard"]["alive"], shown["guard"]["watchdog"], shown["lease"]) == (False, "missing", None)
    assert not desk.snapshot.holds_lease()


@virtual
async def test_an_unfit_node_says_why(clock: FakeClock) -> None:
    """What the host itself reports comes first."""
    desk = Desk(clock)
    desk.wishes.fit, desk.wishes.unfit_because = False, "no route to its clients"
    file = desk.snapshot.own_file(3)
    assert (file.role, file.fit, file.incarnation, file.beat) == ("starting", False, "", 3)
    desk.show(desk.state())
    assert desk.snapshot.own_file(4).unfit_because == "no route to its clients"
    for lacking, words in (
        (
            Observation(guard=GuardView(alive=True, watchdog_ok=False)),
            "the watchdog that it requires is missing",
        ),
        (
            Observation(guard=GuardView(alive=True), run_ok=False),
            "its run directory cannot be written: is it full?",
        ),
    ):
        desk.wishes.fit, desk.wishes.unfit_because = True, ""
        desk.show(desk.state(), obs=lacking)
        assert (desk.snapshot.own_file(5).fit, desk.snapshot.own_file(5).unfit_because) == (False, words)
    assert to_content(Orders())["switchover_epoch"] == -1


@virtual
async def test_what_a_client_sends_is_made_printable(clock: FakeClock) -> None:
    """A reason with half a character, an escape or a newline: it reaches all nodes, terminals and hooks."""
    desk = Desk(clock)
    await desk.active()
    assert (await desk.ask("disable", node="b", reason="M\udcfcrz\x1b[2J\nx"))["ok"]
    orders = desk.bench.keeper.orders
    assert orders is not None
    assert orders.nodes["b"].reason == "M?rz?[2J?x"


@virtual
async def test_an_end_that_no_node_could_read(clock: FakeClock) -> None:
    """What would be refused when it is read back is not given in the first place."""
    desk = Desk(clock)
    await desk.active()
    assert (await desk.refused("disable", all=True, until=253402214400))[0] == "that end is too far away"
