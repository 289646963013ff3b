"""A console over a board in memory; what the heartbeat came to is put by hand."""

from __future__ import annotations

import asyncio
from typing import Any

from acmd.core.decision import Decision, Reason
from acmd.core.nodefile import to_content as node_to
from acmd.core.observation import GuardView, Leave, Observation
from acmd.core.orders import Disabled, Held, intent_of
from acmd.core.state import Role, State, initial_state
from acmd.errors import AcmdError
from acmd.ports import ServiceStatus
from acmd.tasks.console import Console
from acmd.tasks.fencing import Fencing
from acmd.tasks.heartbeat import Wishes
from acmd.tasks.snapshot import About, Snapshot
from acmd.tasks.supervision import Group, Plan, Unit
from tests.fakes.clock import FakeClock
from tests.fakes.service import FakeService
from tests.tasks.board_kit import Bench, node_file
from tests.tasks.kit import Log, SteeredAgent, SteeredDrain
from tests.unit.core_kit import CLUSTER, ME, armed, lease

MARK = Disabled("alice", 1_700_000_000, "kernel")
ABOUT = About("prod", CLUSTER, "/shared", "1.0", "standard", "reset", 4711)


class Shelf:
    """`HeldStore` in memory; `full`: nothing can be written."""

    def __init__(self) -> None:
        self.held: dict[str, Held] = {}
        self.full = False

    def load(self) -> dict[str, Held]:
        """What was put last."""
        return self.held

    def save(self, held: dict[str, Held]) -> None:
        """Put it."""
        if self.full:
            raise AcmdError("no room", "make some")
        self.held = held


class Desk:
    """A console over a board in memory; `latest` is put by hand."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.bench = Bench(clock)
        self.log = Log()
        self.wishes = Wishes()
        changed = asyncio.Event()
        units = [Unit(FakeService("web"), Plan(), ServiceStatus("web", "active", state="running"))]
        active = Group(units, clock, changed, 0, SteeredDrain(), Log())
        others = Group([], clock, changed, 0, SteeredDrain(), Log(), gated=False)
        self.snapshot = Snapshot(
            ABOUT,
            clock,
            self.bench.keeper,
            active,
            others,
            self.wishes,
            lambda: 2,
            lambda: {"watchdog": "ok", "faults": [], "notes": ["memory: not locked"]},
        )
        self.agent = SteeredAgent()
        self.fencing = Fencing(self.agent, clock, changed, Log())
        self.held = Shelf()
        self.left: list[Leave] = []
        self.console = Console(
            self.snapshot, self.bench.keeper, clock, self.log, self.fencing, self.held, self.left.append
        )
        self.bench.keeper.own_file = self.snapshot.own_file

    def state(self, role: Role = Role.PASSIVE) -> State:
        """The state of node a in that role."""
        state = initial_state(ME, self.clock.now())
        state.role = role
        if role is not Role.PASSIVE:
            state.lease = lease(issued=self.clock.now())
        return state

    def show(self, state: State, reason: Reason = Reason.HOLDING, obs: Observation | None = None) -> None:
        """What the heartbeat came to."""
        found = obs or Observation(guard=armed() if state.lease else GuardView(alive=True))
        if self.bench.keeper.orders is not None:
            found = found._replace(intent=intent_of(self.bench.keeper.orders, "a"))
        self.snapshot.latest = (state, found, Decision(state, (), 0, reason))

    async def peer(self, name: str = "b", *, silent: bool = False, **more: Any) -> None:
        """Another node's file is there and was heard just now, or only found."""
        self.bench.keeper._beats = 0 if silent else 1
        self.bench.put_node(node_file(name, **more))
        await self.bench.keeper.documents.write_node(to_dict(self.snapshot))
        await self.bench.keeper._read_nodes()

    async def active(self, **peer: Any) -> None:
        """Node a holds epoch 7; a fit peer b is there."""
        self.show(self.state(Role.ACTIVE))
        await self.peer(**peer)

    async def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """One request of alice's."""
        return await self.console.handle({"do": do, **more}, "alice")

    async def refused(self, do: str, **more: Any) -> tuple[str, str]:
        """The refusal's words; no command was posted, nothing logged as given."""
        before = dict(self.bench.directory.files)
        answer = await self.ask(do, **more)
        assert set(answer) == {"error", "remedy"}, answer
        after = self.bench.directory.files
        assert {name for name in after if name.startswith("control/")} == {
            name for name in before if name.startswith("control/")
        }
        assert not self.log.count("order-given")
        return answer["error"], answer["remedy"]


def to_dict(snapshot: Snapshot) -> dict[str, Any]:
    """This node's own file."""
    return node_to(snapshot.own_file(1))
