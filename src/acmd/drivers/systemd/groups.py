"""Where the processes of a unit are: its control group, and those that slipped out of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from acmd.guard import cgroups
from acmd.guard.processes import read_stat

ROOT = "/sys/fs/cgroup"
SCAN_LIMIT_S = 2.0
RESERVED = ("cgroup.", "notify_on_release", "release_agent", "tasks", "_", ".")


@dataclass(frozen=True, slots=True)
class Escaped:
    """A process of a unit that lives outside of the unit's control group."""

    pid: int
    start: int  # clock ticks since boot: with it, a process id is never another process's
    name: str

    @property
    def lives(self) -> bool:
        """Whether it is still there."""
        seen = read_stat(self.pid)
        return seen is not None and seen.start == self.start and seen.alive


def root() -> str:
    """The hierarchy in which systemd keeps its units: cgroup v2 where there is one, else its own v1."""
    if os.path.exists(f"{ROOT}/cgroup.controllers"):
        return ROOT
    return f"{ROOT}/unified" if os.path.exists(f"{ROOT}/unified/cgroup.procs") else f"{ROOT}/systemd"


def slice_path(unit: str) -> str:
    """Where a slice's control group is below the root: a-b.slice is in a.slice."""
    if unit in {"", "-.slice"}:
        return ""
    words = unit.removesuffix(".slice").split("-")
    return "".join(f"/{'-'.join(words[: count + 1])}.slice" for count in range(len(words)))


def has_children(slice_unit: str) -> bool:
    """Whether the slice's control group has any below it, empty ones included. Unknown counts as yes."""
    try:
        with os.scandir(root() + slice_path(slice_unit)) as entries:
            return any(entry.is_dir(follow_symlinks=False) for entry in entries)
    except FileNotFoundError:
        return False
    except OSError:
        return True


def paths_of(unit: str, control_group: str, slice_unit: str) -> set[str]:
    """Every directory in which processes of the unit may be.

    systemd forgets the control group of a unit that it calls inactive, though processes that it
    was told not to kill (KillMode=process) may live on in it: hence the place by name as well.
    """
    names = {unit, f"_{unit}"} if unit.startswith(RESERVED) or _like_controller(unit) else {unit}
    found = {f"{slice_path(slice_unit)}/{name}" for name in names} if slice_unit else set()
    if control_group:
        found.add(control_group)
    return {root() + path for path in found if path.strip("/")}


def _like_controller(unit: str) -> bool:
    return unit.partition(".")[0] in {"cpu", "cpuset", "io", "memory", "pids", "hugetlb", "rdma", "misc"}


def populated(paths: Iterable[str]) -> bool:
    """Whether anything lives in any of them. What cannot be read counts as living."""
    try:
        return any(cgroups.populated(path) for path in paths)
    except OSError:
        return True


def pids(paths: Iterable[str]) -> tuple[int, ...]:
    """The processes in them, for people."""
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for path in paths:
            found.update(cgroups.pids(path))
    return tuple(sorted(found))


def kill(paths: Iterable[str]) -> None:
    """SIGKILL to everything in them, at once. A group that is just vanishing is dead anyway."""
    for path in paths:
        with contextlib.suppress(OSError):
            cgroups.kill(path)


def kill_escaped(escaped: Iterable[Escaped]) -> None:
    """SIGKILL to each that still lives; a process id that was used anew is never hit."""
    for process in escaped:
        try:
            handle = os.pidfd_open(process.pid)
        except OSError:
            continue
        try:
            if process.lives:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        except ProcessLookupError:
            continue
        finally:
            os.close(handle)


async def escaped_of(invocation: str, paths: Iterable[str]) -> tuple[Escaped, ...]:
    """The processes of one run of a unit that are outside of its control group.

    systemd gives each run an INVOCATION_ID in the environment, which children inherit. Reading
    environments can hang on a process that the kernel holds: it is done in a thread with a limit.
    Raises TimeoutError.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[Escaped, ...]] = loop.create_future()
    inside = frozenset(paths)

    def deliver(found: tuple[Escaped, ...]) -> None:
        if not done.done():
            done.set_result(found)

    def work() -> None:
        found = tuple(_scan(invocation, inside))
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(deliver, found)

    threading.Thread(target=work, name="systemd-scan", daemon=True).start()
    async with asyncio.timeout(SCAN_LIMIT_S):
        return await done


def _scan(invocation: str, inside: frozenset[str]) -> Iterable[Escaped]:
    mark = f"INVOCATION_ID={invocation}".encode()
    members = set(pids(inside))
    for name in os.listdir("/proc"):
        if not name.isdecimal() or int(name) in members or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                if mark not in file.read().split(b"\0"):
                    continue
            with open(f"/proc/{name}/comm", encoding="utf-8", errors="replace") as file:
                comm = file.read().strip()
            seen = read_stat(int(name))
        except OSError:
            continue
        if seen is not None and seen.alive:
            yield Escaped(seen.pid, seen.start, comm)
