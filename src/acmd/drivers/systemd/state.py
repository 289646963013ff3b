"""What PID 1 says of a unit, and what it means for supervision. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STATES = {
    "active": "running",
    "reloading": "running",
    "refreshing": "running",
    "activating": "starting",
    "deactivating": "stopping",
    "inactive": "stopped",
    "failed": "failed",
    "maintenance": "failed",
}
ON_THE_MOVE = {"activating", "reloading", "refreshing", "deactivating", "maintenance"}

RESULTS = {
    "start-limit-hit": "systemd's own start limit was reached",
    "timeout": "its start or stop took longer than its unit allows",
    "exit-code": "it ended with an error",
    "signal": "it was killed by a signal",
    "core-dump": "it crashed",
    "watchdog": "its watchdog expired",
    "oom-kill": "the kernel killed it for want of memory",
    "exec-condition": "a start condition (acmd's gate, or the unit's own) refused",
    "protocol": "it broke the protocol of its Type=",
    "resources": "systemd lacked something to start it",
}
LOADS = {
    "not-found": "there is no such unit",
    "masked": "the unit is masked",
    "bad-setting": "the unit's file has a bad setting",
    "error": "the unit's file cannot be read",
}


@dataclass(frozen=True, slots=True)
class UnitState:
    """One look at a unit. What a fallback cannot tell stays empty."""

    load: str
    active: str
    sub: str
    job: bool
    control_group: str = ""
    slice: str = ""
    main_pid: int = 0
    invocation: str = ""
    result: str = ""
    restarts: int = 0
    changed_us: int = 0  # CLOCK_MONOTONIC, microseconds

    @property
    def state(self) -> str:
        """In supervision's words."""
        if self.active == "inactive" and self.load in LOADS:
            return "failed"
        return STATES.get(self.active, "unknown")

    @property
    def pending(self) -> bool:
        """Whether PID 1 is about to do something: a job, an activation, a restart of its own."""
        # Newer versions call a unit inactive for a moment before they restart it: only `sub` tells.
        return (
            self.job or self.active in ON_THE_MOVE or self.active not in STATES or "auto-restart" in self.sub
        )

    @property
    def detail(self) -> str:
        """Why it is not running, in words, where PID 1 knows."""
        if self.load in LOADS:
            return LOADS[self.load]
        if "auto-restart" in self.sub:
            return "systemd is about to start it again"
        if self.result not in {"", "success"}:
            return RESULTS.get(self.result, self.result)
        return ""


def from_properties(
    row: tuple[str, str, str, bool], unit: Mapping[str, Any], service: Mapping[str, Any]
) -> UnitState:
    """Out of the manager's list (load, active, sub, job) and the properties over D-Bus."""
    load, active, sub, job = row
    return UnitState(
        load=load,
        active=active,
        sub=sub,
        job=job,
        control_group=str(service.get("ControlGroup", "")),
        slice=str(service.get("Slice", "")),
        main_pid=int(service.get("MainPID", 0)),
        invocation=bytes(unit.get("InvocationID", b"")).hex(),
        result=str(service.get("Result", "")),
        restarts=int(service.get("NRestarts", 0)),
        changed_us=int(unit.get("StateChangeTimestampMonotonic", 0)),
    )


SHOWN = (
    "LoadState", "ActiveState", "SubState", "Job", "ControlGroup", "Slice", "MainPID", "InvocationID",
    "Result", "NRestarts", "StateChangeTimestampMonotonic",
)  # fmt: skip


def from_show(text: str) -> UnitState | None:
    """Out of what `systemctl show` prints. None when that makes no sense."""
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def number(key: str) -> int:
        return int(found[key]) if found.get(key, "").isdecimal() else 0

    if not found.get("ActiveState") or not found.get("LoadState"):
        return None
    return UnitState(
        load=found["LoadState"],
        active=found["ActiveState"],
        sub=found.get("SubState", ""),
        job=number("Job") != 0,
        control_group=found.get("ControlGroup", ""),
        slice=found.get("Slice", ""),
        main_pid=number("MainPID"),
        invocation=found.get("InvocationID", ""),
        result=found.get("Result", ""),
        restarts=number("NRestarts"),
        changed_us=number("StateChangeTimestampMonotonic"),
    )
