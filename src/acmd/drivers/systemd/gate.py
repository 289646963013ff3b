"""Run by PID 1 as the last thing before an active-only unit starts: exit code 0 while acmd's gate is open.

Standard library only, run as a file in an isolated interpreter: `python -I -S gate.py GATE [UNIT]`.
The guard writes the gate: `open EPOCH BOOT_NS RAW_NS` (closed once either clock reached its number),
`open EPOCH` while detached, else `closing` or `shut`. Whatever is not that is closed.
"""

from __future__ import annotations

import sys
import time


def refusal(text: str, clocks: tuple[int, int]) -> str:
    """Why nothing may start now, or an empty string."""
    words = text.split()
    if not words or words[0] != "open":
        return f"the gate is {words[0]}" if words else "there is no gate"
    numbers = [int(word) for word in words[1:] if word.isdecimal()]
    if len(numbers) != len(words) - 1 or len(numbers) not in {1, 3}:
        return "the gate cannot be understood"
    if any(clock >= until for clock, until in zip(clocks, numbers[1:], strict=False)):
        return "the gate's deadline has passed"
    return ""


def main(arguments: list[str]) -> int:
    """0 when a start is allowed, 1 when not: systemd then skips the unit and does not try again."""
    try:
        with open(arguments[0], encoding="utf-8") as file:
            text = file.read(256)
    except (OSError, UnicodeDecodeError, IndexError):
        text = ""
    clocks = time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
    reason = refusal(text, clocks)
    if reason:
        unit = arguments[1] if len(arguments) > 1 else "this unit"
        sys.stderr.write(f"acmd: {unit} may not start here now: {reason}\n")
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
