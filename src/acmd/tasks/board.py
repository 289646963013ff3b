"""The board: operators' orders and node files, read and written beside the heartbeat, never in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from acmd.core.calls import StorageFault
from acmd.core.nodefile import NodeFile
from acmd.core.nodefile import from_content as node_from
from acmd.core.nodefile import to_content as node_to
from acmd.core.observation import Intent, Peer
from acmd.core.orders import BadOrders, Orders, ended_by_time, intent_of
from acmd.core.orders import from_content as orders_from
from acmd.core.orders import to_content as orders_to
from acmd.core.timing import NS_PER_S, Instant, Timing, elapsed_for_observer_ns
from acmd.errors import AcmdError
from acmd.ports import Clock, Documents

NODES_EVERY = 3  # heartbeats between two looks at the node files, and two writings of the own
LIVELY_BEATS = 10  # after a change of this node, the node files are written and read each heartbeat
HOUSE_EVERY = 600  # heartbeats between two runs of keeping house
POST_TRIES = 5
SILENCE_BEATS = 3 * NODES_EVERY + 1  # who was not heard for so many heartbeats is silent
KEEPING = frozenset({"promoting", "active", "giving-up", "detached", "reattaching"})
"""Roles, as node files have them, of a node that keeps the lease."""


@dataclass(slots=True)
class Heard:
    """A node file and when its content last changed, by this host's clock."""

    beat: tuple[str, int]
    file: NodeFile
    changed_at: Instant


@dataclass(slots=True)
class BoardKeeper:
    """Implements `ports.Board`. `own_file` is asked for this node's file whenever one is due."""

    documents: Documents
    clock: Clock
    timing: Timing
    node: str
    changed: asyncio.Event  # set for the heartbeat
    own_file: Callable[[int], NodeFile]
    holds_lease: Callable[[], bool]
    log: Callable[..., None]
    orders: Orders | None = None
    number: int = -1
    fault: str = ""
    poke: asyncio.Event = field(default_factory=asyncio.Event)
    heard: dict[str, Heard] = field(default_factory=dict)
    _beats: int = 0
    _refused: int = -1
    _vanished: int = -1
    _ignored: set[str] = field(default_factory=set)
    _written: tuple[str, bool, bool, tuple[str, ...]] | None = None
    _lively: int = 0
    _intent: Intent = field(default_factory=lambda: Intent(known=False))

    # -- the port ---------------------------------------------------------------------------------

    def intent(self) -> Intent:
        """What the orders mean for this node; unknown until they were read once."""
        return self._intent

    def peers(self) -> tuple[Peer, ...]:
        """All other nodes that have a file; one is heard while its file still changes."""
        now = self.clock.now()
        return tuple(
            Peer(
                name,
                fit=heard.file.fit and not heard.file.held_down,
                disabled=self.orders is not None and name in self.orders.nodes,
                heard=self.alive(heard, now),
            )
            for name, heard in sorted(self.heard.items())
            if name != self.node
        )

    def alive(self, heard: Heard, now: Instant) -> bool:
        """Whether a node was heard lately: three writings of its file may be missed."""
        limit_ns = SILENCE_BEATS * self.timing.heartbeat_ns
        return elapsed_for_observer_ns(heard.changed_at, now) <= limit_ns

    # -- the loop ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look at the orders each heartbeat, at the nodes every third, keep house now and then."""
        while True:
            self.poke.clear()
            try:
                await self._round()
                if self.fault:
                    self.log("board-recovered")
                self.fault = ""
            except StorageFault as failure:
                if self.fault != failure.fault:
                    self.log("board-fault", level="warning", fault=failure.fault, detail=failure.detail)
                self.fault = failure.fault
            try:
                async with asyncio.timeout(self.timing.heartbeat_ns / NS_PER_S):
                    await self.poke.wait()
            except TimeoutError:
                pass

    async def _round(self) -> None:
        await self.read_orders()
        await self._end_by_time()
        own = self.own_file(self._beats)
        states = tuple(service["state"] for service in own.services)
        what = (own.role, own.fit, own.disabled, states)
        if what != self._written:
            self._lively = LIVELY_BEATS
        self._lively = max(0, self._lively - 1)
        if self._lively or self._beats % NODES_EVERY == 0:
            try:
                await self.documents.write_node(node_to(own))
                self._written = what
            except StorageFault:
                await self._read_nodes()  # a full disk must not make the others look dead
                raise
            await self._read_nodes()
        if self._beats % HOUSE_EVERY == 1:
            await self.documents.prepare_reserve()
            if self.holds_lease():
                await self.documents.keep_house()
        self._beats += 1

    async def read_orders(self) -> None:
        """Take over the newest orders; orders that cannot be followed leave those before in force."""
        number, document = await self.documents.read_control()
        if number < self._refused:
            self._refused = -1  # somebody took it away
        if number == self.number and self._intent.known:
            return
        if number < self.number:
            self._note_vanished(number)  # a stale listing, or other storage: no order ends that way
            return
        if number == -1:
            self._follow(Orders(), -1)
            return
        try:
            if document.content is None:
                raise BadOrders(document.defect)
            orders = orders_from(document.content)
        except BadOrders as error:
            if self._refused != number:
                self.log("orders-refused", level="error", number=number, because=str(error))
            self._refused = number
            return
        self.log("orders", number=number, what=orders.what, by=orders.by)
        self._follow(orders, number)

    async def _end_by_time(self) -> None:
        """An order ends maintenance in time: each node its own, the lease's holder that of all.

        Without a holder that is heard, any node ends it: nobody can have services that it would touch.
        """
        if self.orders is None:
            return
        now, wall = self.clock.now(), self.clock.wall_time()
        others = (heard for name, heard in self.heard.items() if name != self.node)
        kept = any(heard.file.role in KEEPING and self.alive(heard, now) for heard in others)
        ends_all = self.holds_lease() or (self._beats > SILENCE_BEATS and not kept)
        if ended_by_time(self.orders, self.node, wall, ends_all=ends_all) is self.orders:
            return
        try:
            await self.post(lambda found: ended_by_time(found, self.node, wall, ends_all=ends_all))
        except AcmdError as refused:  # tried again with the next look
            self.log("order-not-ended", level="warning", because=refused.what, remedy=refused.remedy)
        else:
            self.log("order-ended", what=self.orders.what, because="its time is over")

    def _note_vanished(self, number: int) -> None:
        if self._vanished != self.number:
            self._vanished = self.number
            self.log("orders-vanished", level="warning", number=self.number, found=number)

    def _follow(self, orders: Orders, number: int) -> None:
        self.orders, self.number = orders, number
        self._intent = intent_of(orders, self.node)
        self.changed.set()

    async def _read_nodes(self) -> None:
        now = self.clock.now()
        found = await self.documents.read_nodes()
        there = {document.name for document in found}
        for name in [name for name in self.heard if name not in there]:
            if not self.alive(self.heard[name], now):
                del self.heard[name]  # taken out of the cluster
        for name, content, defect in found:
            before = self.heard.get(name)
            file = node_from(content) if content is not None else defect
            if isinstance(file, str) or file.node != name:
                if before is None and name not in self._ignored:
                    self._ignored.add(name)
                    self.log("node-file-ignored", level="warning", node=name, because=str(file)[:200])
                continue
            beat = (file.incarnation, file.beat)
            if before is not None and before.beat == beat:
                continue
            # Found at the start, a file may be as old as the hills: it counts once it changes.
            first = before is None and self._beats == 0
            at = Instant(now[0] - 3600 * NS_PER_S, now[1] - 3600 * NS_PER_S) if first else now
            self.heard[name] = Heard(beat, file, at)
            self.changed.set()

    async def forget(self, name: str) -> None:
        """Take the file of a node that is gone away. Raises StorageFault."""
        await self.documents.remove_node(name)
        self.poke.set()

    async def post(self, change: Callable[[Orders], Orders]) -> Orders:
        """Change the orders in force; `change` gives them back as they are when there is nothing to do.

        Raises StorageFault, or AcmdError when others kept being faster.
        """
        for _ in range(POST_TRIES):
            await self.read_orders()
            if self._refused > self.number:
                raise AcmdError(
                    f"command {self._refused} on shared storage cannot be followed by this acmd",
                    "if a newer acmd wrote it, upgrade this node; otherwise remove "
                    f"control/{self._refused:010d}.json from the cluster's directory",
                )
            found = self.orders or Orders()
            orders = change(found)
            if orders is found:
                return orders  # nothing is left to change
            if not await self.documents.post_control(self.number + 1, orders_to(orders)):
                continue
            self._follow(orders, self.number + 1)
            return orders
        raise AcmdError("other commands kept coming in between", "try again")
