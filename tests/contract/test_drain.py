"""`drivers.drain`: the proof that what services wrote has landed."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from acmd.drivers.drain import FileSystemDrain
from acmd.ports import Drain

pytestmark = pytest.mark.asyncio


@pytest.fixture
def slow_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `sync` that takes as many seconds as a file says, and counts its runs."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "sync"
    script.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/runs\nexec sleep "$(cat {tmp_path}/takes)"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    (tmp_path / "takes").write_text("0")
    return tmp_path


def runs(place: Path) -> int:
    """How often it was started."""
    return len((place / "runs").read_text().splitlines())


async def until_drained(drain: Drain) -> None:
    """Ask until it is proven, for five seconds."""
    for _ in range(250):
        if await drain.drained():
            return
        await asyncio.sleep(0.02)
    pytest.fail("never drained")


async def test_nothing_to_wait_for(slow_sync: Path) -> None:
    """Without directories there is nothing to prove, and nothing is started."""
    assert await FileSystemDrain((), 1).drained()
    assert not (slow_sync / "runs").exists()


async def test_a_real_sync(tmp_path: Path) -> None:
    """A directory on a healthy file system is drained."""
    (tmp_path / "data").write_bytes(b"x" * 100_000)
    drain: Drain = FileSystemDrain((str(tmp_path),), 20)
    assert await drain.drained()
    assert await drain.drained()


async def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    """What could not be synced is not proven."""
    assert not await FileSystemDrain((str(tmp_path), str(tmp_path / "absent")), 20).drained()


async def test_all_directories_in_one_run(slow_sync: Path) -> None:
    """Each is named, as a file system to sync."""
    assert await FileSystemDrain(("/a", "/b c"), 5).drained()
    assert (slow_sync / "runs").read_text() == "-f /a /b c\n"


async def test_one_that_hangs(slow_sync: Path) -> None:
    """It ends within its limit as not proven, and is killed; once that is over, another one may prove it."""
    (slow_sync / "takes").write_text("60")
    drain = FileSystemDrain(("/a",), 0.3)
    began = time.monotonic()
    assert not await drain.drained()
    assert 0.3 <= time.monotonic() - began < 3
    (slow_sync / "takes").write_text("0")
    await until_drained(drain)


async def test_one_that_takes_longer_than_its_limit(slow_sync: Path) -> None:
    """Cut short it would only begin again: the next one gets twice the time, until one ends."""
    (slow_sync / "takes").write_text("0.5")
    drain = FileSystemDrain(("/a",), 0.2)
    assert not await drain.drained()
    await until_drained(drain)


async def test_one_that_was_cancelled_is_killed(slow_sync: Path) -> None:
    """A run that nobody waits for any more does not go on; the next one follows it."""
    (slow_sync / "takes").write_text("60")
    drain = FileSystemDrain(("/a",), 60)
    asking = asyncio.create_task(drain.drained())
    for _ in range(500):
        if not (slow_sync / "runs").exists():
            await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert runs(slow_sync) == 1
    (slow_sync / "takes").write_text("0")
    await until_drained(drain)  # long before the first one would have ended by itself
    assert runs(slow_sync) == 2


async def test_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `sync` nothing is proven, and nothing is raised."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not await FileSystemDrain(("/a",), 1).drained()
