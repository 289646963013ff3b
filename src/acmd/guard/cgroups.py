"""Control groups: whether anything lives in one, freezing it, and killing all of it, v2 first, v1 too."""

from __future__ import annotations

import os
import signal


def populated(path: str) -> bool:
    """Whether anything lives in the group or below. A group that is not there is empty. Raises OSError."""
    try:
        with open(f"{path}/cgroup.events", "rb") as file:
            return b"populated 1" in file.read()
    except FileNotFoundError:
        return bool(pids(path))
    except OSError as problem:
        if problem.errno == 19:  # ENODEV: removed while it was read
            return False
        raise


def pids(path: str) -> list[int]:
    """All processes in the group and below. Raises OSError."""
    found: list[int] = []
    for directory, _, files in os.walk(path):
        if "cgroup.procs" not in files:
            continue
        try:
            with open(f"{directory}/cgroup.procs", "rb") as file:
                found += [int(line) for line in file.read().split()]
        except FileNotFoundError:
            continue
        except OSError as problem:
            if problem.errno != 19:
                raise
    return found


def _write(path: str, text: str) -> bool:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        os.write(handle, text.encode())
    except OSError as problem:
        if problem.errno != 19:
            raise
        return False
    finally:
        os.close(handle)
    return True


def freeze(path: str, frozen: bool) -> bool:
    """Freeze or thaw, with all that comes in later. False where the kernel cannot. Raises OSError."""
    return _write(f"{path}/cgroup.freeze", "1" if frozen else "0")


def kill(path: str) -> int:
    """SIGKILL to everything in the group and below; frozen ones die too. Returns how many were there.

    Raises OSError. Without `cgroup.kill` (before Linux 5.14, and v1) each process is killed by its id,
    which was read the moment before.
    """
    doomed = [pid for pid in pids(path) if pid != os.getpid()]
    if not doomed or _write(f"{path}/cgroup.kill", "1"):
        return len(doomed)
    for pid in doomed:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return len(doomed)
