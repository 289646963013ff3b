"""A process that can be given up: `durable.py DIRECTORY N` says how long N durable writes there took.

Standard library only, so that it starts at once. What it writes it takes away.
"""

from __future__ import annotations

import json
import os
import sys
import time


def measure(directory: str, count: int) -> list[float]:
    """Write, sync and take away, several times; seconds of write and sync. Raises OSError."""
    place = f"{directory}/check.{os.getpid()}"
    taken = []
    for _ in range(count):
        began = time.monotonic()
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.write(handle, b" " * 512)
            os.fsync(handle)
            taken.append(time.monotonic() - began)
        finally:
            os.close(handle)
            os.unlink(place)
    return taken


def main(arguments: list[str]) -> int:
    """Print them as JSON, or what went wrong in one line."""
    try:
        said, code = json.dumps(measure(arguments[0], int(arguments[1]))), 0
    except OSError as error:
        said, code = (error.strerror or str(error)).lower(), 1
    sys.stdout.write(f"{said}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
