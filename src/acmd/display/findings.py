"""What in a snapshot deserves a warning, and what the operator can do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from acmd.display.nodes import of_nodes, of_services
from acmd.display.words import (
    ALARM,
    NOT_RUNNING_ROLE,
    NOTE,
    WARN,
    Finding,
    ago,
    fault_in_words,
    marked,
)

_LEAVING = {"giving-up", "demoting", "killing"}


def warnings_of(snapshot: Mapping[str, Any]) -> list[Finding]:
    """All that is wrong, the worst first."""
    order = (ALARM, WARN, NOTE)
    found = [
        *_daemon(snapshot),
        *_active(snapshot),
        *_maintenance(snapshot),
        *_storage(snapshot),
        *_lease(snapshot),
        *_margin(snapshot),
        *_blocked(snapshot),
        *_guard(snapshot),
        *_fencing(snapshot),
        *of_nodes(snapshot),
        *of_services(snapshot),
    ]
    return sorted(found, key=lambda warning: order.index(warning.level))


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


def _margin(snapshot: Mapping[str, Any]) -> Iterator[Finding]:
    lease, timing = snapshot["lease"], snapshot.get("timing")
    if lease is None or timing is None or snapshot["role"] != "active" or lease["state"] != "held":
        return  # past the renew deadline nothing can be done any more: another warning says so
    if lease["remaining_s"] < timing["renew_deadline_s"] / 2:
        yield Finding(
            ALARM,
            f"the own lease is about to be lost: services stop in {ago(max(0.0, lease['remaining_s']))} "
            "unless it is renewed",
            "the shared directory does not take the renewal; look at its mount and the file server now",
        )


def _blocked(snapshot: Mapping[str, Any]) -> Iterator[Finding]:
    if (snapshot.get("interlock") or {}).get("state") == "blocked" and snapshot["active"] is None:
        yield Finding(
            WARN,
            f"the interlock blocks a takeover by {snapshot['node']}: a MySQL server still answers elsewhere, "
            "or that was not asked yet",
            "stop that MySQL; if it has nothing to do with this cluster, `acmd interlock override`",
        )
    hold_down = snapshot.get("hold_down")
    if hold_down is not None:
        yield Finding(
            WARN,
            f"{snapshot['node']} gave up after failures and stays out of elections for "
            f"{ago(hold_down['remaining_s'])} more",
            f"mend what failed, then `acmd clear-hold-down {snapshot['node']}`, or wait",
        )
    for node in snapshot["nodes"]:
        if node.get("held_down") and node["name"] != snapshot["node"] and node["role"] != "unknown":
            yield Finding(
                WARN,
                f"{node['name']} gave up after failures and stays out of elections for a while",
                f"mend what failed there, then `acmd clear-hold-down {node['name']}`, or wait",
            )


def _fencing(snapshot: Mapping[str, Any]) -> Iterator[Finding]:
    fencing = snapshot.get("fencing") or {}
    for host in fencing.get("running", ()):
        yield Finding(WARN, f"{host} is being fenced", "wait for the fence agent's word")
    for host in fencing.get("failed", ()):
        yield Finding(
            ALARM if snapshot["active"] is None else WARN,
            f"the fence agent could not confirm that {host} is off",
            f"make sure by hand that {host} is off, then `acmd confirm-off {host}`; look at the agent's log",
        )


def _guard(snapshot: Mapping[str, Any]) -> Iterator[Finding]:
    guard = snapshot["guard"]
    for fault in guard.get("faults", ()):
        yield Finding(
            WARN, f"the guard says: {fault}", "journalctl -u acmd-guard; docs/guard.md says what it needs"
        )
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
    if guard.get("outdated") and guard["armed"]:
        yield Finding(
            NOTE,
            "the guard is of another version, or has other settings, than this daemon; it protects this "
            "node as it did before",
            "`acmd switchover`: it is replaced once nothing is armed",
        )
    if guard["last_resort"] == "none":
        yield Finding(
            NOTE,
            "last resort none: services that cannot be killed would run on after the lease has ended, "
            "so two nodes could be active. For tests only",
            'set guard.last_resort = "reset"',
        )
