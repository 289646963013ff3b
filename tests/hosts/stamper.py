"""A service under test that is its own witness: it stamps every instant at which it runs.

Runs inside a host, started by acmd; standard library only. Each run appends to a file of its own,
NODE-EPOCH-FIRST_NS, one line a stamp: CLOCK_MONOTONIC in nanoseconds, which all hosts of a bed share.
`stamper.py DIRECTORY [ignore-term] [stuck FILE]`: with `stuck` it also writes to FILE all the time,
and so hangs in the kernel when that storage stalls.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

PAUSE_S = 0.004


def write_for_ever(path: str) -> None:
    """Synchronous writes, one after the other."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_SYNC, 0o600)
    while True:
        os.pwrite(handle, b"x" * 512, 0)
        time.sleep(PAUSE_S)


def main(directory: str, *options: str) -> None:
    """Stamp until killed."""
    if "ignore-term" in options:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    first = time.monotonic_ns()
    name = f"{os.environ['ACMD_NODE']}-{os.environ['ACMD_EPOCH']}-{first}"
    os.makedirs(directory, exist_ok=True)
    handle = os.open(f"{directory}/{name}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    if "stuck" in options:
        path = options[options.index("stuck") + 1]
        threading.Thread(target=write_for_ever, args=(path,), daemon=True).start()
    while True:
        os.write(handle, b"%d\n" % time.monotonic_ns())
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
