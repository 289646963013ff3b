"""How long `acmd status` takes: in a pipe and without a daemon, on a node as the demo's.

Wall time depends on what else the machine does; the processor's time is what the command itself costs.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.unit.cli_daemon import configuration, daemon, snapshot

PROMISE_S = 0.3


def once(config: Path) -> tuple[float, float]:
    """Wall and processor time of one `acmd status` in a pipe, in seconds."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    line = [sys.executable, "-m", "acmd", "status", "--config", str(config)]
    subprocess.run(line, env=environment, capture_output=True)
    wall_s = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Measure, print a table. 1 when the promise was not kept by the median."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as directory:
        config = configuration(Path(directory))
        with daemon(Path(directory), snapshot()):
            found["with a daemon"] = [once(config) for _ in range(args.rounds)]
        (Path(directory) / "run" / "control.sock").unlink()
        init = [sys.executable, "-m", "acmd", "init", "--config", str(config)]
        subprocess.run(init, check=True, capture_output=True)
        found["without a daemon"] = [once(config) for _ in range(args.rounds)]
    kept = True
    print("| acmd status | rounds | wall: median / worst | processor: median |\n| --- | --- | --- | --- |")
    for name, rounds in found.items():
        wall, cpu = ([one[at] for one in rounds] for at in (0, 1))
        median = statistics.median(wall)
        kept = kept and median <= PROMISE_S
        print(
            f"| {name} | {len(rounds)} | {1000 * median:.0f} / {1000 * max(wall):.0f} ms "
            f"| {1000 * statistics.median(cpu):.0f} ms |"
        )
    if args.json:
        args.json.write_text(json.dumps(found))
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
