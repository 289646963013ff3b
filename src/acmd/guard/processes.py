"""Processes of services: who belongs to one, and ending all of them. Standard library only.

A registry entry `<run dir>/services/NAME.json` is written by a service's runner before it looks at
the gate. Its processes are found by three nets, since a program may slip out of any one:
descendants of the runner (a subreaper), the runner's session, and a mark in the environment.
A process id is never trusted alone: its start time goes with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from typing import Any, NamedTuple

MARK = "ACMD_SERVICE_MARK"
HELD = ".held"
"""Ends the name of a mark: this service's agent may hold what is neither process nor address."""
ENTRY_LIMIT = 65536
_ROUNDS = 20  # of stopping what was forked meanwhile, before the kill


class Stat(NamedTuple):
    """One line of /proc/<pid>/stat, as far as it is needed. `start` is in clock ticks since boot."""

    pid: int
    state: str
    parent: int
    session: int
    threads: int
    start: int

    @property
    def alive(self) -> bool:
        """A zombie has no more effect, unless other threads of it go on."""
        return self.state not in "ZX" or self.threads > 1


class Entry(NamedTuple):
    """What a runner registered. `main` is 0 until the program was forked."""

    name: str
    runs_on: str
    mark: str
    pid: int
    start: int
    main: int = 0
    main_start: int = 0
    epoch: int = -1
    cgroup: str = ""
    exit: int | None = None  # as in subprocess: negative is a signal
    done: bool = False  # nothing of it lives: seen by the runner as subreaper, or by a full scan
    refused: str = ""


Known = set[tuple[int, int]]  # (pid, start) of processes that were seen to belong to a service


def read_stat(pid: int) -> Stat | None:
    """None when there is no such process. Raises OSError for anything else."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            line = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = line[line.rindex(b")") + 2 :].split()
    return Stat(pid, fields[0].decode(), int(fields[1]), int(fields[3]), int(fields[17]), int(fields[19]))


def lives(pid: int, start: int) -> bool:
    """Whether the very process that was noted is still there."""
    stat = read_stat(pid) if pid > 0 else None
    return stat is not None and stat.start == start and stat.alive


def table() -> dict[int, Stat]:
    """All living processes. Raises OSError when /proc cannot be read."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = read_stat(int(name))
            if stat is not None and stat.alive:
                found[stat.pid] = stat
    return found


def _marked(pid: int, mark: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return mark in file.read().split(b"\0")
    except OSError:
        return False  # gone, or another user's: those cannot be killed by this process either


def members(
    entry: Entry, everybody: dict[int, Stat], known: Known, by_mark: bool | None = None
) -> list[Stat]:
    """All living processes of a service, the runner included; `known` grows by them.

    Only processes that are not older than the runner are looked at. The mark is looked for only
    where there is no control group: reading the environment of a process that hangs in the kernel
    can hang too.
    """
    if by_mark is None:
        by_mark = not entry.cgroup
    holder = everybody.get(entry.pid)
    session = entry.pid if holder is None or holder.start == entry.start else -1  # -1: the id was reused
    ours: dict[int, Stat] = {}
    mark = f"{MARK}={entry.mark}".encode()
    rest = []
    for stat in everybody.values():
        if stat.start < entry.start:
            continue
        if (
            (stat.pid, stat.start) in known
            or (stat.pid == entry.pid and stat.start == entry.start)
            or stat.session == session
        ):
            ours[stat.pid] = stat
        else:
            rest.append(stat)
    grown = True
    while grown:
        grown = False
        for stat in rest:
            if stat.pid not in ours and stat.parent in ours:
                ours[stat.pid] = stat
                grown = True
    for stat in rest if by_mark else ():
        if stat.pid not in ours and stat.parent != 2 and _marked(stat.pid, mark):
            ours[stat.pid] = stat
    known.update((stat.pid, stat.start) for stat in ours.values())
    return list(ours.values())


def send(pid: int, start: int, number: int) -> bool:
    """Signal the very process that was noted. False when it is gone. Raises PermissionError."""
    try:
        handle = os.pidfd_open(pid)
    except (ProcessLookupError, FileNotFoundError):
        return False
    try:
        stat = read_stat(pid)
        if stat is None or stat.start != start:
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def kill_all(entry: Entry, known: Known) -> int:
    """Stop everything of a service until nothing new appears, then SIGKILL all of it.

    Stopping first: a process that forks faster than it is killed would go on for ever. Returns
    how many were killed. Does not wait for their end. Raises OSError when /proc cannot be read.
    """
    stopped: dict[tuple[int, int], None] = {}
    own = os.getpid()
    for _ in range(_ROUNDS):
        new = [
            (stat.pid, stat.start)
            for stat in members(entry, table(), known)
            if (stat.pid, stat.start) not in stopped and stat.pid != own
        ]
        if not new:
            break
        for pid, start in new:
            _try(pid, start, signal.SIGSTOP)
            stopped[(pid, start)] = None
    return sum(_try(pid, start, signal.SIGKILL) for pid, start in stopped)


def _try(pid: int, start: int, number: int) -> bool:
    try:
        return send(pid, start, number)
    except PermissionError:
        return False  # another user's by now; it stays in sight, and the next rung answers


# -- the registry ---------------------------------------------------------------------------------


def write_file(path: str, data: bytes) -> None:
    """Replace a small local file atomically. Raises OSError."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            if os.write(handle, data) != len(data):
                raise OSError("short write")
        finally:
            os.close(handle)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def write_entry(directory: str, entry: Entry) -> None:
    """Register a service, atomically. Raises OSError."""
    write_file(f"{directory}/{entry.name}.json", json.dumps(entry._asdict()).encode())


def read_entry(path: str) -> Entry | None:
    """The entry, or None when the file is not there. Raises ValueError for one that makes no sense."""
    try:
        with open(path, "rb") as file:
            raw = file.read(ENTRY_LIMIT)
    except FileNotFoundError:
        return None
    wire: Any = json.loads(raw)
    if not isinstance(wire, dict):
        raise ValueError("not an object")
    try:
        entry = Entry(**wire)
    except TypeError as problem:
        raise ValueError(str(problem)) from None
    numbers = (entry.pid, entry.start, entry.main, entry.main_start, entry.epoch)
    words = (entry.name, entry.runs_on, entry.mark, entry.cgroup, entry.refused)
    if not all(type(n) is int for n in numbers) or not all(type(w) is str for w in words):
        raise ValueError("a field of the wrong type")
    if entry.pid <= 1 or not entry.mark or type(entry.done) is not bool:
        raise ValueError("not a runner's entry")
    return entry


def held(directory: str) -> list[str]:
    """Names of services whose agents may hold something. Raises OSError: then nothing is known."""
    try:
        return sorted(name[: -len(HELD)] for name in os.listdir(directory) if name.endswith(HELD))
    except FileNotFoundError:
        return []


def entries(directory: str) -> list[Entry]:
    """All entries; none when there is no directory. Raises OSError or ValueError: then nothing is known."""
    try:
        names = sorted(name for name in os.listdir(directory) if name.endswith(".json"))
    except FileNotFoundError:
        return []
    found = (read_entry(f"{directory}/{name}") for name in names)
    return [entry for entry in found if entry is not None]
