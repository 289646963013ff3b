"""Totals over many seeds, and whether every kind of trouble really came about."""

from __future__ import annotations

import time
from typing import Any

from tests.simulation.oracle import NAMES
from tests.simulation.runner import Result

BY_EXPIRY = "failovers by expiry"
# A checker or a fault that never fires is a defect: each of these must have happened in a long run.
MUST_HAPPEN = (
    BY_EXPIRY,
    "failovers by expiry, same node",
    "failovers by expiry or fenced",
    "failovers by release",
    "failovers by dead holder",
    "role active",
    "role detached",
    "role reattaching",
    "role demoting",
    "role killing",
    "role giving-up",
    "adoptions",
    "partitions",
    "power losses",
    "resets",
    "watchdog resets",
    "deaths of the switch",
    "crash daemon",
    "crash both",
    "guard pauses",
    "hosts fenced",
    "holders declared dead",
    "leases unlinked",
    "late landings",
    "late outcomes",
    "timeouts",
    "local failures",
    "exits adopt",
    "exits detach",
    "exits release",
    "starts refused by the gate",
    "starts refused by the deadline",
    "services that cannot be killed",
    *("deviations " + kind for kind in NAMES),
)
ENOUGH = 2000  # failovers by expiry, after which all of them must have happened


class Totals:
    """Adds up results."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.seeds = 0
        self.simulated_ns = 0
        self.decisions = 0
        self.slowest_ns = 0
        self.failures: list[dict[str, Any]] = []
        self.began = time.monotonic()

    def add(self, result: Result) -> None:
        """One seed more."""
        self.seeds += 1
        for name, count in result.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        self.simulated_ns += result.simulated_ns
        self.decisions += result.decisions
        self.slowest_ns = max(self.slowest_ns, result.recovery_ns)
        if result.failure:
            self.failures.append(
                {
                    "seed": result.seed,
                    "focus": result.focus,
                    "rule": result.rule,
                    "failure": result.failure,
                }
            )

    def as_json(self) -> dict[str, Any]:
        """For another process to merge."""
        return {
            "counts": self.counts,
            "seeds": self.seeds,
            "simulated_ns": self.simulated_ns,
            "decisions": self.decisions,
            "slowest_ns": self.slowest_ns,
            "failures": self.failures,
        }

    def merge(self, other: dict[str, Any]) -> None:
        """What another process added up."""
        for name, count in other["counts"].items():
            self.counts[name] = self.counts.get(name, 0) + count
        self.seeds += other["seeds"]
        self.simulated_ns += other["simulated_ns"]
        self.decisions += other["decisions"]
        self.slowest_ns = max(self.slowest_ns, other["slowest_ns"])
        self.failures += other["failures"]

    @property
    def by_expiry(self) -> int:
        """Failovers by expiry so far."""
        return self.counts.get(BY_EXPIRY, 0)

    def never_happened(self) -> list[str]:
        """What should have come about and did not, in a run that was long enough."""
        if self.by_expiry < ENOUGH:
            return []
        return [name for name in MUST_HAPPEN if not self.counts.get(name)]

    def lines(self) -> list[str]:
        """The report."""
        took = max(time.monotonic() - self.began, 1e-9)
        hours = self.simulated_ns / 3.6e12
        lines = [f"{count:10d}  {name}" for name, count in sorted(self.counts.items())]
        lines.append(
            f"{self.seeds} seeds, {hours:.2f} cluster-hours in {took:.1f} s: "
            f"{hours / took * 60:.1f} cluster-hours a minute, "
            f"{self.by_expiry / took:.0f} failovers by expiry a second, "
            f"{self.decisions / took:.0f} decisions a second; slowest recovery "
            f"{self.slowest_ns / 1e9:.2f} s"
        )
        lines += [f"NEVER HAPPENED: {name}" for name in self.never_happened()]
        for failure in self.failures[:20]:
            lines.append(f"seed {failure['seed']} ({failure['focus']}): {failure['failure']}")
            lines.append(f"    replay: python -m tests.simulation --replay {failure['seed']} --trace")
        if len(self.failures) > 20:
            lines.append(f"... and {len(self.failures) - 20} more failing seeds")
        lines.append(f"{len(self.failures)} violations")
        return lines
