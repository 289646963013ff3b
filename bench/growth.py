"""More nodes on one lease, more clusters on one host, more past epochs: the cost, and what becomes slower."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from acmd.cli.demo import machine
from acmd.core.timing import NS_PER_S
from bench.bed import invent_history
from bench.crowd import Crowd, Slow, crowd, is_service, pss_mb
from bench.program import CUT_SHORT, options
from bench.results import Report, Series, say
from bench.watching import Watched, watch

ABOUT = """Real daemons as the demo's, on this machine's local disk and its few processors: all nodes of
all clusters share them, so with many the machine itself is what is busy. Processor time is that
of all of acmd's processes while nothing happens. *Oldest lease*: the highest age since the last
acknowledged renewal was issued; at the renew deadline the node would give up. *False
demotions*: it did, though nothing had failed."""


def processor(nodes: Sequence[Crowd]) -> float:
    """Of all nodes of all clusters, in seconds since they were started."""
    return sum(one.processor_s() for one in nodes)


def memory_mb(nodes: Sequence[Crowd]) -> float:
    """Of all processes of acmd on all nodes, proportional set size."""
    pids = [p for one in nodes for node in one.on() for p in machine.descendants(node.machine_pid)]
    return sum(pss_mb(pid) for pid in pids if not is_service(pid))


def look(report: Report, kind: str, subject: str, found: Sequence[Crowd], for_s: float) -> None:
    """What all of them cost, unobserved; then watch the first cluster's active node."""
    active = found[0].active()
    if active is None:
        report.skip(f"{kind}, {subject}", "nobody was active any more")
        return
    before_s, began = processor(found), time.monotonic()
    time.sleep(for_s)
    took_s, nodes = time.monotonic() - began, sum(len(one.on()) for one in found)
    spent = 3600 * (processor(found) - before_s) / took_s / nodes
    report.add(Series(f"{kind}: processor, each node", subject, "s/h", [spent]))
    report.add(Series(f"{kind}: memory (PSS), each node", subject, "MB", [memory_mb(found) / nodes]))
    lease(report, kind, subject, watch(active, for_s), found[0])


def lease(report: Report, kind: str, subject: str, seen: Watched, cluster: Crowd) -> None:
    """Whether the active node could keep pace."""
    missed = seen.missed_percent(cluster.timing.heartbeat_ns / NS_PER_S)
    report.add(Series(f"{kind}: renewals missed", subject, "%", [missed]))
    report.add(Series(f"{kind}: false demotions", subject, "", [float(seen.demotions)], most_worst=0.0))
    if seen.ages_s:
        report.add(Series(f"{kind}: oldest lease", subject, "s", [max(seen.ages_s)]))


def more_nodes(report: Report, profile: str, count: int, for_s: float) -> None:
    """`count` nodes of one cluster."""
    kind, subject = "nodes", f"acmd, {count} nodes"
    with crowd(profile, count) as nodes:
        nodes.wait_settled()
        look(report, kind, subject, [nodes], for_s)
        took_s = [nodes.takeover()]
        report.add(Series(f"{kind}: power loss to the first answer", subject, "s", took_s))


def more_clusters(report: Report, profile: str, count: int, for_s: float) -> None:
    """`count` clusters of one node each, on one host."""
    kind, subject = "clusters", f"acmd, {count} cluster{'s' * (count > 1)}"
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(crowd(profile, 1)) for _ in range(count)]
        for one in found:
            one.wait_settled()
        look(report, kind, subject, found, for_s)


def more_epochs(report: Report, profile: str, count: int, for_s: float) -> None:
    """`count` past epochs, all in the directory that each beat lists: none is a day old."""
    kind, subject = "past epochs", f"acmd, {count:,} epochs"
    with crowd(profile, 2, history=lambda shared: invent_history(shared, count)) as nodes:
        nodes.wait_settled()
        look(report, kind, subject, [nodes], for_s)
        took_s = [nodes.takeover()]
        report.add(Series(f"{kind}: power loss to the first answer", subject, "s", took_s))


def main() -> int:
    """Measure, print, write. 1 when a node gave up without need."""
    parser = options(__doc__)
    parser.add_argument("--seconds", type=float, help="how long each is watched (default: 10)")
    parser.add_argument("--profile", help="default: standard; quick: fast")
    args = parser.parse_args()
    profile = args.profile or ("fast" if args.quick else "standard")
    for_s = args.seconds or (4.0 if args.quick else 10.0)
    report = Report("growth", "Growth", f"{ABOUT} Profile `{profile}`.")
    steps = (
        (more_nodes, (2, 4) if args.quick else (2, 4, 8, 16, 32)),
        (more_clusters, (1, 3) if args.quick else (1, 5, 10, 20)),
        (more_epochs, (1, 100) if args.quick else (1, 100, 1000, 10_000)),
    )
    for step, count in [(step, count) for step, counts in steps for count in counts]:
        what = f"{step.__name__.replace('_', ' ')}, {count:,}"
        say(what)
        try:
            step(report, profile, count, for_s)
        except Slow as slow:
            report.skip(what, str(slow).partition("\n")[0])
        except KeyboardInterrupt:
            report.skip(f"{what}, and what came after it", CUT_SHORT)
            break
    return report.write(args.out)


if __name__ == "__main__":
    sys.exit(main())
