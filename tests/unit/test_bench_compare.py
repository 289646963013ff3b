"""The comparison with other cluster managers counts what the stamps say, and goes on where it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.compare import OURS, Rounds, lanes, wanted
from bench.peers import KINDS, PEERS
from bench.peers.faults import FAULTS, both_ns, covered_ns, reached
from bench.peers.report import make, page
from tests.hosts.witness import Run

S = 10**9


def run(node: str, first_s: float, last_s: float) -> Run:
    return Run(node, 0, int(first_s * S), int(last_s * S), 0)


def one(fault: str, away_s: float, both_s: float, took_over: bool = True) -> dict[str, Any]:
    found = {"fault": fault, "away_s": away_s, "both_s": both_s, "took_over": took_over, "lasted_s": 1.0}
    return found | {"fenced": 0, "load": 0.5, "at": "2026-01-01T00:00:00Z"}


def test_time_without_service() -> None:
    """All of the time from the fault on in which no host stamped, however many runs there were."""
    runs = [run("a", 0, 10), run("b", 14, 30), run("a", 20, 22), run("a", 31, 40)]
    assert covered_ns(runs, 5 * S, 35 * S) == (5 + 16 + 4) * S
    assert covered_ns([], 5 * S, 35 * S) == 0


def test_a_host_that_nobody_reaches() -> None:
    """What runs on it serves nobody until it is healed."""
    runs = [run("a", 0, 12), run("b", 15, 40), run("a", 20, 40)]
    seen = reached(runs, "a", 30 * S)
    assert [(one.node, one.first_ns // S) for one in seen] == [("b", 15), ("a", 30)]


def test_time_with_two_copies() -> None:
    """Runs on two hosts together, after the fault; two runs of one host are not two copies."""
    runs = [run("a", 0, 10), run("a", 2, 9), run("b", 6, 30)]
    assert both_ns(runs[::2], 8 * S, 35 * S) == 2 * S
    assert both_ns(runs[:2], 0, 35 * S) == 0


def test_rounds_go_on(tmp_path: Path) -> None:
    """What was measured is in the file at once, and is not measured again."""
    kept = Rounds(tmp_path, PEERS["keepalived"])
    kept.keep("rounds", one("power", 3.1, 0.0))
    again = Rounds(tmp_path, PEERS["keepalived"])
    assert again.of("power") == [one("power", 3.1, 0.0)]
    assert again.left(["power", "move", "power"]) == ["move", "power"]


def test_what_is_measured() -> None:
    """Faults come in turns; who uses no storage is not cut off from it; slow peers are measured beside."""
    assert wanted(PEERS["keepalived"], ["power", "isolation", "move"], 2) == ["power", "move"] * 2
    assert wanted(PEERS["sanlock"], ["kill", "power"], 1) == ["power"]
    found = lanes(list(KINDS))
    assert sorted(name for names in found.values() for name in names) == sorted(PEERS)
    assert found["sanlock"] == ["sanlock"]
    assert "acmd" in found[OURS]


def test_report(tmp_path: Path) -> None:
    """Every round is in the report, what was not had too, and two copies of acmd break its promise."""
    for name, both_s in (("acmd", 0.0), ("keepalived", 10.2)):
        kept = Rounds(tmp_path, PEERS[name])
        kept.keep("rounds", one("partition", 0.0, both_s, took_over=both_s > 0))
        kept.keep("rounds", one("power", 14.9, 0.0))
    report = make(tmp_path)
    copies = [row for row in report.series if row.what == f"{FAULTS['partition']}: two copies"]
    assert [(row.subject, row.values) for row in copies] == [("acmd", [0.0]), ("keepalived", [10.2])]
    assert copies[0].note == "taken over in 0 of 1"
    assert report.kept
    assert ("patroni", "no round came to its end") in report.skipped
    report.write(tmp_path)
    text = page(tmp_path)
    assert "| keepalived (VRRP) | 14.9 s (14.9) | 0 s (0) **10.2 s twice** | as partition | - |" in text
    Rounds(tmp_path, PEERS["acmd"]).keep("rounds", one("kill", 0.0, 0.1))
    assert not make(tmp_path).kept
