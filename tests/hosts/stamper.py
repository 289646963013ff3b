"""A service under test that is its own witness: it stamps every instant at which it runs.

Runs inside a host, started by acmd; standard library only. Each run appends to a file of its own,
NODE-EPOCH-FIRST_NS, one line a stamp: the machine's CLOCK_MONOTONIC in nanoseconds, which all hosts of a bed
share. A host with a clock of its own (tests/uml) was told at boot what to add to its CLOCK_MONOTONIC_RAW.
`stamper.py DIRECTORY [ignore-term] [ignore-term-if FILE] [stuck FILE]`: with `stuck` it also writes to FILE
all the time, and so hangs in the kernel when that storage stalls; with `ignore-term-if` SIGTERM ends it
unless FILE is there.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable

PAUSE_S = 0.004
CLOCK = "/run/bed/clock"


def write_for_ever(path: str) -> None:
    """Synchronous writes, one after the other."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_SYNC, 0o600)
    while True:
        os.pwrite(handle, b"x" * 512, 0)
        time.sleep(PAUSE_S)


def machine_clock() -> Callable[[], int]:
    """The clock that all hosts share."""
    if not os.path.exists(CLOCK):
        return time.monotonic_ns
    with open(CLOCK) as file:
        offset_ns = int(file.read())
    return lambda: time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW) + offset_ns


def main(directory: str, *options: str) -> None:
    """Stamp until killed."""
    if "ignore-term" in options:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "ignore-term-if" in options:
        file = options[options.index("ignore-term-if") + 1]
        signal.signal(signal.SIGTERM, lambda number, frame: None if os.path.exists(file) else os._exit(0))
    now_ns = machine_clock()
    first = now_ns()
    name = f"{os.environ['ACMD_NODE']}-{os.environ['ACMD_EPOCH']}-{first}"
    os.makedirs(directory, exist_ok=True)
    handle = os.open(f"{directory}/{name}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    if "stuck" in options:
        path = options[options.index("stuck") + 1]
        threading.Thread(target=write_for_ever, args=(path,), daemon=True).start()
    while True:
        os.write(handle, b"%d\n" % now_ns())
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
