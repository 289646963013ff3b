"""What in a status deserves a warning, and what the operator can do about it: snapshot in, warnings out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from acmd.cli import DEGRADED, NO_ACTIVE_NODE, NOT_RUNNING, OK

ALARM: Final = "ALARM"
"""Nothing serves, or something may serve twice."""
WARN: Final = "WARN"
"""It works, with less protection than it should have."""
NOTE: Final = "NOTE"
"""Chosen so, and worth remembering; the cluster counts as fine."""

NOT_RUNNING_ROLE = "not-running"
_FAULTS = {
    "timeout": "it does not answer",
    "busy": "it does not answer, earlier calls still hang",
    "worker-lost": "the process that was to use it died",
    "local": "this node's own run directory or processes fail",
    "io-error": "input/output error",
    "stale": "stale file handle",
    "no-space": "it is full",
    "read-only": "it is read-only",
    "denied": "permission denied",
    "missing": "a file is missing",
    "no-cluster-file": "cluster.json is not there; is it mounted?",
}
_LEAVING = {"giving-up", "demoting", "killing"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be."""

    level: str
    what: str
    remedy: str = ""


def warnings_of(snapshot: Mapping[str, Any]) -> list[Finding]:
    """All that is wrong, the worst first."""
    order = (ALARM, WARN, NOTE)
    found = [
        *_daemon(snapshot),
        *_active(snapshot),
        *_maintenance(snapshot),
        *_storage(snapshot),
        *_lease(snapshot),
        *_guard(snapshot),
        *_others(snapshot),
        *_services(snapshot),
    ]
    return sorted(found, key=lambda warning: order.index(warning.level))


def exit_code(snapshot: Mapping[str, Any], warnings: list[Finding]) -> int:
    """The documented exit code of `acmd status`."""
    if snapshot["role"] == NOT_RUNNING_ROLE:
        return NOT_RUNNING
    if snapshot["active"] is None:
        return NO_ACTIVE_NODE
    return DEGRADED if any(warning.level != NOTE for warning in warnings) else OK


def ago(seconds: float) -> str:
    """A length of time as people say it: `0.4 s`, `12 s`, `3 min`, `5 h`, `2 days`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 180:
        return f"{seconds:.0f} s"
    if seconds < 3 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 72 * 3600 else f"{seconds / 86400:.0f} days"


def marked(mark: Mapping[str, Any]) -> str:
    """Who, when and why of an operator's order."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(mark["at"]))
    return f"by {mark['by']} at {when}" + (f": {mark['reason']}" if mark["reason"] else "")


def fault_in_words(fault: str) -> str:
    """A storage fault as people say it; what has no words of its own stays as it is."""
    return _FAULTS.get(fault, fault)


def _daemon(snapshot: Mapping[str, Any]) -> Iterator[Finding]:
    if snapshot["role"] == NOT_RUNNING_ROLE:
        yield Finding(
            ALARM,
            "the acmd daemon does not run on this host: it takes part in nothing",
            "systemctl start acmd; `journalctl -u acmd` says why it ended",
        )
    elif snapshot["role"] in _LEAVING:
        yield Finding(
            WARN, f"this node is {snapshot['role']}: {snapshot['reason']}", "wait; services are being stopped"
        )


def _active(snapshot: Mapping[str, Any]) -> Iterator[Finding]:
    if snapshot["active"] is not None or snapshot["role"] == NOT_RUNNING_ROLE:
        return
    if snapshot["storage"]["fault"]:
        yield Finding(
            ALARM,
            "no active node is known: without the shared directory this node cannot tell",
            "`acmd status` on the other nodes says whether one of them is active",
        )
        return
    yield Finding(
        ALARM,
        f"no node is active; this node: {snapshot['reason']}",
        "the warnings below and `acmd status` on the other nodes say what is missing",
    )


def _maintenance(snapshot: Mapping[str, Any]) -> Iterator[Finding]:
    maintenance = snapshot["maintenance"]
    if maintenance["all"] is not None:
        yield Finding(
            WARN,
            f"the whole cluster is disabled, {marked(maintenance['all'])}: nobody takes over",
            "`acmd enable --all` when the work is done",
        )
    for name, mark in maintenance["nodes"].items():
        yield Finding(
            WARN,
            f"{name} is disabled, {marked(mark)}: it will not take over",
            f"`acmd enable --node {name}` when the work is done",
        )


def _storage(snapshot: Mapping[str, Any]) -> Iterator[Finding]:
    storage = snapshot["storage"]
    directory = snapshot["cluster"]["directory"]
    if storage["fault"]:
        level = ALARM if snapshot["role"] == NOT_RUNNING_ROLE else WARN
        yield Finding(
            level,
            f"the shared directory {directory} does not work: {fault_in_words(storage['fault'])}",
            f"look at its mount (findmnt -T {directory}, dmesg), the network and the file server",
        )
    if storage["abandoned_workers"]:
        yield Finding(
            WARN,
            f"{storage['abandoned_workers']} storage calls have hung for longer than their limit",
            "the storage is stuck, or was; they end by themselves once it answers",
        )


def _lease(snapshot: Mapping[str, Any]) -> Iterator[Finding]:
    lease = snapshot["lease"]
    if lease is None:
        return
    timing = snapshot.get("timing")
    age_s = lease["age_s"]
    held = lease["state"] == "held"
    if held and timing and age_s is not None and age_s > 2.5 * timing["heartbeat_s"]:
        yield Finding(
            WARN,
            f"the lease of {lease['holder']} was last renewed {ago(age_s)} ago "
            f"(every {timing['heartbeat_s']:g} s is usual)",
            f"the storage is slow, or {lease['holder']} is in trouble; look at `acmd status` there",
        )
    if lease["unfenced"]:
        hosts = ", ".join(lease["unfenced"])
        yield Finding(
            NOTE,
            f"nobody has confirmed that these former holders were reset or cleaned up: {hosts}",
            "they drop out once they come back, or a fence agent confirms it",
        )
    silent = any(node["name"] == lease["holder"] and node["role"] == "unknown" for node in snapshot["nodes"])
    if lease["state"] == "detached" and silent:
        yield Finding(
            ALARM,
            f"the lease is detached and its holder {lease['holder']} is not heard: nobody will take over",
            f"bring {lease['holder']} back; only if it is surely off for good: "
            "`acmd enable --all --holder-is-dead`",
        )


def _guard(snapshot: Mapping[str, Any]) -> Iterator[Finding]:
    guard = snapshot["guard"]
    if guard.get("alive") is False:
        yield Finding(
            WARN,
            "the guard (the dead man's switch) does not answer: this node cannot become or stay active",
            "systemctl status acmd-guard",
        )
    if guard["watchdog"] == "missing":
        yield Finding(
            WARN,
            "the watchdog is missing: if the guard itself is stuck, nothing resets this host",
            "load the watchdog's kernel module (softdog at least), or set guard.watchdog",
        )
    if guard["last_resort"] == "none":
        yield Finding(
            NOTE,
            "last resort none: services that cannot be killed would run on after the lease has ended, "
            "so two nodes could be active. For tests only",
            'set guard.last_resort = "reset"',
        )


def _others(snapshot: Mapping[str, Any]) -> Iterator[Finding]:
    if snapshot["role"] == NOT_RUNNING_ROLE:
        return
    ready = []
    for node in snapshot["nodes"]:
        name = node["name"]
        if node["role"] == "unknown":
            seen_s = node["last_seen_s"]
            yield Finding(
                WARN,
                f"{name} was not heard " + (f"for {ago(seen_s)}" if seen_s < 3600 else "lately"),
                f"look whether host {name}, its acmd daemon and its mount of the shared directory are well",
            )
        elif not node["fit"]:
            yield Finding(WARN, f"{name} is not fit: {node['unfit_because']}", f"mend that on {name}")
        elif name != snapshot["active"] and name not in snapshot["maintenance"]["nodes"]:
            ready.append(name)
    if len(snapshot["nodes"]) < 2:
        yield Finding(
            WARN, "no other node is known: nobody can take over", "start acmd on the other node as well"
        )
    elif not ready and snapshot["active"] is not None:
        yield Finding(WARN, f"no node could take over from {snapshot['active']}", "see the other warnings")
    versions = {node["version"] for node in snapshot["nodes"]}
    if len(versions) > 1:
        yield Finding(
            WARN, f"the nodes run different versions: {', '.join(sorted(versions))}", "upgrade them all"
        )


def _services(snapshot: Mapping[str, Any]) -> Iterator[Finding]:
    if snapshot["role"] == NOT_RUNNING_ROLE:
        return
    for node in snapshot["nodes"]:
        if node["role"] == "unknown":
            continue
        for service in node["services"]:
            wanted = service["runs_on"] == "all" or node["role"] == "active"
            if service["state"] == "failed" or (wanted and service["state"] in {"stopped", "unknown"}):
                yield Finding(
                    WARN if wanted else NOTE,
                    f"service {service['name']} on {node['name']} is {service['state']}",
                    f"look at its log on {node['name']}; acmd starts it again within its restart budget",
                )
