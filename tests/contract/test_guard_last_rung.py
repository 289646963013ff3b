"""When the guard would end the host, shown with rungs and a watchdog that only write it down."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
import pytest_asyncio

from acmd.core.observation import Gate
from acmd.drivers.command import Command, CommandService
from tests.contract.guard_kit import LIMITS, RealBed

pytestmark = pytest.mark.asyncio

GUARD = Path(__file__).with_name("guard_with_rungs.py")
S = 1_000_000_000


class RungBed(RealBed):
    """A guard whose last resort is a reset that is written to a file."""

    def __init__(self, run_dir: Path, **given: Any) -> None:
        super().__init__(run_dir)
        self.settings = {
            **LIMITS._asdict(),
            "last_resort": "reset",
            "run_dir": str(run_dir),
            "socket": self.path,
            **given,
        }

    def spawn(self) -> None:
        """Start it."""
        self.pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", str(GUARD), str(self.run_dir), json.dumps(self.settings)],
            os.environ,
        )

    def resets(self) -> bool:
        """Whether the last rung was reached."""
        return (self.run_dir / "reset").exists()

    def watchdog(self) -> list[str]:
        """What was done to the watchdog."""
        return (self.run_dir / "watchdog").read_text().split()

    async def end_all(self) -> None:
        """Leave nothing."""
        if self.pid:
            self.end()
        await self.guard.close()
        await self.service.kill()
        await self.service.stop()
        self.service.close()


@pytest_asyncio.fixture
async def bed(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[RungBed]:
    made = RungBed(tmp_path, **getattr(request, "param", {}))
    made.spawn()
    made.guard.open()
    try:
        yield made
    finally:
        await made.end_all()


async def test_all_gone_in_time_resets_nothing(bed: RungBed) -> None:
    """Killed at K and seen gone: the host stays up, well past the reset deadline."""
    await bed.armed()
    await bed.run_service(7)
    await bed.until(lambda: bed.guard.view().clean)
    await bed.spend(LIMITS.lease_ns - LIMITS.kill_ns)
    assert not bed.resets()


@pytest.mark.parametrize("bed", [{"sync": ["/no/such/file/system"]}], indirect=True)
async def test_a_sync_that_never_succeeds_resets(bed: RungBed, tmp_path: Path) -> None:
    """Without proof that writes have landed, the host is reset at its deadline, and not before K."""
    bed.end()
    bed.settings["sync"] = [str(tmp_path / "data")]
    (tmp_path / "data").mkdir()
    bed.spawn()
    await bed.armed()
    (tmp_path / "data").rmdir()
    await bed.until(lambda: bed.guard.view().gate is Gate.SHUT)
    assert not bed.resets()
    await bed.until(bed.resets)
    await bed.until(lambda: "this rung is broken" in str(bed.guard.details()["faults"]))


async def test_lost_while_armed_resets_at_once(bed: RungBed) -> None:
    """The guard that comes after one that was killed while armed climbs to the last rung at once."""
    await bed.armed()
    bed.end(signal.SIGKILL)
    assert not bed.resets()
    bed.spawn()
    await bed.until(bed.resets)


async def test_what_an_agent_may_still_hold_resets(bed: RungBed) -> None:
    """A mount that an agent brought up is no process: its mark keeps the guard from taking it for gone, and
    no kill ends it. Without the daemon's stop the host is reset.
    """
    await bed.armed()
    (bed.run_dir / "services").mkdir(exist_ok=True)
    (bed.run_dir / "services/files.held").touch()
    bed.guard.shut_gate(7)
    await bed.until(lambda: "not said to be stopped: files" in str(bed.guard.details()["faults"]))
    bed.guard.disarm(7, detached=False)
    assert not bed.guard.view().clean
    await bed.until(bed.resets)


async def test_a_mark_that_goes_in_time(bed: RungBed) -> None:
    """The daemon's stop took it away: gone is gone."""
    await bed.armed()
    mark = bed.run_dir / "services/files.held"
    mark.parent.mkdir(exist_ok=True)
    mark.touch()
    bed.guard.close_gate(7)
    mark.unlink()
    await bed.until(lambda: bed.guard.view().clean)
    assert not bed.resets()


async def test_a_garbled_memory_resets(bed: RungBed, tmp_path: Path) -> None:
    """Where the last resort is a reset, a memory that cannot be understood counts as armed."""
    await bed.armed()
    bed.end(signal.SIGKILL)
    (tmp_path / "guard.json").write_text("{")
    bed.spawn()
    await bed.until(bed.resets)


@pytest.mark.parametrize("bed", [{"watchdog": "noted", "watchdog_timeout_ns": S}], indirect=True)
async def test_the_watchdog_runs_while_armed(bed: RungBed) -> None:
    """Opened by arming, fed, starved before D when renewals stop, stopped by the magic word on disarming."""
    await bed.until(lambda: bed.guard.view().clean)
    assert bed.watchdog() == []
    assert bed.guard.view().watchdog_ok
    await bed.armed()
    await bed.until(lambda: "feed" in bed.watchdog())
    assert bed.watchdog()[:3] == ["open", "control", "control"]
    bed.guard.close_gate(7)
    bed.guard.disarm(7, detached=False)
    await bed.until(lambda: bed.guard.view().epoch is None)
    assert bed.watchdog()[-2:] == ["V", "close"]


@pytest.mark.parametrize(
    ("bed", "needed"),
    [
        ({"watchdog": "noted", "watchdog_timeout_ns": S, "watchdog_mode": mode}, mode == "required")
        for mode in ("required", "automatic")
    ],
    indirect=["bed"],
)
async def test_a_watchdog_that_cannot_be_opened(bed: RungBed, needed: bool) -> None:
    """Required: nothing is armed, and the node is told so. Automatic: a fault in the view, and no more."""
    await bed.until(lambda: bed.guard.view().clean)
    (bed.run_dir / "busy").touch()
    bed.guard.arm(7, bed.clock.now())
    await bed.until(lambda: "resource busy" in str(bed.guard.details()["faults"]))
    assert bed.guard.view().watchdog_ok != needed
    assert (bed.guard.view().epoch is None) == needed
    assert ("resource busy" in bed.guard.refusal()) == needed
    assert bed.watchdog() == []
    assert json.loads((bed.run_dir / "guard.json").read_text())["state"] == (
        "disarmed" if needed else "armed"
    )


async def test_a_group_is_frozen_and_killed(tmp_path: Path) -> None:
    """A control group's processes end at K, whoever started them; the next arming thaws the group."""
    roots = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
    root = next((path for path in roots if (path / "cgroup.procs").exists()), None)
    if root is None or not os.access(root, os.W_OK):
        pytest.skip("no cgroup v2 to write to")
    group = root / f"acmd-test-{uuid4().hex}"
    group.mkdir()
    bed = RungBed(tmp_path, cgroup=[str(group)])
    bed.service = CommandService(
        Command("web", ("sleep", "600"), str(tmp_path), "a", log="/dev/null", cgroup_parent=str(group))
    )
    bed.spawn()
    bed.guard.open()
    try:
        await bed.armed()
        await bed.run_service(7)
        main = (await bed.service.observe()).pids[0]
        bed.guard.shut_gate(7)
        await bed.until(lambda: bed.guard.view().clean)
        assert not psutil.pid_exists(main) or psutil.Process(main).status() == "zombie"
        assert (group / "cgroup.freeze").read_text().strip() == "1"
        bed.guard.disarm(7, detached=False)
        await bed.armed(8)
        assert (group / "cgroup.freeze").read_text().strip() == "0"
        await bed.run_service(8)
        assert not bed.resets()
    finally:
        await bed.end_all()
        group.rmdir()
