"""What the processes of a unit use, read from outside of its host: cgroup2 and /proc, counted by perf."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.hosts.host import Host

US_PER_S = 1_000_000
NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Used:
    """Since a unit was started: processor time, and how often one of its threads slept and was woken."""

    processor_s: float
    wakeups: int


@dataclass(frozen=True, slots=True)
class Group:
    """Some units of one host. Processes whose name is in `without` are the service, and none of the cost."""

    host: Host
    units: tuple[str, ...]
    without: frozenset[str] = frozenset()

    def directories(self) -> list[Path]:
        """Their control groups."""
        payload = self.host.cgroup.unified / "payload"
        found = []
        for unit in self.units:
            path = self.host.exec(["systemctl", "show", "-P", "ControlGroup", unit]).stdout.strip()
            if path and path != "/" and (payload / path.strip("/")).is_dir():
                found.append(payload / path.strip("/"))
        return found

    def pids(self, directories: Sequence[Path]) -> list[int]:
        """All processes that count."""
        found = [
            int(line)
            for directory in directories
            for file in directory.rglob("cgroup.procs")
            for line in file.read_text().split()
        ]
        return [pid for pid in found if name_of(pid) not in self.without]

    def used(self, directories: Sequence[Path]) -> Used:
        """By the control groups' own count, which has processes that are gone too."""
        pids = self.pids(directories)
        wakeups = sum(sleeps(pid) for pid in pids)
        if self.without:
            return Used(sum(run_time_s(pid) for pid in pids), wakeups)
        return Used(sum(usage_s(directory) for directory in directories), wakeups)

    def pss_mb(self, directories: Sequence[Path]) -> float:
        """Proportional set size."""
        return sum(pss_kb(pid) for pid in self.pids(directories)) / 1024


def name_of(pid: int) -> str:
    """The process's name, "" when it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def usage_s(directory: Path) -> float:
    """A control group's processor time."""
    for line in (directory / "cpu.stat").read_text().splitlines():
        if line.startswith("usage_usec "):
            return int(line.split()[1]) / US_PER_S
    return 0.0


def run_time_s(pid: int) -> float:
    """Of all threads of a process."""
    total = 0
    for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            total += int(file.read_text().split()[0])
    return total / NS_PER_S


def sleeps(pid: int) -> int:
    """Voluntary switches of all threads: each is a wake-up."""
    total = 0
    for file in Path(f"/proc/{pid}/task").glob("*/status"):
        with contextlib.suppress(OSError):
            for line in file.read_text().splitlines():
                if line.startswith("voluntary_ctxt_switches:"):
                    total += int(line.split()[1])
    return total


def pss_kb(pid: int) -> int:
    """Proportional set size of a process."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def no_perf() -> str:
    """Why system calls cannot be counted here, "" when they can."""
    if shutil.which("perf") is None:
        return "perf is missing (Debian: linux-perf)"
    tried = _perf(["true"])
    return "" if tried is not None else "perf may not count raw_syscalls:sys_enter here"


def system_calls(pids: Sequence[int], for_s: float) -> float | None:
    """All that these processes, and those that they start, make in a second; None where perf fails."""
    if not pids:
        return None
    began = time.monotonic()
    counted = _perf(["-p", ",".join(map(str, pids)), "sleep", f"{for_s:g}"])
    return None if counted is None else counted / (time.monotonic() - began)


def _perf(words: Sequence[str]) -> int | None:
    command = ["perf", "stat", "-x", ",", "-e", "raw_syscalls:sys_enter", *words]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    for line in said.splitlines():
        number, _, rest = line.partition(",")
        if "sys_enter" in rest and (number.isdigit() or number == "<not counted>"):
            return int(number) if number.isdigit() else 0  # not counted: they all slept
    return None
