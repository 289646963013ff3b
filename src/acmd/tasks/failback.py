"""Failback: the active node hands over to the preferred one once that has been ready for long enough."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from acmd.core import orders
from acmd.core.calls import StorageFault
from acmd.core.state import Role
from acmd.core.timing import NS_PER_S, Instant, elapsed_for_observer_ns
from acmd.errors import AcmdError
from acmd.ports import Clock
from acmd.tasks.board import BoardKeeper
from acmd.tasks.snapshot import Snapshot


@dataclass(slots=True)
class Failback:
    """Gives an ordinary switchover order, which names the epoch, at most once in each.

    The delay begins anew whenever the preferred node is not ready: silent, unfit, disabled, or holding
    down after failures; so a node that fails again and again is not handed to in between.
    """

    node: str  # the preferred one
    delay_ns: int
    now_known: Snapshot
    board: BoardKeeper
    clock: Clock
    log: Callable[..., None]
    _since: Instant | None = None
    _epoch: int = -1  # the one in which the preferred node has been ready since then
    _ordered: int = -1

    async def run(self) -> None:
        """Look each heartbeat, until cancelled."""
        while True:
            await asyncio.sleep(self.board.timing.heartbeat_ns / NS_PER_S)
            await self.look()

    async def look(self) -> None:
        """Give the order when it is time. Storage that does not take it is asked again."""
        epoch, now = self._ready_in(), self.clock.now()
        if epoch is None or epoch == self._ordered:
            self._since = None
            return
        if self._since is None or epoch != self._epoch:
            self._since, self._epoch = now, epoch
        if elapsed_for_observer_ns(self._since, now) < self.delay_ns:
            return
        mark = orders.Disabled("acmd, failback", self.clock.wall_time())
        try:
            await self.board.post(lambda found: self._change(found, mark, epoch))
        except (StorageFault, AcmdError) as problem:
            self._since = None
            self.log("failback-not-ordered", level="warning", to=self.node, because=str(problem))
            return
        self._ordered = epoch
        self.log("failback", to=self.node, epoch=epoch)

    def _change(self, found: orders.Orders, mark: orders.Disabled, epoch: int) -> orders.Orders:
        """An operator's order of a moment ago goes first."""
        if found.everywhere is not None or self.node in found.nodes or found.switchover_epoch >= epoch:
            return found
        return orders.switch_over(found, mark, epoch, self.node)

    def _ready_in(self) -> int | None:
        """The epoch that this node holds while the preferred one could take over; None otherwise."""
        latest = self.now_known.latest
        if latest is None or latest[0].role is not Role.ACTIVE or latest[0].lease is None:
            return None
        heard, given = self.board.heard.get(self.node), self.board.orders
        if heard is None or self.node == self.board.node or not self.board.alive(heard, self.clock.now()):
            return None
        if given is not None and (given.everywhere is not None or self.node in given.nodes):
            return None
        file = heard.file
        ready = file.role == "passive" and file.fit and not file.held_down and not file.disabled
        return latest[0].lease.epoch if ready else None
