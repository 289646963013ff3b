"""How many hours of clusters' lives the simulation plays in a minute: `python -m bench.simulation`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.program import ROOT, options
from bench.results import Report, Series
from tests.simulation.farm import FAR, environment

NS_PER_HOUR = 3.6e12

ABOUT = """Cluster-hours that `make simulate` plays in a minute of one process: random faults against the real
core, every invariant checked after each step. Rounds are blocks of seeds. A short run on PyPy is
slower than a long one, since it has to warm up."""


def interpreters() -> dict[str, str]:
    """Subject to program."""
    pypy = shutil.which("pypy3")
    return {"acmd, this Python": sys.executable} | ({"acmd, PyPy": pypy} if pypy else {})


def play(program: str, warm_up_s: float, blocks: int, block_s: float) -> list[float]:
    """Cluster-hours a minute in each block. Raises RuntimeError when an invariant was broken."""
    command = [program, "-m", "tests.simulation", "--worker", "--seeds", f"1..{FAR}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(), cwd=ROOT)
    assert process.stdout is not None
    found: list[float] = []
    played_h, begun_s = 0.0, time.monotonic()
    warm = False
    try:
        for line in process.stdout:
            told = json.loads(line)
            if told["failures"]:
                raise RuntimeError(f"the simulation found a violation: {told['failures']}")
            played_h += told["simulated_ns"] / NS_PER_HOUR
            took_s = time.monotonic() - begun_s
            if took_s >= (block_s if warm else warm_up_s):
                found += [60 * played_h / took_s] * warm
                warm, played_h, begun_s = True, 0.0, time.monotonic()
            if len(found) == blocks:
                return found
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    raise RuntimeError("the simulation ended by itself")


def main() -> int:
    """Measure, print, write."""
    args = options(__doc__).parse_args()
    report = Report("simulation", "Simulation", ABOUT)
    warm_up_s, blocks, block_s = (5.0, 2, 3.0) if args.quick else (25.0, 6, 8.0)
    for subject, program in interpreters().items():
        found = play(program, warm_up_s, blocks, block_s)
        report.add(Series("cluster-hours a minute", subject, "h/min", found, more_is_better=True))
    if len(report.series) == 1:
        report.skip("PyPy", "pypy3 is not installed")
    return report.write(args.out)


if __name__ == "__main__":
    sys.exit(main())
