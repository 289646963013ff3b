"""How soon a killed service is started again: from SIGKILL to the begin of the start, on a real systemd.

One host of the tests' bed (needs root, see tests/hosts/README.md), one active-only unit kept by acmd.
The end is PID 1's own time stamp of the moment at which the unit left `inactive`.

`python -m bench.reaction [--rounds N]`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.program import cannot, options
from bench.results import Report, Series
from tests.hosts.bed import Bed, missing_needs
from tests.hosts.cluster import Cluster
from tests.hosts.host import Host

GOAL_MEDIAN_MS = 50.0
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

ABOUT = """SIGKILL of the main process of a unit; the end is PID 1's own time stamp of the moment at which
the unit left `inactive`."""


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
    """Measure, print, write. 1 when the goal is missed."""
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, help="kills (default: 50)")
    args = parser.parse_args()
    if lack := missing_needs():
        return cannot(lack)
    report = Report(
        "reaction",
        "A killed service until its restart",
        ABOUT,
    )
    found = [1000 * took_s for took_s in run(args.rounds or (5 if args.quick else 50))]
    report.add(Series("kill to the begin of the restart", "acmd", "ms", found, most_median=GOAL_MEDIAN_MS))
    return report.write(args.out)


if __name__ == "__main__":
    sys.exit(main())
