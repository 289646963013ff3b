"""A clock that moves only when told (`ports.Clock`)."""

from __future__ import annotations

from acmd.core.timing import NS_PER_S, Instant


class FakeClock:
    """Both clocks begin at 1000 s, so that no test passes because something is zero."""

    def __init__(self) -> None:
        self._boot_ns = self._raw_ns = 1000 * NS_PER_S
        self._wall_s = 1_700_000_000.0

    def now(self) -> Instant:
        """The pair of readings."""
        return Instant(self._boot_ns, self._raw_ns)

    def wall_time(self) -> int:
        """Seconds since 1970."""
        return int(self._wall_s)

    def advance(self, duration_ns: int, raw_ns: int | None = None) -> None:
        """Let time pass; `raw_ns` differs after a suspend, during which the raw clock stands still."""
        self._boot_ns += duration_ns
        self._raw_ns += duration_ns if raw_ns is None else raw_ns
        self._wall_s += duration_ns / NS_PER_S

    def step_wall(self, seconds: float) -> None:
        """What an operator or NTP does to the wall clock; the others do not notice."""
        self._wall_s += seconds
