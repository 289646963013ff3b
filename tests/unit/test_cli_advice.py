"""Which states deserve a warning, with which remedy, and which exit code they give."""

from __future__ import annotations

from typing import Any

import pytest

from acmd.cli.advice import ALARM, NOTE, WARN, ago, exit_code, warnings_of
from tests.unit.cli_daemon import node, service, snapshot

MARK = {"by": "root", "at": 0, "reason": "disks", "forced": False}
HEALTHY = snapshot()


def part(name: str, **changes: Any) -> dict[str, Any]:
    return {name: HEALTHY[name] | changes}


def test_a_healthy_cluster_has_no_warning() -> None:
    """All well: nothing to say, exit code 0."""
    assert warnings_of(HEALTHY) == []
    assert exit_code(HEALTHY, []) == 0


CASES: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "nobody active": ({"active": None, "reason": "unfit"}, ALARM, "no node is active", "status"),
    "demoting": ({"role": "demoting"}, WARN, "demoting", "stopped"),
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
    "hung calls": (part("storage", abandoned_workers=3), WARN, "3 storage calls", "storage"),
    "old lease": (part("lease", age_s=1.5), WARN, "renewed 1.5 s ago", "acmd status"),
    "unfenced": (part("lease", unfenced=["b"]), NOTE, "confirmed", "fence agent"),
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
        "b is not fit: no guard",
        "on b",
    ),
    "versions": (
        {"nodes": [node("a", "active"), node("b", "passive", version="2")]},
        WARN,
        "different versions: 1, 2",
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
        {"interlock": {"state": "blocked"}, "active": None, "role": "passive"},
        WARN,
        "MySQL server still answers",
        "interlock override",
    ),
    "fencing": (part("fencing", running=["b"]), WARN, "b is being fenced", "wait"),
    "fencing failed": (
        part("fencing", failed=["b"]),
        WARN,
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


@pytest.mark.parametrize(("changes", "level", "what", "remedy"), CASES.values(), ids=CASES.keys())
def test_each_trouble_is_said_with_its_remedy(
    changes: dict[str, Any], level: str, what: str, remedy: str
) -> None:
    """One thing wrong: a warning of the right level names it, and says what to do."""
    found = [w for w in warnings_of(HEALTHY | changes) if what in w.what]
    assert len(found) == 1
    assert found[0].level == level
    assert remedy in found[0].remedy


def test_a_lease_that_is_lost_is_not_about_to_be() -> None:
    """A node that demotes itself does so whether the storage comes back or not."""
    changes = part("lease", remaining_s=-0.4) | {"role": "demoting", "active": None}
    assert not [w for w in warnings_of(HEALTHY | changes) if "about to be lost" in w.what]


def test_exit_codes() -> None:
    """0 fine, also with a note; 1 degraded; 2 nobody active; 3 no daemon, whatever else there is."""
    codes = {
        name: exit_code(HEALTHY | changes, warnings_of(HEALTHY | changes))
        for name, (changes, *_) in CASES.items()
    }
    assert codes.pop("interlock") == codes.pop("nobody active") == codes.pop("storage, and nobody") == 2
    assert codes.pop("no daemon") == 3
    assert {codes.pop(name) for name, (_, level, *_) in CASES.items() if level == NOTE} == {0}
    assert set(codes.values()) == {1}


def test_the_worst_comes_first() -> None:
    """Alarms before warnings before notes."""
    changes = part("guard", last_resort="none", alive=False) | {"active": None}
    assert [w.level for w in warnings_of(HEALTHY | changes)] == [ALARM, WARN, NOTE]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.42, "0.4 s"), (12.3, "12 s"), (240, "4 min"), (36000, "10 h"), (864000, "10 days")],
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    """Lengths of time are rounded as people do."""
    assert ago(seconds) == words
