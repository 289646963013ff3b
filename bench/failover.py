"""How long failovers take on this machine: `python -m bench.failover [--rounds N]`.

Two real nodes as in `acmd demo`. *Power loss*: from the SIGKILL of everything on the active node
to the first answer of the other one's service. *Switchover*: the time without answers, less what
the service itself needs to stop and to start, which is measured beside it without acmd.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from acmd.cli.client import ask
from acmd.cli.demo import server
from acmd.cli.demo.client import ask_server
from acmd.cli.demo.place import free_ports
from acmd.core.timing import NS_PER_S
from bench.bed import Bed, running
from bench.program import options
from bench.results import Report, Series, say

# The promises: median and worst of a power loss, overhead of a switchover, in seconds.
LIMITS_S = {"fast": (6.2, 7.5), "standard": (15.5, 16.7)}
OVERHEAD_LIMIT_S = 0.3
SETTLE_S = 0.5

ABOUT = """Two real nodes as in `acmd demo`, with a client that asks each 8 ms. A power loss is a SIGKILL of
everything on the active node at one stroke; the time is up to the first answer of the other node's
service."""


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


def measure(report: Report, profile: str, losses: int, switchovers: int) -> None:
    """All rounds of one profile, on one cluster."""
    subject = f"acmd {profile}"
    stop_s, start_s = service_alone(10)
    with running(profile) as bed:
        gaps_s = [switchover(bed) for _ in range(switchovers)]
        say(f"{profile}: switchovers done")
        lost_s = [power_loss(bed) for _ in range(losses)]
    median_s, worst_s = LIMITS_S[profile]
    report.add(
        Series(
            "power loss to the first answer", subject, "s", lost_s, most_median=median_s, most_worst=worst_s
        )
    )
    report.add(
        Series(
            "switchover beyond the service's stop and start",
            subject,
            "s",
            [gap_s - stop_s - start_s for gap_s in gaps_s],
            most_median=OVERHEAD_LIMIT_S,
            most_worst=OVERHEAD_LIMIT_S,
        )
    )
    report.add(Series("switchover, time without answers", subject, "s", gaps_s))


def main() -> int:
    """Measure, print, write. 1 when a promise was not kept."""
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, help="power losses of each profile (default: 10)")
    parser.add_argument("--switchovers", type=int, help="of each profile (default: 20)")
    parser.add_argument("--profiles", help="default: standard,fast; quick: fast")
    args = parser.parse_args()
    report = Report(
        "failover",
        "Failover of two nodes on one machine",
        ABOUT,
    )
    for profile in (args.profiles or ("fast" if args.quick else "standard,fast")).split(","):
        rounds = args.rounds or (2 if args.quick else 10)
        measure(report, profile, rounds, args.switchovers or (3 if args.quick else 20))
    return report.write(args.out)


if __name__ == "__main__":
    sys.exit(main())
