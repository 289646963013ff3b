"""This host's clocks (`ports.Clock`)."""

from __future__ import annotations

import time

from acmd.core.timing import Instant


class SystemClock:
    """CLOCK_BOOTTIME counts while the host is suspended; CLOCK_MONOTONIC_RAW is not slewed by NTP."""

    def now(self) -> Instant:
        """Both readings, in nanoseconds; the time between them is of no account."""
        return Instant(
            time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        )

    def wall_time(self) -> int:
        """Seconds since 1970, for people only."""
        return int(time.time())
