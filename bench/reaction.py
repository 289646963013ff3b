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

from bench.peers import PEERS
from bench.peers.image import build, versions
from bench.peers.peer import Peer, PeerError
from bench.program import CUT_SHORT, add_lock, cannot, held, options
from bench.results import Report, Series, say
from tests.hosts.bed import Bed, missing_needs
from tests.hosts.cluster import Cluster
from tests.hosts.host import Host
from tests.hosts.image import Template
from tests.hosts.inside import HostError

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
        ["systemctl", "show", "-P", name, "@UNIT@"], capture_output=True, check=True).stdout)

def wait_running(before):
    until = time.monotonic() + @LIMIT_S@
    while (pid := show("MainPID")) in (0, before):
        if time.monotonic() > until:
            raise SystemExit("nobody started it again")
        time.sleep(0.02)
    return pid

found, pid = [], wait_running(0)
for pause_s in @PAUSES_S@:
    time.sleep(pause_s)
    killed_us = time.monotonic_ns() // 1000
    os.kill(pid, 9)
    pid = wait_running(pid)
    found.append((show("InactiveExitTimestampMonotonic") - killed_us) / 1e6)
print(json.dumps(found))
"""

ABOUT = """SIGKILL of the main process of a unit that the manager keeps running; the end is PID 1's own
time stamp of the moment at which the unit left `inactive`. acmd hears of the death from PID 1;
pacemaker asks each 10 s, the interval that most agents advise, ACM's script each minute. Kills
come at moments that are spread over that interval."""

RESTART_LIMIT_S = 150.0


def measure(host: Host, unit: str, pauses_s: list[float]) -> list[float]:
    """Kill it that often; milliseconds to each restart."""
    code = INSIDE.replace("@UNIT@", unit).replace("@PAUSES_S@", repr(pauses_s))
    code = code.replace("@LIMIT_S@", str(RESTART_LIMIT_S))
    limit_s = sum(pauses_s) + len(pauses_s) * (5.0 + RESTART_LIMIT_S)
    found: list[float] = json.loads(host.exec_python(code, timeout_s=limit_s).stdout)
    return [1000 * took_s for took_s in found]


def of_acmd(rounds: int) -> list[float]:
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
        return measure(host, "napper.service", [PAUSE_S] * rounds)


def of_peer(kind: type[Peer], template: Template, interval_s: float, rounds: int) -> list[float]:
    """The active host of a peer's bed."""
    pauses_s = [2.0 + interval_s * (number + 0.5) / rounds for number in range(rounds)]
    with Bed(kind.names, storage=kind.storage, template=template) as bed:
        peer = kind(bed)
        peer.prepare()
        peer.start()
        peer.wait_whole()
        return measure(peer.active(), "witness.service", pauses_s)


def main() -> int:
    """Measure, print, write. 1 when the goal is missed."""
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, help="kills beside acmd (default: 50)")
    parser.add_argument("--alone", action="store_true", help="acmd alone")
    add_lock(parser)
    args = parser.parse_args()
    if lack := missing_needs():
        return cannot(lack)
    report = Report("reaction", "A killed service until its restart", ABOUT)
    what = "kill to the begin of the restart"
    with held(args.lock):
        found = of_acmd(args.rounds or (5 if args.quick else 50))
    report.add(Series(what, "acmd", "ms", found, most_median=GOAL_MEDIAN_MS))
    if args.alone:
        return report.write(args.out)
    template = build()
    known = versions(template)
    for name, interval_s, rounds in (("pacemaker", 10.0, 8), ("acm", 60.0, 4)):
        kind = PEERS[name]
        say(f"{name} ...")
        try:
            with held(args.lock):
                found = of_peer(kind, template, interval_s, 2 if args.quick else rounds)
        except (PeerError, HostError) as error:
            report.skip(kind.title, str(error).partition("\n")[0])
        except KeyboardInterrupt:
            report.skip(kind.title, CUT_SHORT)
            break
        else:
            report.add(Series(what, kind.title, "ms", found))
        for package in kind.packages:
            report.version(package, known[package])
    return report.write(args.out)


if __name__ == "__main__":
    sys.exit(main())
