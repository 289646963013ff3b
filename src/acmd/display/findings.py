"""What in a snapshot deserves a warning, and what the operator can do about it.

Each sentence is tried on hosts in the situation it speaks of: `tests/hosts/sentences.py` has them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from acmd.display.guards import of_guard
from acmd.display.leases import of_fencing, of_lease
from acmd.display.nodes import of_nodes, of_services
from acmd.display.words import (
    ALARM,
    LEAVING,
    NOT_RUNNING_ROLE,
    NOTE,
    WARN,
    Finding,
    ago,
    fault_in_words,
    marked,
)

_ON_PURPOSE = {"switchover", "disabled", "all-disabled", "stopping"}
_KEPT_BACK = {
    "own-services-left": "`acmd logs` says what still runs here; let nothing but acmd start these services",
    "guard-not-clean": "`journalctl -u acmd-guard` says what it still sees",
    "claim-in-flight": "wait until the storage answers; look at the file server if it does not",
    "intent-unknown": "look at the directory `control` in the shared directory, and at `acmd logs`",
}


def warnings_of(snapshot: Mapping[str, Any]) -> list[Finding]:
    """All that is wrong, the worst first."""
    order = (ALARM, WARN, NOTE)
    found = [
        *_daemon(snapshot),
        *_active(snapshot),
        *_maintenance(snapshot),
        *_storage(snapshot),
        *of_lease(snapshot),
        *_blocked(snapshot),
        *of_guard(snapshot),
        *of_fencing(snapshot),
        *of_nodes(snapshot),
        *of_services(snapshot),
    ]
    return sorted(found, key=lambda warning: order.index(warning.level))


def _daemon(snapshot: Mapping[str, Any]) -> Iterator[Finding]:
    role = snapshot["role"]
    if role == NOT_RUNNING_ROLE:
        yield Finding(
            ALARM,
            "the acmd daemon does not run on this host: it takes part in nothing",
            "`systemctl start acmd`; `journalctl -u acmd` says why it ended",
        )
    elif role in LEAVING:
        on_purpose = role == "giving-up" and snapshot["reason_code"] in _ON_PURPOSE
        yield Finding(
            WARN if on_purpose else ALARM,
            f"this node {LEAVING[role]}: {snapshot['reason']}",
            _while_leaving(snapshot),
        )


def _while_leaving(snapshot: Mapping[str, Any]) -> str:
    """What comes next, without anybody's doing."""
    if snapshot["role"] == "giving-up":
        return "wait: the lease is released once they are gone, and another node need not wait then"
    if snapshot["role"] == "demoting":
        return "wait: what does not stop is killed; another node takes over once the lease has expired"
    if snapshot["guard"]["last_resort"] == "none":
        return "wait; what survives a kill stays, since there is no last resort: reset this host by hand then"
    return "wait: the guard resets this host if anything survives"


def _active(snapshot: Mapping[str, Any]) -> Iterator[Finding]:
    if snapshot["active"] is not None or snapshot["role"] in {NOT_RUNNING_ROLE, *LEAVING}:
        return
    if snapshot["storage"]["fault"]:
        yield Finding(
            ALARM,
            "no active node is known: without the shared directory this node cannot tell",
            "`acmd status` on the other nodes says whether one of them is active",
        )
    elif snapshot["reason_code"] == "refused-record":
        yield Finding(
            ALARM,
            f"no node is active, and none may become so: {snapshot['reason']}",
            "see that the right storage is mounted there: `acmd check --group storage`; a file that does not "
            "belong there has to be moved away by hand",
        )
    else:
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
    if storage["fault"] == "no-space":
        yield Finding(
            WARN,
            f"the shared directory {directory} is full: nodes and orders are not written there any more",
            f"make room: `df -h {directory}`; the lease needs none, its file is as large as it will ever be",
        )
    elif storage["fault"]:
        level = ALARM if snapshot["role"] == NOT_RUNNING_ROLE else WARN
        yield Finding(
            level,
            f"the shared directory {directory} does not work: {fault_in_words(storage['fault'])}",
            "make room on this host: `df -h /run /var/lib`; its log names the file"
            if storage["fault"] == "local"
            else f"look at its mount (`findmnt -T {directory}`, `dmesg`), the network and the file server",
        )
    hanging = storage["abandoned_workers"]
    if hanging:
        yield Finding(
            WARN,
            f"storage calls have hung for longer than their limit: {hanging}",
            "the storage is stuck, or was; they end by themselves once it answers",
        )


def _blocked(snapshot: Mapping[str, Any]) -> Iterator[Finding]:
    interlock = snapshot.get("interlock") or {}
    if snapshot["reason_code"] == "interlock":
        who = interlock.get("because") or "it was not asked yet whether one does"
        yield Finding(
            WARN,
            f"the interlock blocks a takeover by {snapshot['node']}, since a MySQL server still answers "
            f"elsewhere: {who}",
            "stop that MySQL; if it has nothing to do with this cluster, `acmd interlock override`",
        )
    elif snapshot["reason_code"] in _KEPT_BACK and snapshot["active"] is not None:
        yield Finding(
            WARN,
            f"{snapshot['node']} could not take over now: {snapshot['reason']}",
            _KEPT_BACK[snapshot["reason_code"]],
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
