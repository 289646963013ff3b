"""The cgroups of a bed: one subtree in every hierarchy that the machine has, made and removed by hand.

A machine has either one cgroup2 hierarchy, or (hybrid) cgroup2 beside the old one of systemd and old
controllers. A host needs a cgroup of its own in each, else two hosts would share one `payload` and kill each
other.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
KILL_TIMEOUT_S = 20.0


class CgroupError(Exception):
    """A cgroup did not become what was asked in time; the message tells which and what lives in it."""


def unified_root() -> Path:
    """Where this machine has cgroup2."""
    return ROOT if (ROOT / "cgroup.controllers").exists() else ROOT / "unified"


def _v1_roots() -> list[Path]:
    if unified_root() == ROOT:
        return []
    return [ROOT / name for name in ("systemd", "memory", "pids") if (ROOT / name / "cgroup.procs").exists()]


@dataclass(frozen=True, slots=True)
class Cgroup:
    """One path, the same in every hierarchy."""

    path: str

    @property
    def unified(self) -> Path:
        """Its directory in cgroup2, which is where it is frozen and killed."""
        return unified_root() / self.path

    def directories(self) -> list[Path]:
        """Its directory in every hierarchy."""
        return [self.unified, *(root / self.path for root in _v1_roots())]

    def create(self) -> None:
        """Make it, with its parents, everywhere. Afterwards processes may join."""
        for directory in self.directories():
            directory.mkdir(parents=True, exist_ok=True)

    def procs_files(self) -> list[Path]:
        """What a process writes its id into in order to join."""
        return [directory / "cgroup.procs" for directory in self.directories()]

    def pids(self) -> list[int]:
        """Every process in it or below, by the machine's process ids."""
        found: list[int] = []
        for directory, _, _ in os.walk(self.unified):
            try:
                found += [int(line) for line in Path(directory, "cgroup.procs").read_text().split()]
            except OSError:
                continue  # The group was removed while we walked: nothing lives in it.
        return found

    def kill(self, timeout_s: float = KILL_TIMEOUT_S) -> None:
        """SIGKILL everything at once; returns when nothing is left. CgroupError when something is after
        timeout_s.
        """
        if not self.unified.is_dir():
            return
        (self.unified / "cgroup.kill").write_text("1")
        self.wait_empty(timeout_s)

    def wait_empty(self, timeout_s: float = KILL_TIMEOUT_S) -> None:
        """Return once no process is left; CgroupError after timeout_s."""
        deadline = time.monotonic() + timeout_s
        while self.populated():
            if time.monotonic() > deadline:
                raise CgroupError(
                    f"{self.unified} is still populated after {timeout_s} s by {_describe(self.pids())}"
                )
            time.sleep(0.005)

    def populated(self) -> bool:
        """Whether any process, zombies on their way out included, is in it or below."""
        try:
            return "populated 1" in (self.unified / "cgroup.events").read_text()
        except FileNotFoundError:
            return False

    def freeze(self, frozen: bool, timeout_s: float = 5.0) -> None:
        """Freeze or thaw everything in it; returns when the kernel says that it is so."""
        (self.unified / "cgroup.freeze").write_text("1" if frozen else "0")
        deadline = time.monotonic() + timeout_s
        while self.frozen() != frozen:
            if time.monotonic() > deadline:
                raise CgroupError(
                    f"{self.unified} did not become {'frozen' if frozen else 'thawed'} in {timeout_s} s"
                )
            time.sleep(0.001)

    def frozen(self) -> bool:
        """Whether the kernel reports all of it frozen."""
        return "frozen 1" in (self.unified / "cgroup.events").read_text()

    def limit_memory(self, limit_bytes: int | None) -> None:
        """Give the host that much memory (None: no limit); what goes beyond meets the OOM killer inside."""
        value = "max" if limit_bytes is None else str(limit_bytes)
        self._limit(("memory.max", value), ("memory.limit_in_bytes", "-1" if limit_bytes is None else value))

    def limit_pids(self, limit: int | None) -> None:
        """Allow the host that many tasks (None: no limit); fork fails with EAGAIN beyond."""
        value = "max" if limit is None else str(limit)
        self._limit(("pids.max", value), ("pids.max", value))

    def unlimit(self) -> None:
        """Take every limit away that this machine can set at all."""
        for directory in self.directories():
            for name, value in (("memory.max", "max"), ("memory.limit_in_bytes", "-1"), ("pids.max", "max")):
                if (directory / name).exists():
                    (directory / name).write_text(value)

    def _limit(self, unified: tuple[str, str], old: tuple[str, str]) -> None:
        for directory in self.directories():
            name, value = unified if directory == self.unified else old
            if (directory / name).exists():
                (directory / name).write_text(value)
                return
        raise CgroupError(f"this machine has no controller for {unified[0]} that a host could be limited by")

    def remove(self) -> None:
        """Remove it and everything below, everywhere; it must be empty of processes."""
        for directory in self.directories():
            _remove_tree(directory)


def _remove_tree(directory: Path) -> None:
    deadline = time.monotonic() + KILL_TIMEOUT_S
    for path, _, _ in os.walk(directory, topdown=False):
        while True:
            try:
                os.rmdir(path)
            except FileNotFoundError:
                break
            except OSError as error:
                # EBUSY: the last zombie has not been reaped yet.
                if time.monotonic() > deadline:
                    raise CgroupError(f"{path} cannot be removed: {error}") from error
                time.sleep(0.005)
            else:
                break


def _describe(pids: list[int]) -> str:
    lines: list[str] = []
    for pid in pids:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        lines.append(f"{pid} {stat[stat.index('(') : stat.rindex(')') + 3]}")
    return ", ".join(lines) or "nothing that can be seen"
