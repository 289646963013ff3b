"""What a node costs while nothing happens, beside other cluster managers: `python -m bench.rest` (root).

Each on fresh hosts with a real systemd and its recommended configuration (bench/peers), with the same
service, which is none of the cost. Active and passive node; windows of equal length, each a round.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.counters import Group, no_perf, system_calls
from bench.peers import PEERS
from bench.peers.image import build, versions
from bench.peers.peer import Peer, PeerError
from bench.program import CUT_SHORT, add_lock, cannot, held, options
from bench.results import Report, Series, say
from tests.hosts.bed import Bed, missing_needs
from tests.hosts.host import Host
from tests.hosts.image import Template
from tests.hosts.inside import HostError

SUBJECTS = ("acmd", "acmd-fast", "keepalived", "pacemaker", "patroni", "sanlock", "acm")
UNITS = {
    "acmd": ("acmd.service", "acmd-guard.service"),
    "acmd-fast": ("acmd.service", "acmd-guard.service"),
    "patroni": ("patroni.service", "etcd.service"),
}
WITHOUT = {"patroni": frozenset({"postgres"})}
PARTS = {"acmd": {"acmd, the daemon": ("acmd.service",), "acmd, the guard": ("acmd-guard.service",)}}
SETTLE_S = 8.0
CALLS_S = 10.0

ABOUT = """Nothing happens meanwhile. Processor time is the control groups' own (processes that were
started and ended are in it), of all processes of the manager; the service that it keeps is not.
Wake-ups: voluntary context switches of the processes that live. System calls: by perf, all
processes together. Memory: proportional set size of all processes, what is locked and what is
shared included."""


REMARKS = (
    """Windows are shorter than ACM's minute: most hold no run of its script, the worst ones do. Its memory
and wake-ups are cron's.""",
    """keepalived and sanlock are small C programs that know no services; acmd is ahead of neither. It is
ahead of corosync with pacemaker in memory and system calls, and behind in processor time and wake-ups: on
the active node by the storage workers (each heartbeat is some 25 calls on shared storage, here through
FUSE), on the passive node by the guard, which wakes several times as often there as on the active one.""",
)


@dataclass(slots=True)
class Windows:
    """One subject on one node."""

    processor: list[float] = field(default_factory=list)  # seconds an hour
    wakeups: list[float] = field(default_factory=list)  # a second
    memory: list[float] = field(default_factory=list)  # MB
    calls: list[float] = field(default_factory=list)  # a second


def watch(groups: dict[str, Group], rounds: int, window_s: float, calls_s: float) -> dict[str, Windows]:
    """All groups at the same time, so that none has a quieter moment than another."""
    where = {name: group.directories() for name, group in groups.items()}
    found = {name: Windows() for name in groups}
    before, began = {name: group.used(where[name]) for name, group in groups.items()}, time.monotonic()
    for _ in range(rounds):
        time.sleep(window_s)
        now = time.monotonic()
        for name, group in groups.items():
            used, windows = group.used(where[name]), found[name]
            windows.processor.append(3600 * (used.processor_s - before[name].processor_s) / (now - began))
            windows.wakeups.append(max(0, used.wakeups - before[name].wakeups) / (now - began))
            windows.memory.append(group.pss_mb(where[name]))
            before[name] = used
        began = now
    if calls_s:
        with ThreadPoolExecutor(len(groups)) as pool:
            pids = [group.pids(where[name]) for name, group in groups.items()]
            counts = list(pool.map(lambda of_group: system_calls(of_group, calls_s), pids))
            for windows, counted in zip(found.values(), counts, strict=True):
                windows.calls += [counted] if counted is not None else []
    return found


def groups_of(peer: Peer, role: str, host: Host) -> dict[str, Group]:
    """The whole manager, and acmd's parts by themselves."""
    title = f"{peer.title}"
    units = UNITS.get(peer.name, peer.units)
    found = {f"{title}|{role}": Group(host, units, WITHOUT.get(peer.name, frozenset()))}
    for part, of_part in PARTS.get(peer.name, {}).items():
        found[f"{part}|{role}, parts"] = Group(host, of_part)
    return found


def measure(
    kind: type[Peer], template: Template, rounds: int, window_s: float, calls_s: float
) -> dict[str, Windows]:
    """One manager on its own bed. Raises PeerError or HostError when it does not come up."""
    with Bed(kind.names, storage=kind.storage, template=template) as bed:
        peer = kind(bed)
        peer.prepare()
        peer.start()
        peer.wait_whole()
        active = peer.active()
        peer.wait(lambda: False, SETTLE_S)
        groups = groups_of(peer, "active", active) | groups_of(peer, "passive", peer.other(active))
        found = watch(groups, rounds, window_s, calls_s)
        if peer.running() != {active.name}:
            raise PeerError(f"{peer.name}: the service moved while nothing was to happen")
        return found


def tell(report: Report, found: dict[str, Windows]) -> None:
    """Rows, in the order of the page: one thing of all managers together."""
    for what, unit, key in (
        ("processor", "s/h", "processor"),
        ("memory (PSS)", "MB", "memory"),
        ("wake-ups", "1/s", "wakeups"),
        ("system calls", "1/s", "calls"),
    ):
        for role in ("active", "passive", "active, parts", "passive, parts"):
            for name, windows in found.items():
                subject, _, of_role = name.partition("|")
                values: list[float] = getattr(windows, key)
                if of_role == role and values:
                    report.add(Series(f"{what}, {role}", subject, unit, values))


def main() -> int:
    """Measure, print, write."""
    parser = options(__doc__)
    add_lock(parser)
    parser.add_argument("--peers", help=f"default: {','.join(SUBJECTS)}")
    args = parser.parse_args()
    if lack := missing_needs():
        return cannot(lack)
    report = Report("rest", "Cost at rest", ABOUT)
    names = (args.peers or ("acmd,keepalived" if args.quick else ",".join(SUBJECTS))).split(",")
    rounds, window_s = (2, 5.0) if args.quick else (6, 10.0)
    no_calls = no_perf()
    template = build()
    known = versions(template)
    found: dict[str, Windows] = {}
    for name in names:
        kind = PEERS[name]
        if lack := kind.missing():
            report.skip(kind.title, lack)
            continue
        say(f"{name} ...")
        try:
            with held(args.lock):
                found |= measure(kind, template, rounds, window_s, 0.0 if no_calls else CALLS_S)
        except (PeerError, HostError) as error:
            report.skip(kind.title, str(error).partition("\n")[0])
        except KeyboardInterrupt:
            report.skip(f"{kind.title}, and what came after it", CUT_SHORT)
            break
        for package in kind.packages:
            report.version(package, known[package])
    if no_calls:
        report.skip("system calls", no_calls)
    tell(report, found)
    for remark in REMARKS:
        report.remark(remark)
    return report.write(args.out)


if __name__ == "__main__":
    sys.exit(main())
