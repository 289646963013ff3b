"""The measuring programs run, and write what they promise to write."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tree import ROOT


def run(directory: Path, program: str, *words: str) -> tuple[int, dict[str, object]]:
    """Exit code and JSON."""
    file = directory / "measured.json"
    command = [sys.executable, f"bench/{program}.py", *words, "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "src")})
    return done.returncode, json.loads(file.read_text())


@pytest.mark.long
def test_memory_stays_within_its_promise(tmp_path: Path) -> None:
    """Daemon with its workers at most 64 MB, guard at most 16 MB, proportional set size."""
    code, found = run(tmp_path, "memory")
    assert code == 0, found
    assert found["kept"] is True


@pytest.mark.long
def test_failovers_are_measured(tmp_path: Path) -> None:
    """One round of each: median, 95th percentile, worst, every round, the machine. Times are not judged
    here: a busy CI machine may miss them."""
    _, found = run(tmp_path, "failover", "--rounds", "1", "--switchovers", "1", "--profiles", "fast")
    text = json.dumps(found)
    for key in ("power_loss", "switchover_overhead", "median_s", "p95_s", "worst_s", "all_s", "kernel"):
        assert key in text
