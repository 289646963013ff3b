"""A fence agent by the ClusterLabs API whose power switch is the bed: `fence.py DIRECTORY`, options on stdin.

Runs inside a host, standard library only. The order is a file that the bed's switch answers; exit code 0
only when the host named is without power.
"""

from __future__ import annotations

import os
import sys
import time

LIMIT_S = 20.0
POLL_S = 0.02


def main(directory: str) -> int:
    """Ask, wait, say what came of it."""
    options = dict(line.strip().split("=", 1) for line in sys.stdin if "=" in line)
    if options.get("action") in {"monitor", "status", "metadata"}:
        return 0
    order = f"{directory}/{options['plug']}.{time.monotonic_ns()}.{os.getpid()}"
    with open(f"{order}.new", "w", encoding="ascii") as file:
        file.write(options["plug"])
    os.rename(f"{order}.new", f"{order}.order")
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if os.path.exists(f"{order}.done"):
            return 0
        time.sleep(POLL_S)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
