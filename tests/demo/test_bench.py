"""The measuring programs run, and write what they promise to write."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.tree import ROOT


def run(directory: Path, program: str, *words: str) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON."""
    command = [sys.executable, f"bench/{program}.py", *words, "--out", str(directory)]
    done = subprocess.run(command, cwd=ROOT, env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "src")})
    return done.returncode, json.loads((directory / f"{program}.json").read_text())


@pytest.mark.long
def test_memory_stays_within_its_promise(tmp_path: Path) -> None:
    """Daemon with its workers at most 64 MB, guard at most 16 MB, proportional set size."""
    code, found = run(tmp_path, "memory")
    assert code == 0, found
    assert found["kept"] is True
    assert {one["what"] for one in found["series"]} >= {"PSS of the daemon", "PSS of the guard"}


@pytest.mark.long
def test_failovers_are_measured(tmp_path: Path) -> None:
    """One round of each. Times are not judged here: a busy CI machine may miss them."""
    _, found = run(tmp_path, "failover", "--rounds", "1", "--switchovers", "1", "--profiles", "fast")
    power_loss, overhead, _ = found["series"]
    assert power_loss["most_worst"] == 7.5
    assert len(power_loss["values"]) == len(overhead["values"]) == 1
