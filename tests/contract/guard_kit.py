"""Guards to test: the fake on a fake clock, and the real process, unprivileged, without a last rung."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from acmd.core.timing import Instant
from acmd.drivers.clock import SystemClock
from acmd.drivers.command import Command, CommandService
from acmd.drivers.guard_link import GuardLink, spawn_guard
from acmd.guard.switch import Limits
from acmd.ports import Clock, Guard
from tests.fakes.clock import FakeClock
from tests.fakes.guard import FakeGuard

MS = 1_000_000
LIMITS = Limits(700 * MS, 1000 * MS, 1500 * MS, 2000 * MS, last_resort="none")
PATIENCE_S = 8.0


class Bed(Protocol):
    """A guard, its clock, and one service that it watches."""

    @property
    def guard(self) -> Guard:
        """The guard under test."""
        ...

    @property
    def clock(self) -> Clock:
        """The clock that it goes by."""
        ...

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for an effect that needs no time to pass; fail when it does not come."""
        ...

    async def spend(self, duration_ns: int) -> None:
        """Let time pass."""
        ...

    async def run_service(self, epoch: int) -> None:
        """Let something of an active-only service live."""
        ...

    async def service_lives(self) -> bool:
        """Whether it still does."""
        ...


class FakeBed:
    """The fake guard."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.guard = FakeGuard(self.clock, LIMITS)

    async def until(self, holds: Callable[[], bool]) -> None:
        self.guard.settle()
        assert holds()

    async def spend(self, duration_ns: int) -> None:
        self.clock.advance(duration_ns)
        self.guard.settle()

    async def run_service(self, epoch: int) -> None:
        self.guard.services_run()

    async def service_lives(self) -> bool:
        return self.guard.sight.processes


class RealBed:
    """A guard process with its run directory, and the link to it."""

    def __init__(self, run_dir: Path, *extra: str) -> None:
        self.run_dir = run_dir
        self.path = str(run_dir / "s")
        self.extra = extra
        self.clock = SystemClock()
        self.pid = 0
        self.guard = GuardLink(self.path, self.clock, limit_ns=1500 * MS)
        self.service = CommandService(
            Command("web", ("sleep", "600"), str(run_dir), "a", log=str(run_dir / "log"))
        )

    def arguments(self) -> list[str]:
        limits = {f"--{name.replace('_', '-')}": value for name, value in LIMITS._asdict().items()}
        del limits["--watchdog-timeout-ns"]
        options = {"--run-dir": str(self.run_dir), "--socket": self.path, **limits}
        return [*(str(part) for pair in options.items() for part in pair), *self.extra]

    def spawn(self) -> None:
        """Start the guard process."""
        self.pid = spawn_guard(self.arguments(), str(self.run_dir / "guard.log"))

    def end(self, number: int = signal.SIGKILL) -> int:
        """Signal it and take its exit code."""
        os.kill(self.pid, number)
        return self.wait()

    def wait(self) -> int:
        """Take its exit code; fail when it does not end."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        raise AssertionError("the guard does not end")

    async def until(self, holds: Callable[[], bool]) -> None:
        """As in `Bed`."""
        end = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end, f"{self.guard.view()} {self.guard.details()}"
            await asyncio.sleep(0.01)

    async def spend(self, duration_ns: int) -> None:
        """As in `Bed`."""
        await asyncio.sleep(duration_ns / 1e9)

    async def run_service(self, epoch: int) -> None:
        """As in `Bed`; renewed meanwhile, since a busy machine takes longer than R to start anything."""
        if not self.pid:  # no guard, as after a SIGKILL: nothing to renew with
            assert await self.service.start(epoch), await self.service.observe()
            return
        starting = asyncio.ensure_future(self.service.start(epoch))
        issued = self.clock.now()
        while not starting.done():
            issued = self.clock.now()
            self.guard.arm(epoch, issued)
            await asyncio.wait({starting}, timeout=0.05)
        assert starting.result(), await self.service.observe()
        await self.until(lambda: self.guard.view().issued == issued)

    async def service_lives(self) -> bool:
        """As in `Bed`."""
        return (await self.service.observe()).processes

    async def armed(self, epoch: int = 7) -> None:
        """Wait for a clean guard, arm it now, wait for the open gate."""
        await self.until(lambda: self.guard.view().clean)
        asked = -1.0

        def is_armed() -> bool:
            nonlocal asked
            if self.guard.view().epoch != epoch and time.monotonic() - asked > 0.3:
                asked = time.monotonic()
                self.guard.arm(epoch, self.clock.now())
            return self.guard.view().epoch == epoch

        await self.until(is_armed)

    def gate(self) -> str:
        """The gate's line."""
        return (self.run_dir / "gate").read_text().strip()

    @contextlib.contextmanager
    def client(self) -> Iterator[socket.socket]:
        """A bare connection."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
            link.settimeout(PATIENCE_S)
            link.connect(self.path)
            yield link


def ask(link: socket.socket, request: Any) -> dict[str, Any]:
    """Send a request, whatever it is, and take its answer."""
    link.send(request if isinstance(request, bytes) else json.dumps(request).encode())
    while True:
        view: dict[str, Any] = json.loads(link.recv(65536))
        if "id" in view:
            return view


@contextlib.asynccontextmanager
async def real_bed(run_dir: Path, *extra: str) -> AsyncIterator[RealBed]:
    """A running guard with its link; nothing of it is left behind."""
    bed = RealBed(run_dir, *extra)
    bed.spawn()
    bed.guard.open()
    try:
        yield bed
    finally:
        if bed.pid:
            bed.end()
        await bed.guard.close()
        await bed.service.kill()
        assert await bed.service.stop()
        bed.service.close()


def long_ago(clock: Clock, age_ns: int) -> Instant:
    """A moment in the past."""
    now = clock.now()
    return Instant(now.boot_ns - age_ns, now.raw_ns - age_ns)
