"""For tests that run inside of a host: units of theirs, and waiting for what must become true."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from acmd.drivers.systemd import SystemdBus, SystemdService, SystemdUnit

DIRECTORY = Path("/etc/systemd/system")
LIMIT_S = 10.0


def systemctl(*words: str, check: bool = True) -> str:
    """systemctl's output; with `check` it must succeed."""
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, timeout=60)
    if check and done.returncode != 0:
        raise AssertionError(f"systemctl {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


class Units:
    """Unit files that a test makes; all are stopped and removed afterwards."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def add(self, name: str, service: str, unit: str = "", kill_mode: str = "") -> str:
        """A service with these lines; its whole name. systemd is reloaded."""
        whole = f"{name}.service"
        text = f"[Unit]\n{unit}\n[Service]\n{service}\n" + (f"KillMode={kill_mode}\n" if kill_mode else "")
        (DIRECTORY / whole).write_text(text)
        self.names.append(whole)
        systemctl("daemon-reload")
        return whole

    def remove(self) -> None:
        """Kill, stop and forget all of them."""
        if not self.names:
            return
        systemctl("kill", "-s", "KILL", *self.names, check=False)
        systemctl("stop", *self.names, check=False)
        for name in self.names:
            (DIRECTORY / name).unlink(missing_ok=True)
            shutil.rmtree(f"/run/systemd/system/{name}.d", ignore_errors=True)
        systemctl("daemon-reload")
        systemctl("reset-failed", check=False)


def made_units() -> Iterator[Units]:
    """A fixture's body."""
    units = Units()
    try:
        yield units
    finally:
        units.remove()


@asynccontextmanager
async def connected() -> AsyncIterator[SystemdBus]:
    """A connection to PID 1, closed afterwards."""
    bus = SystemdBus()
    try:
        assert await bus.open()
        yield bus
    finally:
        await bus.close()


def service(
    bus: SystemdBus, unit: str, start_limit_s: float = 5.0, stop_limit_s: float = 3.0
) -> SystemdService:
    """The driver of a unit, with short limits."""
    return SystemdService(SystemdUnit("it", unit, "active", start_limit_s, stop_limit_s), bus)


async def until(true: Callable[[], bool], limit_s: float = LIMIT_S) -> float:
    """Wait until something is true; the seconds that it took. AssertionError at the limit."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < limit_s, "it did not become true"
        await asyncio.sleep(0.005)
    return time.monotonic() - began


def alive(pid: int) -> bool:
    """Whether a process lives (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def main_pid(unit: str) -> int:
    """The unit's main process."""
    return int(systemctl("show", "-P", "MainPID", unit))


def kill_hard(pid: int) -> None:
    """SIGKILL, as a crash would be."""
    os.kill(pid, 9)
