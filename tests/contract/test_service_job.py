"""`drivers.service_job`: is this stop part of a restart? PID 1 is asked through `systemctl`."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from acmd.drivers.service_job import LIMIT_S, is_restart

pytestmark = pytest.mark.asyncio


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `systemctl` that prints what a file holds; the test may replace it."""
    script = tmp_path / "systemctl"
    script.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\ncat {tmp_path}/says\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


@pytest.mark.parametrize(
    ("says", "restart"),
    [
        ("4711 acmd.service restart running\n", True),
        ("1 other.service restart waiting\n4711 acmd.service restart waiting\n", True),
        ("4711 acmd.service stop running\n", False),
        ("4711 acmd.service start waiting\n", False),
        ("4711 acmd.service.d restart running\n", False),
        ("4711 other.service restart running\n", False),
        ("", False),
        ("No jobs running.\n", False),
        ("restart acmd.service\n\n  \n", False),
    ],
)
async def test_what_pid_1_says(says: str, restart: bool, systemctl: Path) -> None:
    """Only a restart job of this very unit is a restart."""
    (systemctl / "says").write_text(says)
    assert await is_restart("acmd.service") is restart
    assert (systemctl / "arguments").read_text() == "list-jobs --no-legend --plain acmd.service\n"


async def test_garbage(systemctl: Path) -> None:
    """Bytes that are no text count as a plain stop."""
    (systemctl / "says").write_bytes(b"\xff\xfe acmd.service restart\n")
    assert not await is_restart("other.service")


async def test_no_systemd(systemctl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a missing program nor a failing one is a restart."""
    (systemctl / "systemctl").write_text("#!/bin/sh\nexit 1\n")
    assert not await is_restart("acmd.service")
    (systemctl / "systemctl").unlink()
    monkeypatch.setenv("PATH", str(systemctl))
    assert not await is_restart("acmd.service")


async def test_a_pid_1_that_does_not_answer(systemctl: Path) -> None:
    """After a second the stop is a plain one: the lease is released, which is the safe reading."""
    (systemctl / "systemctl").write_text("#!/bin/sh\nexec sleep 30\n")
    began = time.monotonic()
    assert not await is_restart("acmd.service")
    assert time.monotonic() - began < LIMIT_S + 2
    await asyncio.sleep(0.2)  # what was killed is reaped by the loop
