"""What operators ask of a running daemon: the snapshot, and orders that are checked before they are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from acmd import status
from acmd.core import orders
from acmd.core.calls import StorageFault
from acmd.core.observation import Observation
from acmd.core.state import State
from acmd.errors import AcmdError
from acmd.ports import Clock
from acmd.tasks.board import BoardKeeper
from acmd.tasks.snapshot import Snapshot


@dataclass(slots=True)
class Console:
    """Answers the control socket."""

    now_known: Snapshot
    board: BoardKeeper
    clock: Clock
    log: Callable[..., None]

    async def handle(self, request: Mapping[str, Any], who: str) -> dict[str, Any]:
        """Answer one request. What is refused changes nothing and says why."""
        handlers = {
            "switchover": self._switchover,
            "disable": self._disable,
            "enable": self._enable,
        }
        if request["do"] == "status":
            return self.now_known.take()
        handler = handlers.get(request["do"])
        if handler is None:
            return {"error": f"this daemon cannot do {request['do']!r}", "remedy": "is it an older version?"}
        try:
            answer = await handler(request, who)
        except AcmdError as error:
            return {"error": error.what, "remedy": error.remedy}
        except StorageFault as failure:
            return {
                "error": f"the shared directory did not take the order: {failure}",
                "remedy": "nothing may have changed; look at `acmd status` once the storage answers",
            }
        self.log("order-given", what=str(request["do"]), by=who)
        return answer

    def _mark(self, request: Mapping[str, Any], who: str) -> orders.Disabled:
        reason = _text(request.get("reason"))[:200]
        return orders.Disabled(who, self.clock.wall_time(), reason, bool(request.get("force")))

    def _state(self) -> tuple[State, Observation]:
        latest = self.now_known.latest
        if latest is None:
            raise AcmdError("the daemon is starting", "ask again in a moment")
        return latest[0], latest[1]

    async def _switchover(self, request: Mapping[str, Any], who: str) -> dict[str, Any]:
        state, obs = self._state()
        active, epoch = status.active_node(state), status.epoch_known(state)
        if active is None or epoch is None:
            raise AcmdError("no node is active, so nothing can be handed over", "see `acmd status`")
        if obs.intent.all_disabled:
            raise AcmdError("the whole cluster is disabled: nobody acts", "`acmd enable --all` first")
        target = _text(request.get("to"))
        if target == active:
            raise AcmdError(f"{target} is the active node already", "name another with --to")

        def change(found: orders.Orders) -> orders.Orders:
            self._check_candidates(found, state, active, target)
            return orders.switch_over(found, self._mark(request, who), epoch, target)

        await self.board.post(change)
        return {"ok": True, "epoch": epoch, "from": active, "to": target}

    def _candidates(self, found: orders.Orders, state: State, active: str) -> dict[str, str]:
        """Other nodes than the active one, each with why it cannot take over, or ''."""
        rows = {}
        now = self.clock.now()
        for name, heard in self.board.heard.items():
            file = self.now_known.own_file(0) if name == state.me.node else heard.file
            if name == active:
                continue
            if name != state.me.node and not self.board.alive(heard, now):
                rows[name] = "it was not heard lately"
            elif name in found.nodes:
                rows[name] = "it is disabled"
            else:
                rows[name] = "" if file.fit else file.unfit_because or "it is not fit"
        return rows

    def _check_candidates(self, given: orders.Orders, state: State, active: str, target: str) -> None:
        found = self._candidates(given, state, active)
        if target and target not in found:
            known = ", ".join(sorted(found)) or "none"
            raise AcmdError(f"there is no node {target!r} to switch to", f"other nodes known: {known}")
        if target and found[target]:
            raise AcmdError(f"{target} cannot take over: {found[target]}", "mend that, or name another")
        if not any(not why for why in found.values()):
            reasons = "; ".join(f"{name}: {why}" for name, why in sorted(found.items())) or "no other node"
            raise AcmdError(f"no node can take over ({reasons})", "see `acmd status`")

    async def _disable(self, request: Mapping[str, Any], who: str) -> dict[str, Any]:
        state, _ = self._state()
        mark = self._mark(request, who)
        if request.get("all"):
            await self.board.post(lambda found: orders.disable_all(found, mark))
            return {"ok": True, "all": True}
        node = _text(request.get("node")) or state.me.node
        active = status.active_node(state)
        if node not in self.board.heard:
            known = ", ".join(sorted(self.board.heard))
            raise AcmdError(f"there is no node {node!r}", f"nodes known: {known}")

        def change(found: orders.Orders) -> orders.Orders:
            rows = self._candidates(found, state, node)
            if node == active and not mark.forced and all(rows.values()):
                names = ", ".join(unit.service.name for unit in self.now_known.active_services.units)
                raise AcmdError(
                    f"{node} is active and no other node can take over: {names} would stop",
                    "mend the other node first, or stop the services with --force",
                )
            return orders.disable_node(found, node, mark)

        await self.board.post(change)
        return {"ok": True, "node": node}

    async def _enable(self, request: Mapping[str, Any], who: str) -> dict[str, Any]:
        state, _ = self._state()
        mark = self._mark(request, who)
        if request.get("all"):
            dead = -1
            if request.get("holder_is_dead"):
                seen = state.seen
                if seen is None or seen.record is None or seen.record.state != "detached":
                    raise AcmdError(
                        "there is no detached lease whose holder could be dead", "see `acmd status`"
                    )
                dead = seen.epoch
            await self.board.post(lambda found: orders.enable_all(found, mark, dead))
            return {"ok": True, "all": True}
        node = _text(request.get("node")) or state.me.node
        await self.board.post(lambda found: orders.enable_node(found, node, mark))
        return {"ok": True, "node": node}


def _text(value: Any) -> str:
    """A text that a client sent; anything else counts as nothing."""
    return value if isinstance(value, str) else ""
