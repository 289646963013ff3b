"""How many readings make a verdict. Pure: no clock, no input or output."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What a row of readings says of a service."""

    UNKNOWN = "unknown"  # not enough readings yet
    HEALTHY = "healthy"
    FAILING = "failing"


@dataclass(slots=True)
class Threshold:
    """`fail_after` bad readings in a row make a service failing, `recover_after` good ones healthy again.

    A single good reading among bad ones starts the count anew, and the other way round: a service
    that answers every other time keeps the verdict that it had.
    """

    fail_after: int = 3
    recover_after: int = 1
    verdict: Verdict = Verdict.UNKNOWN
    in_a_row: int = 0  # readings of one kind up to now
    last_ok: bool = False

    def __post_init__(self) -> None:
        if self.fail_after < 1 or self.recover_after < 1:
            raise ValueError("thresholds count from 1")

    def set_limits(self, fail_after: int, recover_after: int) -> None:
        """Take over other thresholds, from the next reading on."""
        self.fail_after, self.recover_after = fail_after, recover_after

    def note(self, ok: bool) -> bool:
        """Count one reading. True when the verdict changed by it."""
        self.in_a_row = self.in_a_row + 1 if ok == self.last_ok and self.in_a_row else 1
        self.last_ok = ok
        before = self.verdict
        if ok and self.in_a_row >= self.recover_after:
            self.verdict = Verdict.HEALTHY
        elif not ok and self.in_a_row >= self.fail_after:
            self.verdict = Verdict.FAILING
        return self.verdict is not before

    def reset(self) -> None:
        """Forget everything: the service was started anew."""
        self.verdict, self.in_a_row, self.last_ok = Verdict.UNKNOWN, 0, False
