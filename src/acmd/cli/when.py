"""An end as people say it: a length of time from now, or a moment by this host's clock."""

from __future__ import annotations

import argparse
import re
import time

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M")
HELP = "a length (90m, 2h, 1h30m, 1d) or a moment of this host's clock (22:30, '2031-02-28 06:00')"


def moment(text: str) -> int:
    """Seconds since 1970. Raises ArgumentTypeError, which argparse words."""
    return moment_from(text, time.time())


def moment_from(text: str, now: float) -> int:
    """The same, counted from `now`: a time of day is the next one to come."""
    stripped = text.strip()
    if re.fullmatch(r"(\d+(s|min|m|h|d))+", stripped):
        parts = re.findall(r"(\d+)(s|min|m|h|d)", stripped)
        length_s = sum(int(count) * _UNITS[unit] for count, unit in parts)
        if 0 < length_s < 10 * 365 * 86_400:
            return int(now) + length_s
    for form in _FORMATS:
        try:
            return int(time.mktime(time.strptime(stripped, form)))
        except (ValueError, OverflowError):
            continue
    day = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", stripped)
    if day:
        today = time.localtime(now)
        hour, minute = int(day[1]), int(day[2])
        found = _on(today, 0, hour, minute)
        return found if found > now else _on(today, 1, hour, minute)
    raise argparse.ArgumentTypeError(f"{text!r} is no end: write {HELP}")


def _on(today: time.struct_time, days: int, hour: int, minute: int) -> int:
    """A time of day, today or later; the days of a change of the clocks included."""
    return int(time.mktime((today.tm_year, today.tm_mon, today.tm_mday + days, hour, minute, 0, 0, 0, -1)))


def clock_text(moment_s: int) -> str:
    """As status shows it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment_s))
