"""`tasks.heartbeat` under virtual time: effects in order, what a failed step drops, repeats, the end."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable

from acmd.core.board import initialise
from acmd.core.calls import Call, Fault, Kind
from acmd.core.decision import (
    Arm,
    CloseGate,
    Decision,
    Disarm,
    Effect,
    Erase,
    Exit,
    Fence,
    Issue,
    NoteEpoch,
    Remember,
    ShutGate,
    Supervise,
)
from acmd.core.lease import LeaseState, Record, decode, encode, lease_name
from acmd.core.observation import Intent, Leave, Mode, Observation, Peer
from acmd.core.state import Remembered, Role, State, initial_state
from acmd.core.timing import Instant
from acmd.guard.switch import Limits, Sight
from acmd.ports import LocalFailure, ServiceStatus
from acmd.tasks.fencing import Fencing
from acmd.tasks.heartbeat import Heartbeat, World
from acmd.tasks.supervision import Group, Plan, Unit
from tests.fakes.clock import FakeClock
from tests.fakes.guard import FakeGuard
from tests.fakes.lease_store import FakeLeaseStore
from tests.fakes.memory_directory import MemoryDirectory
from tests.fakes.run_store import FakeRunStore
from tests.tasks.kit import Log, SlowService, SteeredDrain
from tests.tasks.virtual_time import STEP_S, until, virtual
from tests.unit.core_kit import CLUSTER, CLUSTER_FILE, EPOCH, ME, TIMING, lease

LIMITS = Limits(
    TIMING.renew_deadline_ns,
    TIMING.kill_deadline_ns,
    TIMING.reset_deadline_ns,
    TIMING.lease_duration_ns,
    last_resort="none",
)
HELD = lease()


@dataclasses.dataclass
class FakeBoard:
    """`ports.Board`."""

    wants: Intent = dataclasses.field(default_factory=Intent)
    others: tuple[Peer, ...] = (Peer("b", fit=True),)

    def intent(self) -> Intent:
        """What operators want."""
        return self.wants

    def peers(self) -> tuple[Peer, ...]:
        """The other nodes."""
        return self.others


class Journal:
    """Every port's requests in the order in which they came; `broken` names those that fail."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.broken: set[str] = set()

    def add(self, entry: str) -> None:
        """One request. Raises LocalFailure while it is broken."""
        if entry.split(maxsplit=1)[0] in self.broken:
            raise LocalFailure(f"{entry}: injected", "mend the test")
        self.entries.append(entry)


class Runs(FakeRunStore):
    """A run store with a journal."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self.journal = journal

    def remember(self, remembered: Remembered) -> None:
        self.journal.add(f"remember {remembered.lease.sequence}")
        super().remember(remembered)

    def erase(self) -> None:
        self.journal.add("erase")
        super().erase()

    def note_epoch(self, epoch: int) -> None:
        self.journal.add(f"note {epoch}")
        super().note_epoch(epoch)

    def probe(self) -> None:
        if self.journal.broken & {"remember", "erase", "note"}:
            raise LocalFailure("injected", "mend the test")
        super().probe()


class Guard(FakeGuard):
    """A guard with a journal."""

    journal: Journal

    def arm(self, epoch: int, issued: Instant) -> None:
        self.journal.add(f"arm {epoch}")
        super().arm(epoch, issued)

    def close_gate(self, epoch: int) -> None:
        self.journal.add(f"close {epoch}")
        super().close_gate(epoch)

    def shut_gate(self, epoch: int) -> None:
        self.journal.add(f"shut {epoch}")
        super().shut_gate(epoch)

    def disarm(self, epoch: int, detached: bool) -> None:
        self.journal.add(f"disarm {epoch} {detached}")
        super().disarm(epoch, detached)


class Store(FakeLeaseStore):
    """A lease store with a journal."""

    journal: Journal

    def issue(self, call: Call) -> None:
        self.journal.add(f"issue {call.kind.value}")
        super().issue(call)


class Watched(SlowService):
    """A service that the guard sees, too."""

    guard: FakeGuard

    def _become(self, state: str, lives: bool) -> None:
        super()._become(state, lives)
        self.guard.sight = Sight(lives, jobs=False, drained=not lives)


class Agent:
    """A fence agent that never comes back."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    async def fence(self, host: str) -> bool:
        """Hang."""
        self.journal.add(f"fence {host}")
        await asyncio.sleep(3600)
        return False


class Node:
    """A whole node: the real heartbeat, supervision and fencing over fakes, on a directory in memory."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.changed = asyncio.Event()
        self.journal = Journal()
        self.directory = MemoryDirectory()
        first = Record(CLUSTER, 0, 0, "", "", "", "", "", 12_000, LeaseState.RELEASED, "init")
        self.directory.run(initialise(CLUSTER_FILE, encode(first), "init"))
        self.runs = Runs(self.journal)
        self.store = Store(self.directory, clock)
        self.store.journal = self.journal
        self.store.changed = self.changed
        self.guard = Guard(clock, LIMITS)
        self.guard.journal = self.journal
        self.guard.changed = self.changed
        self.service = Watched("web")
        self.service.guard = self.guard
        unit = Unit(self.service, Plan(), ServiceStatus("web", "active"))
        self.group = Group([unit], clock, self.changed, TIMING.renew_deadline_ns, SteeredDrain(), Log())
        self.fencing = Fencing(Agent(self.journal), clock, self.changed, Log())
        self.board = FakeBoard()
        self.seen: list[tuple[State, Observation, Decision]] = []
        world = World(clock, self.store, self.runs, self.guard, self.group, self.fencing, self.board)
        state = initial_state(ME, clock.now())
        self.heart = Heartbeat(world, state, self.changed, lambda *what: self.seen.append(what))

    @property
    def role(self) -> Role:
        """Its role."""
        return self.heart.state.role

    async def alive(self, test: Callable[[], Awaitable[None]]) -> None:
        """Everything of the node beside the test."""

        async def tick() -> None:
            while True:
                self.guard.settle()
                await asyncio.sleep(5 * STEP_S)

        loops = [asyncio.create_task(work) for work in (self.heart.run(), self.group.run(), tick())]
        try:
            await test()
            for loop in loops:
                if loop.done():
                    loop.result()
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await self.fencing.close()

    def perform(self, *effects: Effect) -> bool:
        """These effects, as if a decision had come to them."""
        return self.heart._perform(effects, self.clock.now())


def call(kind: Kind = Kind.LIST, number: int = 1) -> Issue:
    """An effect that asks for a storage call."""
    return Issue(Call(number, kind, EPOCH))


# ---------------------------------------------------------------- effects


@virtual
async def test_every_effect_reaches_its_port_in_order(clock: FakeClock) -> None:
    """What a decision lists is done in exactly that order, nothing left out."""
    node = Node(clock)
    repeated = node.perform(
        Remember(HELD, 0),
        call(),
        Arm(EPOCH, clock.now()),
        CloseGate(EPOCH),
        ShutGate(EPOCH),
        Supervise(Mode.KILL, EPOCH),
        Fence("b"),
        Disarm(EPOCH, detached=True),
        Erase(EPOCH),
        NoteEpoch(9),
    )
    await asyncio.sleep(0)
    assert not repeated
    expected = "remember 3, issue list, arm 7, close 7, shut 7, disarm 7 True, erase, note 9, fence b"
    assert node.journal.entries == expected.split(", ")
    assert node.group._wanted == (Mode.KILL, EPOCH, None)
    await node.fencing.close()


@virtual
async def test_a_failed_local_step_drops_the_rest(clock: FakeClock) -> None:
    """After a `Remember` that failed no call is issued; each is reported as LOCAL: never issued."""
    node = Node(clock)
    node.journal.broken.add("remember")
    assert node.perform(
        call(number=1), Remember(HELD, 0), call(Kind.WRITE, 2), Arm(EPOCH, clock.now()), call()
    )
    assert node.journal.entries == ["issue list"]
    assert not node.heart.run_ok
    outcomes = node.heart._observe().outcomes
    found = [(o.call.kind, o.fault) for o in outcomes]
    assert found == [(Kind.WRITE, Fault.LOCAL), (Kind.LIST, Fault.LOCAL), (Kind.LIST, None)]


@virtual
async def test_services_that_may_take_longer_to_stop(clock: FakeClock) -> None:
    """A reload changes for how long a node that gives up renews; what was decided before stays as it was."""
    node = Node(clock)
    before = node.heart.state
    node.heart.give_up_within(7)
    assert node.heart.state.me.give_up_limit_ns == 7
    assert before.me.give_up_limit_ns != 7


@virtual
async def test_a_guard_that_cannot_be_reached_does_not_make_run_unwritable(clock: FakeClock) -> None:
    """A request to the guard that fails drops what follows, but says nothing of /run/acmd."""
    node = Node(clock)
    node.guard.lost = True
    assert node.perform(Arm(EPOCH, clock.now()), call())
    assert node.heart.run_ok
    assert "issue list" not in node.journal.entries


@virtual
async def test_what_failed_is_not_skipped_as_asked_for_lately(clock: FakeClock) -> None:
    """An `Arm` that could not be sent is sent before anything after it, however soon the next beat comes."""
    node = Node(clock)
    node.journal.broken.add("arm")
    effects = (Arm(EPOCH, clock.now()), call())
    assert node.perform(*effects)
    clock.advance(1_000_000)
    assert node.perform(*effects)
    assert node.journal.entries == []
    node.journal.broken.clear()
    assert not node.perform(*effects)
    assert node.journal.entries == ["arm 7", "issue list"]


@virtual
async def test_repeated_requests_are_rate_limited(clock: FakeClock) -> None:
    """The same request within 20 ms is not sent again; calls and local steps always are."""
    node = Node(clock)
    effects = (ShutGate(EPOCH), NoteEpoch(9), call())
    assert not node.perform(*effects)
    clock.advance(19_000_000)
    assert node.perform(*effects)
    clock.advance(1_000_000)
    assert not node.perform(*effects)
    assert node.journal.entries.count("shut 7") == 2
    assert node.journal.entries.count("note 9") == 3


@virtual
async def test_closing_the_gate_is_not_shutting_it(clock: FakeClock) -> None:
    """Two different requests for one epoch are two requests, however soon one follows the other."""
    node = Node(clock)
    assert not node.perform(CloseGate(EPOCH))
    assert not node.perform(ShutGate(EPOCH))
    assert node.journal.entries == ["close 7", "shut 7"]


@virtual
async def test_what_was_asked_for_is_forgotten_in_time(clock: FakeClock) -> None:
    """However many different requests there are, what is remembered of them is bounded."""
    node = Node(clock)
    for epoch in range(500):
        node.perform(CloseGate(epoch))
    assert len(node.heart._asked) <= 65


# ---------------------------------------------------------------- the loop


@virtual
async def test_a_node_alone_becomes_active_and_renews(clock: FakeClock) -> None:
    """Out of a released epoch: claim, arm, start, in this order; then one renewal each second."""
    node = Node(clock)

    async def test() -> None:
        await until(lambda: node.group.view().all_up, 5)
        assert node.role is Role.ACTIVE
        entries = node.journal.entries
        assert entries.index("issue link") < entries.index("arm 1")
        assert node.service.calls == ["start 1"]
        before = entries.count("issue write")
        await asyncio.sleep(10)
        assert 9 <= entries.count("issue write") - before <= 11
        assert node.heart.decisions < 150

    await node.alive(test)


@virtual
async def test_an_unwritable_run_directory_makes_nobody_active(clock: FakeClock) -> None:
    """While /run/acmd cannot be written there is no promotion; as soon as it can, there is one."""
    node = Node(clock)
    node.journal.broken |= {"remember", "erase", "note"}

    async def test() -> None:
        await asyncio.sleep(60)
        assert node.role is not Role.ACTIVE
        assert not node.service.journal
        node.journal.broken.clear()
        await until(lambda: node.role is Role.ACTIVE, 40)

    await node.alive(test)


@virtual
async def test_an_active_node_whose_run_directory_breaks_stops_in_time(clock: FakeClock) -> None:
    """Without `Remember` nothing is renewed: R demotes, all is gone before D, and the beat never stops."""
    node = Node(clock)

    async def test() -> None:
        await until(lambda: node.group.view().all_up, 5)
        node.journal.broken |= {"remember", "erase", "note"}
        assert await until(lambda: not node.service.lives, 12) <= 7.5
        decisions = node.heart.decisions
        await asyncio.sleep(10)
        assert 10 < node.heart.decisions - decisions < 2000
        assert node.guard.resets == 0

    await node.alive(test)


@virtual
async def test_storage_that_stalls_does_not_block_the_beat(clock: FakeClock) -> None:
    """Calls that never return: the beat goes on, R comes in time, the services are gone before D."""
    node = Node(clock)

    async def test() -> None:
        await until(lambda: node.group.view().all_up, 5)
        node.store.stall()
        took_s = await until(lambda: not node.service.lives, 12)
        assert 4.9 < took_s < 7.5
        node.store.expire()
        node.store.resume()
        await until(lambda: node.role is Role.ACTIVE, 60)
        assert node.service.epoch is not None
        assert node.service.epoch > 1

    await node.alive(test)


@virtual
async def test_a_guard_that_dies_costs_the_role_within_a_heartbeat(clock: FakeClock) -> None:
    """Without a dead man's switch an active node gives up, within h and the stop of its services."""
    node = Node(clock)

    async def test() -> None:
        await until(lambda: node.group.view().all_up, 5)
        node.guard.lost = True
        assert await until(lambda: not node.service.lives, 5) < 2

    await node.alive(test)


@virtual
async def test_it_wakes_for_news_and_not_only_by_the_clock(clock: FakeClock) -> None:
    """A change of any port makes the next decision at once, not at the next second."""
    node = Node(clock)

    async def test() -> None:
        await until(lambda: node.group.view().all_up, 5)
        await asyncio.sleep(5)
        decisions = node.heart.decisions
        node.changed.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert node.heart.decisions == decisions + 1

    await node.alive(test)


@virtual
async def test_exit_ends_it_after_a_release(clock: FakeClock) -> None:
    """Told to leave, it stops the services, releases, and ends by itself; the peer need not wait."""
    node = Node(clock)

    async def test() -> None:
        await until(lambda: node.group.view().all_up, 5)
        node.heart.wishes.leave = Leave.RELEASE
        node.changed.set()
        await until(lambda: node.role is Role.STOPPED, 5)
        found = decode(node.directory.files[lease_name(1)].data, CLUSTER, 1)
        assert isinstance(found, Record)
        assert (found.state, found.successor) == (LeaseState.RELEASED, "b")
        assert node.runs.remembered is None
        entries = node.journal.entries
        assert entries.index("erase") < entries.index("issue release")
        decisions = node.heart.decisions
        await asyncio.sleep(10)
        assert node.heart.decisions == decisions

    await node.alive(test)


@virtual
async def test_a_daemon_that_comes_after_adopts(clock: FakeClock) -> None:
    """Left for adoption, the next heartbeat takes over epoch and services without a start or a stop."""
    node = Node(clock)

    async def first() -> None:
        await until(lambda: node.group.view().all_up, 5)
        node.heart.wishes.leave = Leave.ADOPT
        node.changed.set()
        await until(lambda: node.role is Role.STOPPED, 2)

    await node.alive(first)
    after = Node(clock)
    after.directory.files, after.runs.remembered = node.directory.files, node.runs.remembered
    after.guard.switch, after.guard.sight = node.guard.switch, node.guard.sight
    after.service.state, after.service.lives, after.service.epoch = "running", True, 1

    async def second() -> None:
        await until(lambda: after.role is Role.ACTIVE and after.heart.state.adopted == 1, 3)
        await asyncio.sleep(10)
        assert after.service.calls == []
        assert after.heart.state.lease is not None
        assert after.heart.state.lease.epoch == 1

    await after.alive(second)


@virtual
async def test_what_was_remembered_is_shown_to_the_first_decision_only(clock: FakeClock) -> None:
    """A predecessor's lease is adopted once, or never."""
    node = Node(clock)
    node.heart._remembered = Remembered("boot-a", HELD)
    assert node.heart._observe().remembered is not None
    assert node.heart._observe().remembered is None


@virtual
async def test_everything_a_decision_may_know_is_put_together(clock: FakeClock) -> None:
    """Wishes of the host, the board's word and fresh ids reach the core; `seen` gets what it rested on."""
    node = Node(clock)
    node.board.wants = Intent(disabled_here=True)
    node.heart.wishes.fit, node.heart.wishes.unfit_because = False, "no database"
    assert node.heart.beat() > 0
    state, obs, decision = node.seen[-1]
    assert (obs.fit, obs.intent.disabled_here, obs.peers) == (False, True, node.board.others)
    assert obs.has_fence_agent
    assert obs.wall_time == clock.wall_time()
    assert (state, decision.state) == (node.heart.state, node.heart.state)
    node.heart.beat()
    assert node.seen[-1][1].fresh_id != obs.fresh_id


@virtual
async def test_exit_among_effects_is_performed_last_of_all(clock: FakeClock) -> None:
    """`Exit` ends the loop only after the decision was shown."""
    node = Node(clock)
    node.perform(Exit())
    await asyncio.wait_for(node.heart.run(), 1)
    assert len(node.seen) == 1
