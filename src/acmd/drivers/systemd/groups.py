"""Where the processes of a unit are: its control group, and those that slipped out of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass

from acmd.guard import cgroups
from acmd.guard.processes import read_stat

ROOT = "/sys/fs/cgroup"
SCAN_LIMIT_S = 2.0
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SETTLE_S = 0.2  # in which a process that was killed ends, unless the kernel holds it
GREP = ("grep", "-l", "-z", "-x", "-F", "-s", "-e")  # files with a record, ended by NUL, that is exactly this
SELF = "/proc/self/environ"
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


class Search:
    """Finds the processes of one run of a unit that are outside of its control group.

    systemd gives each run an INVOCATION_ID in the environment, which children inherit. Reading
    environments can hang on a process that the kernel holds, so a process of its own does it, which is left
    behind when it hangs (ADR 0003): a thread in the kernel would keep the daemon from exiting. While one is
    left, no second one is sent after it. It is grep, since that starts in a tenth of the time Python takes.
    """

    def __init__(self, program: tuple[str, ...] = GREP, limit_s: float = SCAN_LIMIT_S) -> None:
        self._program = program
        self._limit_s = limit_s
        self._invocation = ""
        self._run: asyncio.Task[tuple[int, ...] | None] | None = None
        self._process: asyncio.subprocess.Process | None = None

    @property
    def hanging(self) -> bool:
        """Whether one that was given up has not ended yet."""
        return self._run is None and self._process is not None and self._process.returncode is None

    async def escaped(self, invocation: str, paths: Iterable[str]) -> tuple[Escaped, ...]:
        """What was found. Who asks while another one's search for the same run goes on shares it.

        Raises TimeoutError when that cannot be told now, and OSError.
        """
        if self._run is None or self._invocation != invocation:
            if self.hanging or self._run is not None:
                raise TimeoutError
            self._invocation = invocation
            self._run = asyncio.create_task(self._search(invocation), name="systemd-search")
        found = await asyncio.shield(self._run)
        if found is None:
            raise TimeoutError
        members = set(pids(paths))
        return tuple(one for pid in found if pid not in members and (one := _escaped(pid)) is not None)

    async def _search(self, invocation: str) -> tuple[int, ...] | None:
        """Process ids; None when there was no answer within the limit, or none that can be trusted."""
        mark = f"INVOCATION_ID={invocation}"
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *self._program,
                mark,
                SELF,
                *(f"/proc/{name}/environ" for name in os.listdir("/proc") if name.isdecimal()),
                cwd="/",
                env={"PATH": PATH, "INVOCATION_ID": invocation},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                async with asyncio.timeout(self._limit_s):
                    said, _ = await process.communicate()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(SETTLE_S):
                        await process.communicate()
                return None
        finally:
            self._run = None
        # Its exit code does not tell a process that ended meanwhile from a grep that cannot do this.
        # That it found itself does.
        found = said.decode().split()
        return tuple(int(path.split("/")[2]) for path in found if path != SELF) if SELF in found else None


def _escaped(pid: int) -> Escaped | None:
    """The process behind an id, unless it has ended meanwhile."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            comm = file.read().strip()
        seen = read_stat(pid)
    except OSError:
        return None
    return Escaped(seen.pid, seen.start, comm) if seen is not None and seen.alive else None
