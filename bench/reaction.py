"""How soon a killed service is started again: from SIGKILL to the begin of the start, on a real systemd.

One host of the tests' bed (needs root, see tests/hosts/README.md), one active-only unit kept by acmd.
The end is PID 1's own time stamp of the moment at which the unit left `inactive`.

`python bench/reaction.py [--rounds N] [--json FILE]`
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.bed import summary, table, write
from tests.hosts.bed import Bed, missing_needs
from tests.hosts.cluster import Cluster
from tests.hosts.host import Host

GOAL_MEDIAN_S = 0.05
PAUSE_S = 1.5

UNIT = """[Service]
ExecStart=/bin/sleep infinity
"""

SERVICE = """
[[service]]
name = "napper"
kind = "systemd"
unit = "napper.service"
restart = { max_restarts = 3, window_s = 1.0 }
"""

INSIDE = """
import json, os, subprocess, time

def show(name):
    return int(subprocess.run(
        ["systemctl", "show", "-P", name, "napper.service"], capture_output=True, check=True).stdout)

def wait_running(before):
    while (pid := show("MainPID")) in (0, before):
        time.sleep(0.02)
    return pid

found, pid = [], wait_running(0)
for _ in range(ROUNDS):
    time.sleep(PAUSE_S)
    killed_us = time.monotonic_ns() // 1000
    os.kill(pid, 9)
    pid = wait_running(pid)
    found.append((show("InactiveExitTimestampMonotonic") - killed_us) / 1e6)
print(json.dumps(found))
"""


def measure(host: Host, rounds: int) -> list[float]:
    """Kill it that often; seconds to each restart."""
    code = INSIDE.replace("ROUNDS", str(rounds)).replace("PAUSE_S", str(PAUSE_S))
    said = host.exec_python(code, timeout_s=rounds * (PAUSE_S + 5.0)).stdout
    found: list[float] = json.loads(said)
    return found


def run(rounds: int) -> list[float]:
    """A host with acmd that keeps the unit."""
    with Bed(["alpha"]) as bed:
        (host,) = bed.hosts
        cluster = Cluster(bed, profile="standard")
        cluster.install()
        host.push("/etc/systemd/system/napper.service", UNIT)
        host.push("/etc/acmd/acmd.toml", cluster.config(host).partition("[[service]]")[0] + SERVICE)
        host.exec(["systemctl", "daemon-reload"])
        cluster.init()
        host.exec(["systemctl", "start", "acmd"], timeout_s=60)
        return measure(host, rounds)


def main() -> int:
    """Print the figures; exit code 1 when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50, help="kills (default: 50)")
    parser.add_argument("--json", default="", metavar="FILE", help="write everything there")
    args = parser.parse_args()
    lack = missing_needs()
    if lack:
        print(lack)
        return 2
    found = summary(run(args.rounds))
    kept = bool(found["median_s"] <= GOAL_MEDIAN_S)
    table(
        ("what", "rounds", "median", "p95", "worst", "at most median", ""),
        [
            (
                "kill to restart",
                found["rounds"],
                *(f"{found[key] * 1000:.1f} ms" for key in ("median_s", "p95_s", "worst_s")),
                f"{GOAL_MEDIAN_S * 1000:g} ms",
                "kept" if kept else "MISSED",
            )
        ],
    )
    write(args.json, {"reaction": found, "kept": kept})
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
