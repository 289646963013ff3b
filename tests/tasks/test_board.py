"""`tasks.board` under virtual time, over a directory in memory."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from acmd.core.board import Remove, command_name
from acmd.core.calls import Create, Fault, Link, StorageFault
from acmd.core.nodefile import to_content
from acmd.core.observation import Peer
from acmd.core.orders import Disabled, Orders, disable_all, disable_node, enable_node, switch_over
from acmd.core.orders import to_content as orders_to
from acmd.errors import AcmdError
from tests.fakes.clock import FakeClock
from tests.tasks.board_kit import Bench, node_file
from tests.tasks.virtual_time import beside, until, virtual
from tests.unit.core_kit import CLUSTER

MARK = Disabled("root", 1_700_000_000, "kernel update")
ALL = disable_all(Orders(), MARK)
GARBAGE = (b"", b"\0" * 512, b'{"v": 1, "clus', b"[" * 60_000, b"x" * 70_000, b"null", b'"', b"\xff\xfe{}")


# ---------------------------------------------------------------- orders


@virtual
async def test_intent_is_unknown_until_the_orders_were_read(clock: FakeClock) -> None:
    """Before the first successful look nothing is known; a storage that stalls keeps it so."""
    bench = Bench(clock)
    bench.store.stall()

    async def test() -> None:
        await asyncio.sleep(20)
        assert not bench.keeper.intent().known
        assert bench.keeper.fault is Fault.TIMEOUT
        bench.store.resume()
        await until(lambda: bench.keeper.intent().known, 2)
        assert bench.keeper.changed.is_set()
        assert not bench.keeper.fault

    await beside(bench.keeper.run(), test)


@virtual
async def test_orders_are_heard_within_a_heartbeat(clock: FakeClock) -> None:
    """A new command of any node is in force one heartbeat later, and wakes the heartbeat."""
    bench = Bench(clock)

    async def test() -> None:
        await until(lambda: bench.keeper.intent().known)
        bench.keeper.changed.clear()
        bench.put_orders(0, ALL)
        assert await until(lambda: bench.keeper.intent().all_disabled) <= 1.1
        assert bench.keeper.changed.is_set()
        assert bench.log.last("orders") == {
            "level": "info",
            "number": 0,
            "what": "disable all",
            "by": "root",
        }

    await beside(bench.keeper.run(), test)


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_orders_leave_those_before_in_force(garbage: bytes) -> None:
    """A command that cannot be understood changes nothing, is refused once in the log, and breaks nothing."""

    @virtual
    async def run(clock: FakeClock) -> None:
        bench = Bench(clock)
        bench.put_orders(3, ALL)

        async def test() -> None:
            await until(lambda: bench.keeper.intent().all_disabled)
            bench.put(f"control/{command_name(4)}", garbage)
            await asyncio.sleep(30)
            assert bench.keeper.intent().all_disabled
            assert bench.keeper.number == 3
            assert bench.log.count("orders-refused") == 1
            assert bench.log.last("orders-refused")["number"] == 4

        await beside(bench.keeper.run(), test)

    run()


@pytest.mark.parametrize(
    ("wire", "because"),
    [
        ({"v": 2}, "newer acmd"),
        ({"cluster": "another"}, "of another cluster"),
        ({"number": 9}, "its number is not 4"),
        ({"content": {"by": "root"}}, "incomplete"),
    ],
)
def test_orders_that_are_not_ours(wire: dict[str, object], because: str) -> None:
    """Of a newer acmd, another cluster, another number, or incomplete: refused, with the reason."""

    @virtual
    async def run(clock: FakeClock) -> None:
        bench = Bench(clock)
        whole = {"v": 1, "cluster": CLUSTER, "number": 4, "content": orders_to(ALL), **wire}
        bench.put(f"control/{command_name(4)}", json.dumps(whole).encode())

        async def test() -> None:
            await asyncio.sleep(5)
            assert not bench.keeper.intent().all_disabled
            assert because in bench.log.last("orders-refused")["because"]

        await beside(bench.keeper.run(), test)

    run()


@virtual
async def test_orders_never_go_back(clock: FakeClock) -> None:
    """A listing that lacks the newest command, stale or of other storage, ends no order."""
    bench = Bench(clock)
    bench.put_orders(6, Orders())
    bench.put_orders(7, ALL)

    async def test() -> None:
        await until(lambda: bench.keeper.intent().all_disabled)
        newest = bench.directory.files.pop(f"control/{command_name(7)}")
        await asyncio.sleep(5)
        older = bench.directory.files.pop(f"control/{command_name(6)}")
        await asyncio.sleep(5)
        assert bench.keeper.intent().all_disabled
        assert bench.log.count("orders-vanished") == 1
        bench.directory.files[f"control/{command_name(6)}"] = older
        bench.directory.files[f"control/{command_name(7)}"] = newest
        bench.put_orders(8, Orders())
        await until(lambda: not bench.keeper.intent().all_disabled, 2)

    await beside(bench.keeper.run(), test)


# ---------------------------------------------------------------- posting


@virtual
async def test_posting_takes_effect_here_at_once(clock: FakeClock) -> None:
    """Who gives an order need not wait for the next look; other nodes read the same."""
    a = Bench(clock)
    b = Bench(clock, "b", a.directory)
    posted = await a.keeper.post(lambda found: disable_node(found, "a", MARK))
    assert posted.nodes == {"a": MARK}
    assert a.keeper.intent().disabled_here
    await b.keeper.read_orders()
    assert (b.keeper.orders, b.keeper.number) == (posted, 0)
    assert not b.keeper.intent().disabled_here


@virtual
async def test_posting_begins_again_when_somebody_was_faster(clock: FakeClock) -> None:
    """Two operators at once: both orders are in force afterwards, none is lost."""
    a = Bench(clock)
    b = Bench(clock, "b", a.directory)
    tries = 0

    def change(found: Orders) -> Orders:
        nonlocal tries
        tries += 1
        if tries == 1:
            a.put_orders(0, switch_over(Orders(), MARK, 5, "b"))
        return disable_node(found, "a", MARK)

    posted = await b.keeper.post(change)
    assert (tries, b.keeper.number) == (2, 1)
    assert (posted.switchover_epoch, set(posted.nodes)) == (5, {"a"})


@virtual
async def test_posting_gives_up_when_others_keep_being_faster(clock: FakeClock) -> None:
    """After some tries the operator is told to try again; nothing of his order is in force."""
    bench = Bench(clock)

    def change(found: Orders) -> Orders:
        bench.put_orders(bench.keeper.number + 1, found)
        return disable_all(found, MARK)

    with pytest.raises(AcmdError, match="kept coming in between") as refusal:
        await bench.keeper.post(change)
    assert refusal.value.remedy == "try again"
    assert not bench.keeper.intent().all_disabled


@virtual
async def test_nothing_is_posted_over_orders_that_cannot_be_followed(clock: FakeClock) -> None:
    """What a newer acmd ordered must not be lost: the operator is told where it stands and what to do."""
    bench = Bench(clock)
    bench.put_orders(4, ALL, v=2)
    with pytest.raises(AcmdError, match="command 4 on shared storage cannot be followed by this acmd"):
        await bench.keeper.post(lambda found: found)
    assert f"control/{command_name(5)}" not in bench.directory.files


@virtual
async def test_a_bad_command_that_was_removed_is_in_nobodys_way(clock: FakeClock) -> None:
    """Once an operator took the file away, orders are taken again, without a restart."""
    bench = Bench(clock)
    bench.put_orders(3, Orders())
    await bench.keeper.read_orders()
    bench.put_orders(4, ALL, v=2)
    with pytest.raises(AcmdError) as refusal:
        await bench.keeper.post(lambda found: found)
    assert "remove control/0000000004.json" in refusal.value.remedy
    del bench.directory.files[f"control/{command_name(4)}"]
    await bench.keeper.post(lambda found: disable_all(found, MARK))
    assert (bench.keeper.number, bench.keeper.intent().all_disabled) == (4, True)


@virtual
async def test_posting_to_storage_that_fails(clock: FakeClock) -> None:
    """A full disk, or one that is read-only: the fault comes back, and nothing is in force."""
    bench = Bench(clock)
    for system_call, fault in ((Create, Fault.NO_SPACE), (Link, Fault.READ_ONLY)):
        bench.directory.fail = {system_call: fault}
        with pytest.raises(StorageFault, match=fault.value):
            await bench.keeper.post(lambda found: disable_all(found, MARK))
        assert not bench.keeper.intent().all_disabled


# ---------------------------------------------------------------- nodes

SILENT = Peer("b", fit=True, heard=False)


@virtual
async def test_files_of_the_past_do_not_count_as_alive(clock: FakeClock) -> None:
    """A node file found at the start counts once it changes; then until it stands still for ten beats."""
    bench = Bench(clock)
    bench.put_node(node_file("b", 100))

    async def test() -> None:
        await asyncio.sleep(30)
        assert bench.keeper.peers() == (SILENT,)
        bench.put_node(node_file("b", 101))
        await until(lambda: bench.keeper.peers() == (Peer("b", fit=True),), 5)
        assert 9 < await until(lambda: bench.keeper.peers() == (SILENT,)) < 11

    await beside(bench.keeper.run(), test)


@virtual
async def test_a_node_that_comes_later_counts_at_once(clock: FakeClock) -> None:
    """A file that appears while this node watches is a living node's; a new incarnation is news too."""
    bench = Bench(clock)

    async def test() -> None:
        await asyncio.sleep(10)
        bench.put_node(node_file("b", 5, fit=False))
        await until(lambda: bench.keeper.peers() == (Peer("b", fit=False),), 4)
        await asyncio.sleep(20)
        assert bench.keeper.peers() == (SILENT._replace(fit=False),)
        bench.put_node(node_file("b", 5, incarnation="another"))
        await until(lambda: bench.keeper.peers() == (Peer("b", fit=True),), 4)

    await beside(bench.keeper.run(), test)


@virtual
async def test_a_node_that_holds_down_is_not_fit(clock: FakeClock) -> None:
    """It stays out of elections: an active node must not hand over to it."""
    bench = Bench(clock)

    async def test() -> None:
        await asyncio.sleep(1)
        bench.put_node(node_file("b", 5, held_down=True))
        await until(lambda: bench.keeper.peers() == (Peer("b", fit=False),), 4)

    await beside(bench.keeper.run(), test)


@virtual
async def test_whether_a_peer_is_disabled_is_what_the_orders_say(clock: FakeClock) -> None:
    """Its file may be older than the order: the order counts, both ways."""
    bench = Bench(clock)
    bench.put_orders(0, disable_node(Orders(), "b", MARK))

    async def test() -> None:
        await asyncio.sleep(1)
        bench.put_node(node_file("b", 5))
        await until(lambda: bench.keeper.peers() == (Peer("b", fit=True, disabled=True),), 4)
        bench.put_orders(1, enable_node(Orders(), "b", MARK))
        bench.put_node(node_file("b", 6, disabled=True))
        await until(lambda: bench.keeper.peers() == (Peer("b", fit=True),), 4)

    await beside(bench.keeper.run(), test)


@virtual
async def test_the_own_file_keeps_changing(clock: FakeClock) -> None:
    """It is written each third heartbeat, at once when its node changed, and is no peer."""
    bench = Bench(clock)

    async def test() -> None:
        await until(lambda: "nodes/a.json" in bench.directory.files)
        await asyncio.sleep(20)
        written = bench.directory.calls.count("Rename")
        await asyncio.sleep(30)
        assert 9 <= bench.directory.calls.count("Rename") - written <= 11
        bench.file = node_file("a", role="active")
        bench.keeper.poke.set()
        await asyncio.sleep(0.1)
        written = bench.directory.calls.count("Rename")
        await asyncio.sleep(8)
        assert bench.directory.calls.count("Rename") - written == 8, "lively after a change"
        assert b'"active"' in bench.directory.files["nodes/a.json"].data
        assert bench.keeper.peers() == ()
        assert "a" in bench.keeper.heard

    await beside(bench.keeper.run(), test)


@virtual
async def test_node_files_that_are_ignored(clock: FakeClock) -> None:
    """Garbage, another cluster's, a newer acmd's, one under a wrong name: said once, and never a peer."""
    bench = Bench(clock)
    await bench.keeper.read_orders()
    for number, garbage in enumerate(GARBAGE):
        bench.put(f"nodes/garbage{number}.json", garbage)
    bench.put_node(node_file("foreign"), cluster="another")
    bench.put_node(node_file("newer"), v=2)
    bench.put_node(node_file("empty"), content={})
    bench.put_node(node_file("listed"), content={**json.loads(_content("listed")), "services": "none"})
    whole = {"v": 1, "cluster": bench.documents._cluster_id, "node": "alias"}
    bench.put("nodes/alias.json", json.dumps({**whole, "content": json.loads(_content("real"))}).encode())

    async def test() -> None:
        await asyncio.sleep(30)
        assert bench.keeper.peers() == ()
        assert set(bench.keeper.heard) == {"a"}
        assert bench.log.count("node-file-ignored") == len(GARBAGE) + 5
        bench.put_node(node_file("newer", 1))
        await until(bench.keeper.peers, 4)

    await beside(bench.keeper.run(), test)


def _content(name: str) -> str:
    return json.dumps(to_content(node_file(name)))


@virtual
async def test_a_file_that_becomes_garbage_makes_its_node_silent(clock: FakeClock) -> None:
    """What was heard last stays known, but the node counts as alive no longer than its file changes."""
    bench = Bench(clock)

    async def test() -> None:
        await asyncio.sleep(10)
        bench.put_node(node_file("b"))
        await until(bench.keeper.peers, 4)
        bench.put("nodes/b.json", b"\0" * 100)
        await until(lambda: bench.keeper.peers() == (SILENT,), 11)
        assert bench.keeper.heard["b"].file == node_file("b")

    await beside(bench.keeper.run(), test)


@virtual
async def test_a_node_that_was_taken_out_is_forgotten(clock: FakeClock) -> None:
    """Once its file is gone and it is silent; a file that is missing for a moment changes nothing."""
    bench = Bench(clock)

    async def test() -> None:
        await asyncio.sleep(10)
        bench.put_node(node_file("b"))
        await until(bench.keeper.peers, 4)
        del bench.directory.files["nodes/b.json"]
        await asyncio.sleep(6)
        assert "b" in bench.keeper.heard
        await until(lambda: set(bench.keeper.heard) == {"a"}, 8)

    await beside(bench.keeper.run(), test)


# ---------------------------------------------------------------- faults and keeping house


@virtual
async def test_faults_are_logged_once_for_each_change(clock: FakeClock) -> None:
    """An hour without storage is one line, another fault another one, and the end of each one."""
    bench = Bench(clock)

    async def test() -> None:
        await asyncio.sleep(20)
        bench.store.stall()
        await asyncio.sleep(3600)
        bench.store.resume()
        bench.directory.fail = {Create: Fault.READ_ONLY}
        await asyncio.sleep(600)
        bench.directory.fail = {}
        await asyncio.sleep(10)
        assert [fields["fault"] for name, fields in bench.log.lines if name == "board-fault"] == [
            "timeout",
            "read-only",
        ]
        assert bench.log.count("board-recovered") == 2

    await beside(bench.keeper.run(), test)


@virtual
async def test_a_full_disk_does_not_make_the_others_look_dead(clock: FakeClock) -> None:
    """Node files are read although the own one cannot be written."""
    bench = Bench(clock)
    bench.directory.fail = {Create: Fault.NO_SPACE}

    async def test() -> None:
        for beat in range(30):
            bench.put_node(node_file("b", beat))
            await asyncio.sleep(1)
        assert bench.keeper.peers() == (Peer("b", fit=True),)
        assert bench.log.count("board-fault") == 1

    await beside(bench.keeper.run(), test)


@virtual
async def test_only_the_holder_keeps_house(clock: FakeClock) -> None:
    """Every node has its reserve; old files are moved by the one that holds the lease."""
    bench = Bench(clock)

    async def test() -> None:
        await asyncio.sleep(700)
        assert any(name.startswith("tmp/reserve.a.") for name in bench.directory.files)
        assert Remove.__name__ not in bench.directory.calls
        bench.active = True
        await asyncio.sleep(700)
        assert Remove.__name__ in bench.directory.calls

    await beside(bench.keeper.run(), test)


# ---------------------------------------------------------------- maintenance that ends by itself

END = MARK.at + 60
TIMED = disable_node(disable_all(Orders(), replace(MARK, until=END)), "a", replace(MARK, until=END + 30))


@virtual
async def test_maintenance_ends_by_an_order(clock: FakeClock) -> None:
    """The holder ends that of all, each node its own, by its wall clock; once, signed, and logged."""
    bench = Bench(clock)
    bench.active = True
    bench.put_orders(0, TIMED)

    async def test() -> None:
        await until(lambda: bench.keeper.intent().all_disabled)
        await until(lambda: not bench.keeper.intent().all_disabled, 61)
        assert clock.wall_time() >= END
        assert bench.keeper.intent().disabled_here
        await until(lambda: not bench.keeper.intent().disabled_here, 31)
        assert clock.wall_time() >= END + 30
        await asyncio.sleep(30)
        assert bench.keeper.number == 2
        assert bench.keeper.orders is not None
        assert bench.keeper.orders.by == "acmd on a"
        assert bench.log.count("order-ended") == 2

    await beside(bench.keeper.run(), test)


@virtual
async def test_the_holder_s_clock_decides_for_all(clock: FakeClock) -> None:
    """A passive node whose clock is ahead ends nothing while the holder is heard; a silent one's does."""
    bench = Bench(clock)
    bench.put_orders(0, disable_all(Orders(), replace(MARK, until=END)))
    clock.step_wall(3600)
    beats = iter(range(10_000))

    async def holder_lives() -> None:
        for beat in beats:
            bench.put_node(node_file("b", beat, role="detached"))
            await asyncio.sleep(1)
            if beat == 60:
                return

    async def test() -> None:
        await holder_lives()
        assert bench.keeper.intent().all_disabled
        await until(lambda: not bench.keeper.intent().all_disabled, 20)

    await beside(bench.keeper.run(), test)


@virtual
async def test_a_clock_behind_ends_it_late(clock: FakeClock) -> None:
    """Nothing but the end moves with the wall clock."""
    bench = Bench(clock)
    bench.active = True
    bench.put_orders(0, disable_all(Orders(), replace(MARK, until=END)))
    clock.step_wall(-86_400)

    async def test() -> None:
        await asyncio.sleep(600)
        assert bench.keeper.intent().all_disabled
        clock.step_wall(86_400)
        await until(lambda: not bench.keeper.intent().all_disabled, 3)

    await beside(bench.keeper.run(), test)


@virtual
async def test_an_end_that_cannot_be_posted_comes_later(clock: FakeClock) -> None:
    """Storage that takes no order, or a newer order that nobody understands: said, and tried again."""
    bench = Bench(clock)
    bench.active = True
    bench.put_orders(0, disable_all(Orders(), replace(MARK, until=END)))

    async def test() -> None:
        await until(lambda: bench.keeper.intent().all_disabled)
        bench.put_orders(1, Orders(), v=99)
        await asyncio.sleep(70)
        assert bench.log.count("order-not-ended")
        assert bench.keeper.intent().all_disabled
        del bench.directory.files[f"control/{command_name(1)}"]
        bench.directory.fail = {Link: Fault.NO_SPACE}
        await until(lambda: bench.keeper.fault is Fault.NO_SPACE, 5)
        bench.directory.fail = {}
        await until(lambda: not bench.keeper.intent().all_disabled, 5)

    await beside(bench.keeper.run(), test)


@virtual
async def test_a_change_that_changes_nothing_is_no_order(clock: FakeClock) -> None:
    """Two nodes that want the same make one order of it."""
    bench = Bench(clock)
    bench.put_orders(4, ALL)
    assert await bench.keeper.post(lambda found: found) == ALL
    assert bench.keeper.number == 4


@virtual
async def test_a_node_is_forgotten(clock: FakeClock) -> None:
    """Its file goes; a file that is gone already is fine; the rest stays."""
    bench = Bench(clock)
    bench.put_node(node_file("b"))
    bench.put_node(node_file("c"))

    async def test() -> None:
        await until(lambda: set(bench.keeper.heard) == {"a", "b", "c"})
        await bench.keeper.forget("b")
        await bench.keeper.forget("b")
        await until(lambda: set(bench.keeper.heard) == {"a", "c"}, 20)

    await beside(bench.keeper.run(), test)
