"""What operators ask of a running daemon: the snapshot, and orders that are checked before they are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from acmd import status
from acmd.core import orders
from acmd.core.calls import StorageFault
from acmd.core.decision import Decision
from acmd.core.nodefile import NodeFile
from acmd.core.observation import Observation
from acmd.core.state import State
from acmd.core.timing import NS_PER_S, elapsed_for_observer_ns
from acmd.errors import AcmdError
from acmd.ports import Clock
from acmd.tasks.board import BoardKeeper
from acmd.tasks.heartbeat import Wishes
from acmd.tasks.supervision import Group


@dataclass(frozen=True, slots=True)
class About:
    """What the daemon knows of its configuration and shows."""

    cluster: str
    cluster_id: str
    directory: str
    version: str
    profile: str
    last_resort: str
    pid: int


@dataclass(slots=True)
class Console:
    """Holds what the last decision rested on, and answers the control socket."""

    about: About
    clock: Clock
    board: BoardKeeper
    active_services: Group
    other_services: Group
    wishes: Wishes
    log: Callable[..., None]
    abandoned: Callable[[], int]
    guard_says: Callable[[], Mapping[str, Any]]
    latest: tuple[State, Observation, Decision] | None = None

    # -- the snapshot -----------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """The status as JSON values."""
        if self.latest is None:
            return {"error": "the daemon is starting", "remedy": "ask again in a moment"}
        state, obs, decision = self.latest
        now = self.clock.now()
        about = self.about
        guard = status.guard_part(state, obs, now, about.last_resort)
        says = self.guard_says()
        guard["watchdog"] = says.get("watchdog", "unknown") if guard["watchdog"] == "ok" else "missing"
        guard["notes"] = [*says.get("faults", ()), *says.get("notes", ())]
        return {
            "format": status.FORMAT,
            "version": about.version,
            "pid": about.pid,
            "cluster": {"name": about.cluster, "id": about.cluster_id, "directory": about.directory},
            "node": state.me.node,
            "role": state.role.value,
            "role_since_s": round(elapsed_for_observer_ns(state.role_since, now) / NS_PER_S, 3),
            "active": status.active_node(state),
            "epoch": status.epoch_known(state),
            "reason": status.reason_of(state, decision.reason),
            "reason_code": decision.reason.value,
            "lease": status.lease_part(state, now),
            "nodes": self._nodes(state),
            "maintenance": self._maintenance(),
            "guard": guard,
            "storage": {
                "fault": state.storage_fault or self.board.fault or None,
                "abandoned_workers": self.abandoned(),
            },
            "timing": {"profile": about.profile, **_timing(state)},
        }

    def _nodes(self, state: State) -> list[dict[str, Any]]:
        now = self.clock.now()
        rows = []
        for name, heard in sorted(self.board.heard.items()):
            own = name == state.me.node
            file = self.own_file(heard.file.beat) if own else heard.file
            age_s = 0.0 if own else round(elapsed_for_observer_ns(heard.changed_at, now) / NS_PER_S, 3)
            rows.append(
                {
                    "name": name,
                    "address": file.address,
                    "role": file.role if own or self.board.alive(heard, now) else "unknown",
                    "fit": file.fit,
                    "unfit_because": file.unfit_because,
                    "last_seen_s": age_s,
                    "version": file.version,
                    "services": list(file.services),
                }
            )
        return rows

    def _maintenance(self) -> dict[str, Any]:
        found = self.board.orders
        if found is None:
            return {"all": None, "nodes": {}}
        return {
            "all": asdict(found.everywhere) if found.everywhere is not None else None,
            "nodes": {name: asdict(mark) for name, mark in sorted(found.nodes.items())},
        }

    def holds_lease(self) -> bool:
        """Whether this node held the lease when it last decided."""
        return self.latest is not None and self.latest[0].lease is not None

    def own_file(self, beat: int) -> NodeFile:
        """This node's file for the others."""
        state, obs, _ = self.latest if self.latest is not None else (None, None, None)
        me = state.me if state is not None else None
        groups = (("active", self.active_services), ("all", self.other_services))
        return NodeFile(
            node=self.board.node,
            address=me.address if me is not None else "",
            role=state.role.value if state is not None else "starting",
            fit=self.wishes.fit and obs is not None and obs.guard.alive,
            unfit_because=self.wishes.unfit_because
            or ("" if obs is not None and obs.guard.alive else "its guard does not answer"),
            disabled=obs is not None and obs.intent.disabled_here,
            version=self.about.version,
            incarnation=me.incarnation if me is not None else "",
            boot_id=me.boot_id if me is not None else "",
            beat=beat,
            services=tuple(
                {"name": unit.service.name, "state": unit.status.state, "runs_on": runs_on}
                for runs_on, group in groups
                for unit in group.units
            ),
        )

    # -- requests ---------------------------------------------------------------------------------

    async def handle(self, request: Mapping[str, Any], who: str) -> dict[str, Any]:
        """Answer one request. What is refused changes nothing and says why."""
        handlers = {
            "switchover": self._switchover,
            "disable": self._disable,
            "enable": self._enable,
        }
        if request["do"] == "status":
            return self.snapshot()
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
        if self.latest is None:
            raise AcmdError("the daemon is starting", "ask again in a moment")
        return self.latest[0], self.latest[1]

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
            file = self.own_file(0) if name == state.me.node else heard.file
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
                names = ", ".join(unit.service.name for unit in self.active_services.units)
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


def _timing(state: State) -> dict[str, float]:
    timing = state.me.timing
    return {
        "heartbeat_s": timing.heartbeat_ns / NS_PER_S,
        "renew_deadline_s": timing.renew_deadline_ns / NS_PER_S,
        "kill_deadline_s": timing.kill_deadline_ns / NS_PER_S,
        "lease_duration_s": timing.lease_duration_ns / NS_PER_S,
        "takeover_wait_s": timing.takeover_wait_ns / NS_PER_S,
    }
