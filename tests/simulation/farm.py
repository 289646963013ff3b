"""Seeds in several processes, under PyPy where there is one and the run is long enough to warm it up."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import acmd
from tests.simulation.report import Totals

FAR = 1 << 62
LONG_RUN_SEEDS = 1500  # PyPy needs some ten seconds before it is faster
_REPOSITORY = Path(__file__).resolve().parents[2]


def interpreter(wish: str, long_run: bool) -> str:
    """The interpreter for the workers."""
    if wish == "this" or (wish == "auto" and not long_run):
        return sys.executable
    if wish == "auto":
        return shutil.which("pypy3") or sys.executable
    return wish


def environment(source: Path | None = None) -> dict[str, str]:
    """Where workers find acmd (or a changed copy of it) and the tests."""
    where = source if source is not None else Path(acmd.__file__).resolve().parents[1]
    return {**os.environ, "PYTHONPATH": f"{where}{os.pathsep}{_REPOSITORY}", "PYTHONDONTWRITEBYTECODE": "1"}


def _read(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put(None)


def run_many(
    totals: Totals,
    first: int,
    last: int | None,
    jobs: int,
    python: str,
    seconds: float = 0.0,
    failovers: int = 0,
    stop_at_first: bool = False,
    focus: str = "",
    source: Path | None = None,
) -> None:
    """Run seeds from `first`, to `last` or until the time or the number of failovers is reached.

    Raises RuntimeError when a worker ends without having been told to.
    """
    long_run = last is None or last - first >= LONG_RUN_SEEDS
    lines: queue.Queue[str | None] = queue.Queue()
    processes: list[subprocess.Popen[str]] = []
    deadline = time.monotonic() + seconds if seconds else None
    try:
        for number in range(jobs):
            command = [interpreter(python, long_run), "-m", "tests.simulation", "--worker"]
            command += ["--seeds", f"{first + number}..{last if last is not None else FAR}"]
            command += ["--stride", str(jobs), "--focus", focus]
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, text=True, env=environment(source), cwd=_REPOSITORY
            )
            processes.append(process)
            threading.Thread(target=_read, args=(process, lines), daemon=True).start()
        running = jobs
        while running:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                break
            try:
                line = lines.get(timeout=left)
            except queue.Empty:
                break
            if line is None:
                running -= 1
                continue
            totals.merge(json.loads(line))
            if (failovers and totals.by_expiry >= failovers) or (stop_at_first and totals.failures):
                break
        broken = [process.poll() for process in processes if process.poll() not in (None, 0)]
        if broken:
            raise RuntimeError(f"a simulation worker ended with {broken[0]}")
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
