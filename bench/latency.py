"""Shared storage that answers slowly: what is missed, what is given up, how long a takeover takes.

Two nodes on a file system (tests/faultfs) that makes operations wait. Cases run three at a time: they
wait more than they work.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from acmd.cli.demo.place import Place
from acmd.core.timing import NS_PER_S, PROFILES
from bench.crowd import Crowd, Slow, crowd
from bench.program import cannot, options
from bench.results import Report, Series, say
from bench.watching import Watched, watch
from tests.faultfs.client import FaultFS, missing

PASSED_ON = (
    "readdir",
    "open",
    "create",
    "read",
    "write",
    "fsync",
    "fsyncdir",
    "link",
    "rename",
    "unlink",
    "mkdir",
)
"""What the client of a network file system asks the server for."""
EVERYTHING = (*PASSED_ON, "lookup", "getattr", "setattr", "opendir")
"""The rest too, which it answers from its cache for some seconds."""
LIMIT_MS = {"fast": 30, "standard": 100}
"""Documented: up to so much for each operation that is passed on nothing is given up."""
AT_A_TIME = 3

ABOUT = """Two nodes as the demo's, whose shared directory is a file system that makes each operation wait
which the client of a network file system would pass on to the server (open, read, write, sync,
listing, link, rename), for so long, or for that and a random part of so much again ("+").
*Nothing cached*: each look-up of a name and of attributes waits as well. Watched while nothing
else happens; then the active node loses its power. *Renewals missed*: of those that the
heartbeat would allow. *False demotions*: the active node gave up, though nothing had failed.
*Age of the lease*: since the last acknowledged renewal was issued, sampled ten times a second;
at the renew deadline the node gives up."""

LIMIT_TEXT = """**The limit**: as long as no operation that is passed on to the server takes longer than this,
nothing is given up: {limits}. A renewal is a dozen of them, one after the other, and counts
from its beginning; the next one begins when it has ended, or a heartbeat after it began. So two
dozen must fit into the renew deadline, and what is left is for jitter. Beyond the limit
renewals are missed first. A node gives up only when none succeeded within the renew deadline,
in order, and another one takes over after the usual wait. For slower storage there is the
profile `patient`."""


@dataclass(frozen=True, slots=True)
class Case:
    """A profile and a delay."""

    profile: str
    delay_ms: float
    jitter_ms: float = 0.0
    cached: bool = True

    @property
    def subject(self) -> str:
        """As the table has it."""
        jitter = f" + {self.jitter_ms:g}" if self.jitter_ms else ""
        return f"acmd {self.profile}, {self.delay_ms:g}{jitter} ms{'' if self.cached else ', nothing cached'}"

    @property
    def within_limit(self) -> bool:
        """Whether nothing may be given up."""
        return self.cached and self.delay_ms + self.jitter_ms <= LIMIT_MS[self.profile]


CASES = (
    *(Case("standard", delay_ms) for delay_ms in (0, 1, 10, 100, 200, 500)),
    Case("standard", 50, 50),
    Case("standard", 20, cached=False),
    *(Case("fast", delay_ms) for delay_ms in (1, 10, 30, 100)),
)
QUICK = (Case("fast", 10), Case("fast", 200))


def measure(case: Case, for_s: float) -> Report:
    """One case, all of it."""
    report = Report("", "")
    mounted: list[FaultFS] = []

    @contextlib.contextmanager
    def mount(place: Place) -> Iterator[None]:
        with FaultFS(place.root / "backing", place.shared) as storage:
            mounted.append(storage)
            yield

    def slow_down(_: Path) -> None:
        operations = PASSED_ON if case.cached else EVERYTHING
        seconds, jitter = case.delay_ms / 1000, case.jitter_ms / 1000
        mounted[0].add("delay", *operations, seconds=seconds, jitter=jitter)

    with crowd(case.profile, 2, mount, slow_down) as nodes:
        try:
            active = nodes.wait_settled(60.0)
        except Slow:
            report.skip(case.subject, "no node became active and stayed so: too slow for this profile")
        else:
            tell(report, case, watch(active, for_s))
            takeover(report, case, nodes)
    say(f"{case.subject}: done")
    return report


def tell(report: Report, case: Case, seen: Watched) -> None:
    """What was seen, as rows."""
    timing = PROFILES[case.profile]
    beats = f"{seen.renewals} renewals in {seen.took_s:.0f} s"
    missed = seen.missed_percent(timing.heartbeat_ns / NS_PER_S)
    report.add(Series("renewals missed", case.subject, "%", [missed], beats))
    limit = 0.0 if case.within_limit else None
    report.add(Series("false demotions", case.subject, "", [float(seen.demotions)], most_worst=limit))
    if seen.ages_s:
        note = f"the renew deadline is {timing.renew_deadline_ns / NS_PER_S:g} s"
        report.add(Series("age of the lease", case.subject, "s", seen.ages_s, note))


def takeover(report: Report, case: Case, nodes: Crowd) -> None:
    """The active node's power goes."""
    try:
        report.add(Series("power loss to the first answer", case.subject, "s", [nodes.takeover()]))
    except Slow as slow:
        report.skip(f"power loss, {case.subject}", str(slow).partition("\n")[0])


def main() -> int:
    """Measure, print, write. 1 when something was given up below the documented limit."""
    parser = options(__doc__)
    parser.add_argument("--seconds", type=float, help="how long each case is watched (default: 30)")
    args = parser.parse_args()
    if lack := missing():
        return cannot(lack)
    report = Report("latency", "Shared storage that answers slowly", ABOUT)
    for_s = args.seconds or (6.0 if args.quick else 30.0)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for part in pool.map(lambda case: measure(case, for_s), QUICK if args.quick else CASES):
            for series in part.series:
                report.add(series)
            for subject, reason in part.skipped:
                report.skip(subject, reason)
    limits = ", ".join(f"`{profile}` {limit} ms" for profile, limit in LIMIT_MS.items())
    report.remark(LIMIT_TEXT.format(limits=limits))
    return report.write(args.out)


if __name__ == "__main__":
    sys.exit(main())
