"""Injects one fault after another, and lets the independent witness judge each."""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.campaign.catalogue import LONGER, Choice
from tests.campaign.console import Console, afterwards
from tests.campaign.fault import Scene
from tests.campaign.place import Place
from tests.hosts.inside import HostError
from tests.hosts.witness import NS_PER_S

WHOLE_LIMIT_S = 90.0
LOOK_S = 0.4
FULL_CHECK_EVERY = 10
WAITS_KEPT = 12
SLOW_S = 10.0
SHOWS_S = 3.0
LATE_S = {
    "fast": 10.0,
    "standard": 21.0,
}  # a takeover that takes longer leaves evidence: W, and half of it more
COUNTS = 3
PLACES = 3
NUMBER = re.compile(r"\d+(\.\d+)?")


@dataclass(slots=True)
class Outcome:
    """One line of the results."""

    number: int
    fault: str
    group: str
    side: str
    target: str
    hold_s: float
    bed: str
    profile: str
    agent: bool
    seed: int
    whole: bool = False
    whole_s: float = 0.0
    lacking: str = ""
    operator: str = ""
    limit: str = ""
    overlap_ns: int = 0
    acted_after_thaw_s: float | None = None
    lost: list[int] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    asked: int = 0
    console: list[str] = field(default_factory=list)
    two_servers: int = 0
    interruption_s: float = 0.0
    takeover_s: float | None = None
    failover: bool = False
    resets: list[str] = field(default_factory=list)
    fenced: list[str] = field(default_factory=list)
    waited: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    load: float = field(default_factory=lambda: round(os.getloadavg()[0], 1))  # of the whole machine
    at: float = field(default_factory=time.time)

    def took_too_long(self) -> bool:
        """Whether a takeover needs an explanation: one more W is allowed after a claim that landed late."""
        return self.failover and (self.takeover_s or 0.0) > LATE_S[self.profile]

    def violation(self) -> str:
        """What must never be, "" when all is well. A documented limit is none."""
        if self.limit:
            return ""
        if self.overlap_ns:
            return f"two active nodes for {self.overlap_ns} ns"
        if self.lost:
            return f"{len(self.lost)} acknowledged rows lost"
        if self.late:
            return "; ".join(self.late)
        return f"two database servers, seen {self.two_servers} times" if self.two_servers else ""


@dataclass(slots=True)
class Runner:
    """Works in one place at a time; makes another when one cannot be mended."""

    make: Callable[[], Place]
    seed: int
    results: Path
    say: Callable[[str], None]
    sampled: Callable[[Place], None] = lambda place: None
    stop_at_violation: bool = True

    def run(self, sequence: Iterator[Choice], faults: int, until: float = float("inf")) -> list[Outcome]:
        """So many faults, or until `until` (time.monotonic). Stops early at a violation."""
        outcomes: list[Outcome] = []
        while len(outcomes) < faults and time.monotonic() < until:
            with self.new_place() as place:
                self.say(f"a new place: {place.kind}, {place.profile}, agent {place.agent}, {place.bed.name}")
                while len(outcomes) < faults and time.monotonic() < until:
                    outcome = self.one(place, next(sequence), len(outcomes) + 1)
                    outcomes.append(outcome)
                    if outcome.violation() and self.stop_at_violation:
                        return outcomes
                    if not outcome.whole or outcome.limit or outcome.violation():
                        break
        return outcomes

    @contextmanager
    def new_place(self) -> Iterator[Place]:
        """Hosts with everything up; made again when a busy machine was too slow for it."""
        with ExitStack() as stack:
            yield self._enter(stack, PLACES - 1)

    def _enter(self, stack: ExitStack, tries_left: int) -> Place:
        try:
            return stack.enter_context(self.make())
        except (AssertionError, HostError) as problem:
            self.say(f"a place that did not come up, {tries_left} tries left: {str(problem)[:300]}")
            if not tries_left:
                raise
        return self._enter(stack, tries_left - 1)

    def one(self, place: Place, choice: Choice, number: int) -> Outcome:
        """One fault from a whole cluster to a whole cluster, judged and written down."""
        fault = choice.fault
        if lacking := self.until_whole(place):
            raise HostError(f"the cluster is not whole before the fault: {lacking}")
        active = place.active()
        target = place.other(active) if choice.side == "passive" else active
        scene = Scene(place, target, place.other(target), random.Random(self.seed * 10_007 + number))
        outcome = Outcome(
            number=number, fault=fault.name, group=fault.group, side=choice.side, target=target.name,
            hold_s=choice.hold_s, bed=place.kind, profile=place.profile, agent=place.agent, seed=self.seed,
            operator=fault.operator, limit=fault.documented_limit(place.agent),
        )  # fmt: skip
        boots = {host.name: host.boot_id() for host in place.hosts}
        place.fenced.clear()
        place.twice = 0
        place.touch_layers()
        with Console(
            place, {host.name for host in place.hosts} if choice.side == "both" else {target.name}
        ) as console:
            healed = self.break_and_heal(scene, choice)
            outcome.lacking = self.until_whole(place, outcome.waited)
            outcome.whole, outcome.whole_s = not outcome.lacking, round(time.monotonic() - healed, 2)
        self.judge(scene, outcome)
        outcome.asked, outcome.console = console.asked, console.wrong
        if outcome.whole:
            outcome.console += self.console_afterwards(place, fault.limit)
            outcome.failover = place.active().name != active.name
            outcome.resets = [host.name for host in place.hosts if host.boot_id() != boots[host.name]]
        self.write(place, outcome)
        self.sampled(place)
        return outcome

    def break_and_heal(self, scene: Scene, choice: Choice) -> float:
        """The fault for as long as it lasts; when it ended, by time.monotonic."""
        scene.injected_ns = time.monotonic_ns()
        choice.fault.inject(scene)
        scene.sleep(choice.hold_s)
        choice.fault.heal(scene)
        healed = time.monotonic()
        # What the fault brought about shows by R at the latest: whole before that would be said too early.
        shows_s = SHOWS_S * LONGER[scene.place.profile] - (time.monotonic_ns() - scene.injected_ns) / NS_PER_S
        scene.sleep(max(0.0, shows_s))
        return healed

    def console_afterwards(self, place: Place, limit: str) -> list[str]:
        """What status, history and check got wrong; a directory that was rolled back has another history."""
        if limit:
            return []
        try:
            return afterwards(place)
        except (HostError, ValueError) as problem:
            return [str(problem)[:200]]

    def until_whole(self, place: Place, waited: dict[str, float] | None = None) -> str:
        """Wait for the cluster to be whole; what was lacking at the end of the time, "" when it is.

        `waited` tells afterwards for what, and after how many seconds it was last seen.
        """
        began = time.monotonic()
        while lacking := place.lacking():
            after_s = time.monotonic() - began
            if waited is not None and len(waited) < WAITS_KEPT:
                waited[NUMBER.sub("N", lacking)[:200]] = round(after_s, 1)
            if after_s > WHOLE_LIMIT_S * place.site.patience:
                return lacking
            place.sleep(LOOK_S)
        return ""

    def judge(self, scene: Scene, outcome: Outcome) -> None:
        """Ask the witnesses."""
        place = scene.place
        outcome.overlap_ns = place.stamps.overlap_ns(scene.injected_ns - 60 * NS_PER_S)
        outcome.interruption_s = round(place.rows.interruption_s(scene.injected_ns), 3)
        takeover_s = place.stamps.takeover_s(scene.injected_ns)
        outcome.takeover_s = None if takeover_s is None else round(takeover_s, 3)
        outcome.late = scene.late + place.late_writes()
        outcome.two_servers, outcome.fenced = place.twice, list(place.fenced)
        outcome.notes = scene.notes[:5]
        if scene.thawed_ns and outcome.side == "active":
            last = [
                run.last_ns
                for run in place.stamps.runs()
                if run.node == scene.target.name and run.first_ns < scene.thawed_ns
            ]
            outcome.acted_after_thaw_s = round(max(0, max(last, default=0) - scene.thawed_ns) / NS_PER_S, 4)
        if outcome.whole:
            self.count_rows(place, outcome)

    def count_rows(self, place: Place, outcome: Outcome) -> None:
        """Look for all acknowledged rows, again when the database went away in between."""
        for _ in range(COUNTS):
            try:
                outcome.lost = place.lost_rows(outcome.number % FULL_CHECK_EVERY == 0)
                return
            except (HostError, ValueError) as problem:
                outcome.notes.append(f"rows could not be counted at once: {problem}"[:200])
                outcome.lacking = self.until_whole(place)
        outcome.whole, outcome.lacking = False, outcome.lacking or "the rows cannot be counted"

    def write(self, place: Place, outcome: Outcome) -> None:
        """A line of results; evidence where something is wrong."""
        self.results.parent.mkdir(parents=True, exist_ok=True)
        with self.results.open("a") as file:
            file.write(json.dumps(asdict(outcome)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        wrong = outcome.violation() or ("" if outcome.whole else outcome.lacking)
        self.say(
            f"{outcome.number:3} {outcome.fault} ({outcome.side} {outcome.target}, {outcome.hold_s} s): "
            f"interruption {outcome.interruption_s:.1f} s, whole after {outcome.whole_s:.1f} s"
            + (f", takeover {outcome.takeover_s} s" if outcome.failover else "")
            + (f", reset {outcome.resets}" if outcome.resets else "")
            + (f", waited for {outcome.waited}" if outcome.whole_s > SLOW_S else "")
            + (f", LIMIT overlap {outcome.overlap_ns / NS_PER_S:.3f} s" if outcome.limit else "")
            + (f"  *** {wrong}" if wrong else "")
            + (f"  ??? {outcome.console}" if outcome.console else "")
        )
        if wrong or outcome.took_too_long():
            kept = self.results.parent / "evidence" / f"{self.results.stem}-{outcome.number}"
            place.keep_evidence(kept)
            self.say(f"    evidence: {kept}")
