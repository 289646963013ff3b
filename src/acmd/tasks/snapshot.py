"""The snapshot of a running daemon: what status, the node file, the health endpoints and the metrics show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from acmd import status
from acmd.core.decision import Decision
from acmd.core.nodefile import NodeFile
from acmd.core.observation import Observation
from acmd.core.state import State
from acmd.core.timing import NS_PER_S, Instant, elapsed_for_observer_ns
from acmd.ports import Clock
from acmd.tasks.board import BoardKeeper
from acmd.tasks.heartbeat import Wishes
from acmd.tasks.service_rows import service_row
from acmd.tasks.succession import Succession
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
    fencing_policy: str = "off"
    fence_agent: bool = False
    users: Mapping[str, str] = field(default_factory=dict)
    config_digest: str = ""
    guard_fingerprint: int | None = None  # of a guard of this version with these settings


def _no_fencing() -> Mapping[str, Any]:
    return {"running": [], "failed": [], "confirmed": []}


@dataclass(slots=True)
class Snapshot:
    """Holds what the last decision rested on, and shows it."""

    about: About
    clock: Clock
    board: BoardKeeper
    active_services: Group
    other_services: Group
    wishes: Wishes
    abandoned: Callable[[], int]
    guard_says: Callable[[], Mapping[str, Any]]
    fencing_says: Callable[[], Mapping[str, Any]] = _no_fencing
    succession: Succession = field(default_factory=Succession)
    decided_at: Instant | None = None
    _latest: tuple[State, Observation, Decision] | None = None

    @property
    def latest(self) -> tuple[State, Observation, Decision] | None:
        """What the last decision rested on, and what it came to; None before the first."""
        return self._latest

    @latest.setter
    def latest(self, latest: tuple[State, Observation, Decision]) -> None:
        self._latest, self.decided_at = latest, self.clock.now()
        self.succession.note(latest[0], self.decided_at, self.clock.wall_time())

    def take(self) -> dict[str, Any]:
        """The status as JSON values."""
        if self.latest is None:
            return {"error": "the daemon is starting", "remedy": "ask again in a moment"}
        state, obs, decision = self.latest
        now = self.clock.now()
        about = self.about
        guard = status.guard_part(state, obs, now, about.last_resort)
        says = self.guard_says()
        guard["watchdog"] = says.get("watchdog", "unknown") if guard["watchdog"] == "ok" else "missing"
        guard["faults"] = list(says.get("faults", ()))
        guard["notes"] = list(says.get("notes", ()))
        guard["outdated"] = says.get("settings", about.guard_fingerprint) != about.guard_fingerprint
        return {
            "format": status.FORMAT,
            "version": about.version,
            "pid": about.pid,
            "cluster": {"name": about.cluster, "id": about.cluster_id, "directory": about.directory},
            "node": state.me.node,
            "role": state.role.value,
            "role_since_s": round(elapsed_for_observer_ns(state.role_since, now) / NS_PER_S, 3),
            "active": status.active_node(state, now),
            "epoch": status.epoch_known(state),
            "reason": status.reason_of(state, decision.reason),
            "reason_code": decision.reason.value,
            "lease": status.lease_part(state, now),
            "nodes": self._nodes(state),
            "maintenance": self._maintenance(),
            "guard": guard,
            "fencing": {
                "policy": about.fencing_policy,
                "agent": about.fence_agent,
                **self.fencing_says(),
            },
            "interlock": {
                "state": self.wishes.interlock.value,
                "because": self.wishes.interlock_because,
            },
            "hold_down": status.hold_down_part(state, now),
            "handovers": self.succession.shown(now),
            "storage": {
                "fault": state.storage_fault or self.board.fault or None,
                "abandoned_workers": self.abandoned(),
            },
            "timing": status.timing_part(state.me.timing, about.profile),
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
                    "held_down": file.held_down,
                    "last_seen_s": age_s,
                    "version": file.version,
                    "users": file.users,
                    "config_digest": file.config_digest,
                    "services": [status.service_part(service, age_s) for service in file.services],
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
        lacks = _lacks(obs)
        return NodeFile(
            node=self.board.node,
            address=me.address if me is not None else "",
            role=state.role.value if state is not None else "starting",
            fit=self.wishes.fit and not lacks,
            unfit_because="; ".join(text for text in (lacks, self.wishes.unfit_because) if text),
            disabled=obs is not None and obs.intent.disabled_here,
            version=self.about.version,
            incarnation=me.incarnation if me is not None else "",
            boot_id=me.boot_id if me is not None else "",
            beat=beat,
            services=tuple(
                service_row(unit, runs_on, self.clock.now(), group.stops)
                for runs_on, group in groups
                for unit in group.units
            ),
            held_down=state is not None and state.hold_down_since is not None,
            users=dict(self.about.users),
            config_digest=self.about.config_digest,
        )


def _lacks(obs: Observation | None) -> str:
    """What this node could not be promoted without, beside its own checks; nobody hands over to it then."""
    if obs is None or not obs.guard.alive:
        return "its guard does not answer"
    if not obs.guard.watchdog_ok:
        return "the watchdog that it requires is missing"
    return "" if obs.run_ok else "its run directory cannot be written: is it full?"
