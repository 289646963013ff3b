"""`python -I -S <this directory> --run-dir DIR ...`: isolated, without site, for the smallest process.

`python -m acmd.guard` works as well. Exit codes: 0 ended while disarmed, 64 settings refused,
73 another guard has this run directory.
"""

from __future__ import annotations

import fcntl
import gc
import os
import sys

if not __package__:  # run as a directory: it put itself where the package's parent belongs
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from acmd.guard import last_resort, system
from acmd.guard.ladder import Ladder
from acmd.guard.places import Places
from acmd.guard.server import Server
from acmd.guard.settings import Refused, parse

EX_USAGE, EX_CANTCREAT = 64, 73


def main(arguments: list[str]) -> int:
    """Run the guard until it may end."""
    try:
        settings = parse(arguments)
    except Refused as refused:
        sys.stderr.write(f"acmd.guard: {refused}\n")
        return EX_USAGE
    rungs = last_resort.no_rungs()
    if settings.last_resort == "reset":
        problem = last_resort.may_reset(dict(os.environ))
        if problem:
            sys.stderr.write(
                f"acmd.guard: {problem}\n  -> start acmd-guard.service, or say last_resort none\n"
            )
            return EX_USAGE
        rungs = last_resort.RUNGS
    os.makedirs(settings.run_dir, mode=0o700, exist_ok=True)
    lock = os.open(f"{settings.run_dir}/guard.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.stderr.write(f"acmd.guard: another guard has {settings.run_dir}\n")
        return EX_CANTCREAT
    notes = {
        "memory": system.lock_memory(),
        "priority": system.real_time(),
        "oom": system.out_of_oom_reach(),
    }
    watchdog = None
    if settings.watchdog:
        device = last_resort.Device(settings.watchdog)
        watchdog = last_resort.Watchdog(device, settings.watchdog_timeout_ns)
    ladder = Ladder(
        f"{settings.run_dir}/services", settings.cgroup, settings.sync, settings.unit, settings.address
    )
    places = Places(settings.run_dir, settings.renew_ns, system.boot_id())
    server = Server(settings, ladder, places, rungs, watchdog, notes)
    gc.collect()
    gc.freeze()
    server.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
