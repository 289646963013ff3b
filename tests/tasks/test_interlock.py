"""`tasks.interlock` under virtual time: what blocks a takeover, what passes, and when anybody is asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from acmd.core.lease import LeaseState
from acmd.core.observation import Interlock
from acmd.core.state import Role, Seen, initial_state
from acmd.tasks.heartbeat import Wishes
from acmd.tasks.interlock import LONGEST_PAUSE_S, InterlockKeeper
from tests.fakes.clock import FakeClock
from tests.tasks.kit import Log
from tests.tasks.virtual_time import beside, until, virtual
from tests.unit.core_kit import ME, raw, record

PEER, OWN = "10.0.0.2", "10.0.0.1"
ANSWERS = f"a MySQL server answers at {PEER}"


@dataclass
class World:
    """A passive node that sees a record, and MySQL servers at addresses."""

    clock: FakeClock
    servers: set[str] = field(default_factory=set)
    peers: tuple[str, ...] = ()
    override: int = -1
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.log, self.wishes, self.remarks = Log(), Wishes(), [""]
        self.state = initial_state(ME, self.clock.now())
        self.state.role = Role.PASSIVE
        self.keeper = InterlockKeeper(
            self.greet,
            lambda: self.peers,
            lambda address: address == OWN,
            lambda epoch: epoch == self.override,
            self.wishes,
            self.clock,
            asyncio.Event(),
            self.remarks.append,
            self.log,
        )

    async def greet(self, address: str) -> str:
        """Takes a tenth of a second."""
        self.asked.append(address)
        await asyncio.sleep(0.1)
        return ANSWERS if address in self.servers else ""

    def see(self, address: str = PEER, **more: Any) -> None:
        """The observed record changes now."""
        more = {"address": address, **more}
        now = self.clock.now()
        number = len(self.asked) + now.raw_ns % 1000
        found = record(**more)
        self.state = self.state.clone()
        self.state.seen = Seen(7, raw(**more) + b"%d" % number, found, now, now, 14_700_000_000)
        self.keeper.notice(self.state)

    @property
    def verdict(self) -> Interlock:
        """What the heartbeat would be told."""
        return self.wishes.interlock


@virtual
async def test_an_answering_server_blocks(clock: FakeClock) -> None:
    """The record stands still and MySQL answers at its address: blocked, and said; gone: clear."""
    world = World(clock, {PEER})

    async def test() -> None:
        world.see()
        await asyncio.sleep(10)
        assert world.verdict is Interlock.BLOCKED
        assert PEER in world.wishes.interlock_because
        assert world.remarks[-1] == f"interlock: {ANSWERS}"
        assert world.log.count("interlock-blocks") == 1
        world.servers.clear()
        assert await until(lambda: world.verdict is Interlock.CLEAR, LONGEST_PAUSE_S + 1)
        assert world.remarks[-1] == ""
        assert world.keeper.changed.is_set()

    await beside(world.keeper.run(), test)


@virtual
async def test_refusal_and_timeout_pass(clock: FakeClock) -> None:
    """Nothing that completes a greeting: clear, long before W has passed."""
    world = World(clock)

    async def test() -> None:
        world.see()
        assert world.verdict is Interlock.BLOCKED, "nobody knows yet"
        assert await until(lambda: world.verdict is Interlock.CLEAR) < 4

    await beside(world.keeper.run(), test)


@virtual
async def test_nobody_is_asked_while_the_holder_renews(clock: FakeClock) -> None:
    """Connections that end before the login are counted by MySQL: none are made without need."""
    world = World(clock, {PEER})

    async def test() -> None:
        for _ in range(30):
            world.see()
            await asyncio.sleep(1)
        assert world.asked == []
        assert world.verdict is Interlock.BLOCKED

    await beside(world.keeper.run(), test)


@virtual
async def test_a_release_is_asked_about_at_once(clock: FakeClock) -> None:
    """A released record ends its epoch at once: the question is not left to the next beat."""
    world = World(clock)

    async def test() -> None:
        world.see()
        await asyncio.sleep(0.5)
        world.see(state=LeaseState.RELEASED)
        assert world.verdict is Interlock.BLOCKED
        assert await until(lambda: world.verdict is Interlock.CLEAR) < 0.2

    await beside(world.keeper.run(), test)


@virtual
async def test_what_was_asked_before_a_change_proves_nothing(clock: FakeClock) -> None:
    """The record changes while the question is under way: its answer counts for nothing."""
    world = World(clock)

    async def test() -> None:
        world.see(state=LeaseState.RELEASED)
        await until(lambda: world.asked)
        world.servers.add(PEER)
        world.see(state=LeaseState.RELEASED, epoch=8)
        await asyncio.sleep(1)
        assert world.verdict is Interlock.BLOCKED
        assert len(world.asked) >= 2

    await beside(world.keeper.run(), test)


@virtual
async def test_the_own_server_is_none_of_them(clock: FakeClock) -> None:
    """An address of this host is never asked; with no other one known, nothing blocks."""
    world = World(clock, {OWN})
    world.see(address=OWN)
    assert world.verdict is Interlock.CLEAR

    async def test() -> None:
        await asyncio.sleep(10)
        assert world.asked == []
        world.peers, world.servers = (PEER,), {PEER}
        world.see(address=OWN, state=LeaseState.RELEASED)
        await asyncio.sleep(1)
        assert world.verdict is Interlock.BLOCKED, "a stray on another node"

    await beside(world.keeper.run(), test)


@virtual
async def test_an_operator_overrides_one_epoch(clock: FakeClock) -> None:
    """The override names the epoch that is to end, and counts for no other."""
    world = World(clock, {PEER}, override=7)

    async def test() -> None:
        world.see(state=LeaseState.RELEASED)
        await until(lambda: world.verdict is Interlock.OVERRIDDEN, 1)
        world.override = 6
        world.see(state=LeaseState.RELEASED, epoch=8)
        await asyncio.sleep(1)
        assert world.verdict is Interlock.BLOCKED

    await beside(world.keeper.run(), test)


@virtual
async def test_a_blocked_node_asks_less_and_less(clock: FakeClock) -> None:
    """At most every 15 s once it has lasted: a host that hangs up too often is turned away by MySQL."""
    world = World(clock, {PEER})

    async def test() -> None:
        world.see()
        await asyncio.sleep(150)
        assert len(world.asked) < 16

    await beside(world.keeper.run(), test)
