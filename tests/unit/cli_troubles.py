"""Everything that can be wrong in a snapshot, each with level, words and remedy of its warning."""

from __future__ import annotations

from typing import Any

from acmd.cli.advice import ALARM, NOTE, WARN
from tests.unit.cli_daemon import node, service, snapshot

MARK = {"by": "root", "at": 0, "reason": "disks", "forced": False}
HEALTHY = snapshot()


def part(name: str, **changes: Any) -> dict[str, Any]:
    """A part of the healthy snapshot, changed."""
    return {name: HEALTHY[name] | changes}


CASES: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "nobody active": ({"active": None, "reason": "unfit"}, ALARM, "no node is active", "status"),
    "demoting": (
        {"role": "demoting", "active": None},
        ALARM,
        "this node has lost the lease and stops its services: holds the lease",
        "another node takes over once",
    ),
    "killing": (
        {"role": "killing", "active": None},
        ALARM,
        "kills what is left",
        "the guard resets this host",
    ),
    "handing over": (
        {"role": "giving-up", "reason_code": "switchover", "active": None},
        WARN,
        "gives the active role up",
        "another node need not wait",
    ),
    "giving up": (
        {"role": "giving-up", "reason_code": "service-failed", "active": None},
        ALARM,
        "gives the active role up",
        "wait",
    ),
    "another's record": (
        {"role": "passive", "reason_code": "refused-record", "active": None},
        ALARM,
        "no node is active, and none may become so",
        "acmd check --group storage",
    ),
    "kept back": (
        {"node": "b", "role": "passive", "reason_code": "claim-in-flight", "reason": "no end"},
        WARN,
        "b could not take over now: no end",
        "wait until the storage answers",
    ),
    "a remark": (
        {
            "nodes": [
                node("a", "active", unfit_because="interlock: x; db, probe p: blind"),
                node("b", "passive"),
            ]
        },
        WARN,
        "a remarks: db, probe p: blind",
        "acmd logs",
    ),
    "a holder that does not serve yet": (
        {
            "node": "b",
            "role": "passive",
            "nodes": [node("a", "promoting"), node("b", "passive")],
        },
        WARN,
        "a holds the lease, and has not started its services yet",
        "`acmd status` on a",
    ),
    "no room here": (
        part("storage", fault="local"),
        WARN,
        "own run directory or processes fail first",
        "df -h /run",
    ),
    "full": (part("storage", fault="no-space"), WARN, "/shared is full", "df -h /shared"),
    "all disabled": ({"maintenance": {"all": MARK, "nodes": {}}}, WARN, "by root", "enable --all"),
    "one disabled": ({"maintenance": {"all": None, "nodes": {"b": MARK}}}, WARN, "disks", "--node b"),
    "storage": (
        part("storage", fault="timeout"),
        WARN,
        "/shared does not work: it does not answer",
        "findmnt",
    ),
    "storage, and nobody": (
        part("storage", fault="busy") | {"active": None},
        ALARM,
        "this node cannot tell",
        "on the other nodes",
    ),
    "detached by a silent node": (
        {
            "node": "b",
            "lease": HEALTHY["lease"] | {"state": "detached"},
            "nodes": [node("a", "unknown"), node("b", "passive")],
        },
        ALARM,
        "holder a is not heard",
        "--holder-is-dead",
    ),
    "hung calls": (part("storage", abandoned_workers=3), WARN, "longer than their limit: 3", "storage"),
    "old lease": (part("lease", age_s=1.5), WARN, "renewed 1.5 s ago", "acmd check --group storage"),
    "another's old lease": (
        part("lease", age_s=1.5, holder="b"),
        WARN,
        "the lease of b was last renewed 1.5 s ago",
        "acmd status` there",
    ),
    "unfenced": (part("lease", unfenced=["b", "c"]), NOTE, "are off: c", "acmd confirm-off c`"),
    "no guard": (part("guard", alive=False), WARN, "dead man's switch", "acmd-guard"),
    "no watchdog": (part("guard", watchdog="missing"), WARN, "watchdog", "softdog"),
    "no last resort": (part("guard", last_resort="none"), NOTE, "run on after the lease", "reset"),
    "alone": ({"nodes": [node("a", "active")]}, WARN, "no other node", "start acmd"),
    "peer silent": (
        {"nodes": [node("a", "active"), node("b", "unknown", last_seen_s=42.0)]},
        WARN,
        "b was not heard for 42 s",
        "host b",
    ),
    "peer unfit": (
        {"nodes": [node("a", "active"), node("b", "passive", fit=False, unfit_because="no guard")]},
        WARN,
        "b is not fit to run the services: no guard",
        "on b",
    ),
    "versions": (
        {"nodes": [node("a", "active"), node("b", "passive", version="2")]},
        WARN,
        "different versions: a 1, b 2",
        "upgrade",
    ),
    "service down": (
        {
            "nodes": [
                node("a", "active", services=[service("failed")]),
                node("b", "passive"),
            ]
        },
        WARN,
        "service web on a is failed",
        "log",
    ),
    "service failed where it need not run": (
        {
            "nodes": [
                node("a", "active"),
                node("b", "passive", services=[service("failed")]),
            ]
        },
        NOTE,
        "service web on b is failed",
        "log",
    ),
    "held by an operator": (
        {
            "nodes": [
                node("a", "active", services=[service("stopped", held="stopped", detail="by eva: disks")]),
                node("b", "passive"),
            ]
        },
        WARN,
        "service web on a is stopped by eva: disks",
        "acmd service start web",
    ),
    "probe fails": (
        {
            "nodes": [
                node(
                    "a",
                    "active",
                    services=[
                        service(
                            "running",
                            probes=[{"name": "http", "ok": False, "detail": "status 500", "age_s": 1.0}],
                        )
                    ],
                ),
                node("b", "passive"),
            ]
        },
        WARN,
        "probe http of service web on a failed: status 500",
        "restarted",
    ),
    "margin": (part("lease", remaining_s=0.4), ALARM, "about to be lost: services stop in 0.4 s", "mount"),
    "hold-down": (
        {"hold_down": {"remaining_s": 25.0, "failures": 1}},
        WARN,
        "for 25 s more",
        "clear-hold-down a",
    ),
    "peer's hold-down": (
        {"nodes": [node("a", "active"), node("b", "passive", held_down=True)]},
        WARN,
        "b gave up after failures",
        "clear-hold-down b",
    ),
    "interlock": (
        {
            "interlock": {"state": "blocked", "because": "MySQL 8 at 192.0.2.1:3306"},
            "reason_code": "interlock",
            "active": None,
            "role": "passive",
        },
        WARN,
        "still answers elsewhere: MySQL 8 at 192.0.2.1:3306",
        "interlock override",
    ),
    "fencing": (part("fencing", running=["b"]), WARN, "b is being fenced", "wait"),
    "fencing failed": (
        part("fencing", failed=["b", "c"]),
        WARN,
        "could not confirm that c is off",
        "confirm-off c",
    ),
    "fencing failed, and nobody": (
        {"fencing": {"failed": ["b"]}, "reason_code": "fencing", "role": "promoting", "active": None},
        ALARM,
        "could not confirm that b is off",
        "confirm-off b",
    ),
    "guard's fault": (part("guard", faults=["no memory"]), WARN, "the guard says: no memory", "acmd-guard"),
    "an older guard": (
        part("guard", outdated=True, armed=True),
        NOTE,
        "the guard is of another version",
        "acmd switchover",
    ),
    "no daemon": ({"role": "not-running"}, ALARM, "daemon does not run", "systemctl start"),
}
