"""How long failovers take on this machine: `python bench/failover.py [--rounds N] [--json FILE]`.

Two real nodes as in `acmd demo`. *Power loss*: from the SIGKILL of everything on the active node
to the first answer of the other one's service. *Switchover*: the time without answers, less what
the service itself needs to stop and to start, which is measured beside it without acmd.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from acmd.cli.client import ask
from acmd.cli.demo import server
from acmd.cli.demo.client import ask_server
from acmd.cli.demo.place import free_ports
from acmd.core.timing import NS_PER_S
from bench.bed import Bed, running, summary, table, write

# The promises: median and worst of a power loss, overhead of a switchover, in seconds.
LIMITS_S = {"fast": (6.2, 7.5), "standard": (15.5, 16.7)}
OVERHEAD_LIMIT_S = 0.3
SETTLE_S = 0.5


def power_loss(bed: Bed) -> float:
    """One round; the victim is back as a candidate afterwards."""
    stage = bed.stage
    victim, heir, before = bed.active(), bed.passive(), stage.serving()
    at_s = victim.power_off()
    limit_s = stage.takeover_limit_s() + 5
    stage.wait_for_service(heir.name, before.epoch, limit_s)
    took_s = stage.serving().first_ns / NS_PER_S - at_s
    victim.power_on()
    stage.wait_for_candidate(victim.name, 60.0)
    stage.dwell(SETTLE_S)
    return took_s


def switchover(bed: Bed) -> float:
    """One round: the time without answers."""
    stage = bed.stage
    source, target, before = bed.active(), bed.passive(), stage.serving()
    stage.story.client.forget_gap()
    ask(target.place.glance(), {"do": "switchover", "to": target.name, "reason": "measured"})
    stage.wait_for_service(target.name, before.epoch, 10.0)
    stage.dwell(0.2)
    gap_s = stage.story.client.gap_s()
    stage.wait_for_candidate(source.name, 60.0)
    stage.dwell(SETTLE_S)
    return gap_s


def service_alone(rounds: int) -> tuple[float, float]:
    """What the demo's server needs to stop and to start, without acmd: medians in seconds."""
    stops, starts = [], []
    port = free_ports(1)[0]
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-I", "-S", server.__file__, "alone", str(port), f"{directory}/answers"]
        for _ in range(rounds):
            began = time.monotonic()
            child = subprocess.Popen(command, env=os.environ | {"ACMD_EPOCH": "1"})
            while ask_server(port) is None:
                time.sleep(0.001)
            starts.append(time.monotonic() - began)
            began = time.monotonic()
            child.send_signal(signal.SIGTERM)
            child.wait()
            stops.append(time.monotonic() - began)
    return median(stops), median(starts)


def measure(profile: str, losses: int, switchovers: int) -> dict[str, Any]:
    """All rounds of one profile, on one cluster."""
    stop_s, start_s = service_alone(10)
    with running(profile) as bed:
        gaps_s = [switchover(bed) for _ in range(switchovers)]
        lost_s = [power_loss(bed) for _ in range(losses)]
    return {
        "power_loss": summary(lost_s),
        "switchover_gap": summary(gaps_s),
        "switchover_overhead": summary([gap_s - stop_s - start_s for gap_s in gaps_s]),
        "service_stop_s": round(stop_s, 4),
        "service_start_s": round(start_s, 4),
    }


def main() -> int:
    """Measure, print, write. 1 when a promise was not kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="power losses of each profile (default: 10)")
    parser.add_argument("--switchovers", type=int, default=20, help="of each profile (default: 20)")
    parser.add_argument("--profiles", default="fast,standard", help="default: fast,standard")
    parser.add_argument("--json", default="", metavar="FILE", help="write everything there")
    args = parser.parse_args()
    results, rows, kept = {}, [], True
    for profile in args.profiles.split(","):
        results[profile] = measured = measure(profile, args.rounds, args.switchovers)
        limits = {
            "power_loss": LIMITS_S[profile],
            "switchover_overhead": (OVERHEAD_LIMIT_S, OVERHEAD_LIMIT_S),
        }
        for what, (most_median_s, most_worst_s) in limits.items():
            found = measured[what]
            good = found["median_s"] <= most_median_s and found["worst_s"] <= most_worst_s
            kept = kept and good
            rows.append(
                (
                    profile,
                    what.replace("_", " "),
                    found["rounds"],
                    f"{found['median_s']:.2f} s",
                    f"{found['p95_s']:.2f} s",
                    f"{found['worst_s']:.2f} s",
                    f"{most_median_s:g} / {most_worst_s:g} s",
                    "kept" if good else "MISSED",
                )
            )
    table(("profile", "what", "rounds", "median", "p95", "worst", "at most median / worst", ""), rows)
    write(args.json, {"profiles": results, "kept": kept})
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
