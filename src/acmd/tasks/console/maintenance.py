"""Orders that decide who may be active: switchover, disable, enable, detach, clear-hold-down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from acmd import status
from acmd.core import orders
from acmd.core.lease import Record
from acmd.core.observation import Leave
from acmd.core.state import Role, State
from acmd.errors import AcmdError
from acmd.tasks.console.desk import Answer, Desk, Request, quoted, said, text

LEAVE_AFTER_S = 0.1  # the answer goes out first


@dataclass(slots=True)
class Maintenance:
    """`leave` tells the daemon to end."""

    desk: Desk
    leave: Callable[[Leave], None]

    async def switchover(self, request: Request, who: str) -> Answer:
        """Move the services once."""
        state, obs, _ = self.desk.latest
        active, epoch = status.active_node(state), status.epoch_known(state)
        if active is None or epoch is None:
            raise AcmdError("no node is active, so nothing can be handed over", "see `acmd status`")
        if obs.intent.all_disabled:
            raise AcmdError("the whole cluster is disabled: nobody acts", "`acmd enable --all` first")
        target = text(request.get("to"))
        if target == active:
            raise AcmdError(f"{target} is the active node already", "name another with --to")

        def change(found: orders.Orders) -> orders.Orders:
            self._check_candidates(found, active, target)
            return orders.switch_over(found, self.desk.mark(request, who), epoch, target)

        await self.desk.board.post(change)
        return {"ok": True, "epoch": epoch, "from": active, "to": target}

    def _check_candidates(self, given: orders.Orders, active: str, target: str) -> None:
        found = self.desk.candidates(given, active)
        if target and target not in found:
            known = ", ".join(sorted(found)) or "none"
            raise AcmdError(f"there is no node {quoted(target)} to switch to", f"other nodes known: {known}")
        if target and found[target]:
            raise AcmdError(f"{target} cannot take over: {found[target]}", "mend that, or name another")
        if not any(not why for why in found.values()):
            reasons = "; ".join(f"{name}: {why}" for name, why in sorted(found.items())) or "no other node"
            raise AcmdError(f"no node can take over ({reasons})", "see `acmd status`")

    async def disable(self, request: Request, who: str) -> Answer:
        """Maintenance of a node, or of all."""
        desk = self.desk
        state, _, _ = desk.latest
        mark = desk.mark(request, who)
        if said(request, "all"):
            await desk.board.post(lambda found: orders.disable_all(found, mark))
            return {"ok": True, "all": True}
        node = desk.known_node(text(request.get("node")) or state.me.node)
        active = status.active_node(state)

        def change(found: orders.Orders) -> orders.Orders:
            rows = desk.candidates(found, node)
            if node == active and not mark.forced and all(rows.values()):
                names = ", ".join(unit.service.name for unit in desk.now_known.active_services.units)
                raise AcmdError(
                    f"{node} is active and no other node can take over: {names} would stop",
                    "mend the other node first, or stop the services with --force",
                )
            return orders.disable_node(found, node, mark)

        await desk.board.post(change)
        return {"ok": True, "node": node}

    async def enable(self, request: Request, who: str) -> Answer:
        """The end of it."""
        desk = self.desk
        state, _, _ = desk.latest
        mark = desk.mark(request, who)
        if said(request, "all"):
            dead = None
            if said(request, "holder_is_dead"):
                seen = state.seen
                if seen is None or seen.record is None or seen.record.state != "detached":
                    raise AcmdError(
                        "there is no detached lease whose holder could be dead", "see `acmd status`"
                    )
                self._not_seen_alive(state, seen.record)
                dead = (seen.epoch, seen.record.sequence)
            await desk.board.post(lambda found: orders.enable_all(found, mark, dead))
            return {"ok": True, "all": True}
        node = text(request.get("node")) or state.me.node

        def change(found: orders.Orders) -> orders.Orders:
            if node not in found.nodes:  # nothing to end: at least it has to be somebody
                desk.known_node(node)
            return orders.enable_node(found, node, mark)

        await desk.board.post(change)
        return {"ok": True, "node": node}

    def _not_seen_alive(self, state: State, record: Record) -> None:
        """A word that this node knows to be wrong is refused: the holder's services would run twice.

        Passive under the holder's name is a host that was built anew, or has nothing left to run.
        """
        holder = record.holder
        if holder == state.me.node:
            alive = record.machine_id == state.me.machine_id
        else:
            heard = self.desk.board.heard.get(holder)
            alive = (
                heard is not None
                and self.desk.silent_s(holder) is None
                and heard.file.role != Role.PASSIVE.value
            )
        if alive:
            raise AcmdError(
                f"{holder} is not dead: its acmd is heard, and its services may run",
                "`acmd enable --all` without --holder-is-dead: it goes on as the active node",
            )

    async def detach(self, request: Request, who: str) -> Answer:
        """End this daemon and keep all services, once the cluster is disabled and its lease detached."""
        del request, who
        state, obs, _ = self.desk.latest
        if not obs.intent.all_disabled:
            raise AcmdError(
                "the cluster is not disabled: a daemon that ends now hands its services over",
                "`acmd detach` without --no-disable does both, or `acmd disable --all` first",
            )
        settled = state.detach_confirmed or obs.guard.epoch is None
        if state.role is not Role.PASSIVE and not (state.role is Role.DETACHED and settled):
            raise AcmdError(
                f"the lease is not detached yet: this node is {state.role.value}", "ask again in a moment"
            )
        asyncio.get_running_loop().call_later(LEAVE_AFTER_S, self.leave, Leave.DETACH)
        return {"ok": True, "node": state.me.node, "pid": self.desk.now_known.about.pid}

    async def clear_hold_down(self, request: Request, who: str) -> Answer:
        """A node that gave up after failures may be a candidate again at once."""
        desk = self.desk
        node = desk.known_node(text(request.get("node")) or desk.me)
        file = desk.now_known.own_file(0) if node == desk.me else desk.board.heard[node].file
        if not file.held_down:
            raise AcmdError(f"{node} does not hold down", "`acmd status` says why it is not active")
        mark = desk.mark(request, who)
        await desk.board.post(lambda found: orders.clear_hold_down(found, mark, node))
        return {"ok": True, "node": node}
