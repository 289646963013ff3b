"""A host's two clocks, whose rates wander within rho of real time."""

from __future__ import annotations

from acmd.core.timing import Instant


class HostClock:
    """CLOCK_BOOTTIME and CLOCK_MONOTONIC_RAW as linear pieces; rates in thousandths of real time."""

    __slots__ = ("since", "boot", "raw", "boot_rate", "raw_rate", "past")

    def __init__(self, now: int, boot: int, raw: int, boot_rate: int, raw_rate: int) -> None:
        self.since = now
        self.boot = boot
        self.raw = raw
        self.boot_rate = boot_rate
        self.raw_rate = raw_rate
        self.past: list[tuple[int, int, int]] = []  # earlier pieces: since, boot, boot_rate

    def read(self, now: int) -> Instant:
        """What the clocks show at the real time `now`."""
        passed = now - self.since
        return Instant(self.boot + passed * self.boot_rate // 1000, self.raw + passed * self.raw_rate // 1000)

    def set_rates(self, now: int, boot_rate: int, raw_rate: int) -> None:
        """Run at other rates from now on."""
        self.past.append((self.since, self.boot, self.boot_rate))
        self.boot, self.raw = self.read(now)
        self.since = now
        self.boot_rate = boot_rate
        self.raw_rate = raw_rate

    def real_delay(self, duration_ns: int) -> int:
        """How long a timer of this host runs in real time; a fifth of a millisecond at the least."""
        return duration_ns * 1000 // self.boot_rate + 1 if duration_ns > 200_000 else 200_001

    def real_time_of(self, instant: Instant) -> int:
        """The latest real time at which CLOCK_BOOTTIME showed this instant (rounded up)."""
        since, boot, rate = self.since, self.boot, self.boot_rate
        for since_, boot_, rate_ in reversed(self.past):
            if instant.boot_ns >= boot:
                break
            since, boot, rate = since_, boot_, rate_
        return since + ((instant.boot_ns - boot) * 1000 + rate) // rate
