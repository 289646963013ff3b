# ruff: noqa: ASYNC110, ASYNC240 - PID 1 is waited for by looking; files are local and small
"""The gate of active-only units against a real PID 1; runs inside of a host."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from acmd.drivers.systemd import Gate, SystemdBus, SystemdService, SystemdUnit
from acmd.drivers.systemd.dropins import install, missing, remove
from acmd.drivers.systemd.gate import refusal
from tests.hosts.inside_units import Units, connected, kill_hard, made_units, main_pid, systemctl

RUN = Path("/run/acmd/t")
GATE = Gate("t", str(RUN))
SLEEP = "ExecStart=/bin/sleep infinity"
S = 1_000_000_000


def put(position: str, seconds: float | None = None) -> None:
    """The gate as the guard writes it."""
    RUN.mkdir(parents=True, exist_ok=True)
    if seconds is not None:
        clocks = (time.clock_gettime_ns(clock) for clock in (time.CLOCK_BOOTTIME, time.CLOCK_MONOTONIC_RAW))
        position += "".join(f" {now + int(seconds * S)}" for now in clocks)
    (RUN / "gate.new").write_text(position + "\n")
    (RUN / "gate.new").rename(RUN / "gate")


@pytest.fixture
def units() -> Iterator[Units]:
    yield from made_units()


@pytest_asyncio.fixture
async def bus() -> AsyncIterator[SystemdBus]:
    put("shut")
    async with connected() as opened:
        yield opened
        await remove(GATE, opened)


def behind(bus: SystemdBus, unit: str) -> SystemdService:
    return SystemdService(SystemdUnit("it", unit, "active", 5.0, 3.0), bus, GATE.note_epoch)


@pytest.mark.asyncio
async def test_shut_refuses_open_lets_pass(units: Units, bus: SystemdBus) -> None:
    """Behind a shut gate neither acmd nor a hand starts it; open, it runs in the slice with its epoch."""
    unit = units.add("g-plain", SLEEP)
    assert await install(GATE, [unit], bus)
    assert await missing(GATE, unit, bus) == ""
    it = behind(bus, unit)
    for position in ("shut", "closing", "open nonsense", "open 3 1 1", ""):
        put(position)
        assert not await it.start(3)
        systemctl("start", unit, check=False)
        seen = await it.observe()
        assert (seen.state, seen.processes, seen.jobs) == ("stopped", False, False), position
        assert seen.detail == "a start condition (acmd's gate, or the unit's own) refused"
    put("open 3", 60)
    assert await it.start(3)
    assert f"{GATE.slice}/{unit}" in Path(f"/proc/{main_pid(unit)}/cgroup").read_text()
    assert b"ACMD_EPOCH=3" in Path(f"/proc/{main_pid(unit)}/environ").read_bytes().split(b"\0")
    assert Path(GATE.cgroup).is_dir()
    assert await it.stop()
    put("open 3")
    assert await it.start(3), "detached: open without a deadline"


@pytest.mark.asyncio
async def test_no_gate_at_all_refuses(units: Units, bus: SystemdBus) -> None:
    """Before the guard wrote anything, or when its directory is gone, nothing starts."""
    unit = units.add("g-none", SLEEP)
    await install(GATE, [unit], bus)
    (RUN / "gate").unlink()
    assert not await behind(bus, unit).start(1)


@pytest.mark.parametrize("restart", ["always", "on-failure", "on-abnormal"])
@pytest.mark.asyncio
async def test_systemds_own_restart_is_refused(units: Units, bus: SystemdBus, restart: str) -> None:
    """With the gate closing, Restart= of the vendor's brings nothing back, and does not try for ever."""
    unit = units.add("g-restart", f"{SLEEP}\nRestart={restart}\nRestartSec=50ms", "StartLimitIntervalSec=0")
    await install(GATE, [unit], bus)
    put("open 1", 60)
    it = behind(bus, unit)
    assert await it.start(1)
    kill_hard(first := main_pid(unit))
    while main_pid(unit) in {0, first}:
        await asyncio.sleep(0.02)
    assert (await it.observe()).restarts == 1, "open: systemd's own restart works"
    put("closing")
    kill_hard(main_pid(unit))
    await asyncio.sleep(0.3)
    while (seen := await it.observe()).jobs:
        await asyncio.sleep(0.02)
    assert not seen.processes
    assert seen.restarts <= 2
    await asyncio.sleep(0.2)
    assert (await it.observe()).restarts == seen.restarts


@pytest.mark.asyncio
async def test_a_gate_that_closes_while_the_unit_prepares(units: Units, bus: SystemdBus) -> None:
    """The last check comes after the vendor's ExecStartPre=: what began in time does not start too late."""
    marker = Path("/run/g-started")
    marker.unlink(missing_ok=True)
    unit = units.add(
        "g-slow", f"ExecStartPre=/bin/sleep 0.5\nExecStart=/bin/sh -c 'touch {marker}; exec sleep infinity'"
    )
    await install(GATE, [unit], bus)
    put("open 1", 0.3)
    it = behind(bus, unit)
    assert not await it.start(1)
    assert not marker.exists()
    seen = await it.observe()
    assert (seen.processes, seen.jobs) == (False, False)


@pytest.mark.asyncio
async def test_a_job_that_waited_in_the_queue(units: Units, bus: SystemdBus) -> None:
    """A start job queued while the gate was open starts nothing when its turn comes after the closing."""
    units.add("g-first", "Type=oneshot\nExecStart=/bin/sleep 0.5")
    unit = units.add("g-queued", SLEEP, "Wants=g-first.service\nAfter=g-first.service")
    await install(GATE, [unit], bus)
    put("open 1", 60)
    starting = asyncio.create_task(behind(bus, unit).start(1))
    await asyncio.sleep(0.2)
    put("closing")
    assert not await starting
    assert main_pid(unit) == 0


@pytest.mark.asyncio
async def test_a_user_and_a_private_view(units: Units, bus: SystemdBus) -> None:
    """The check works for units without rights and with a file system of their own, as MariaDB's."""
    sandbox = "User=nobody\nProtectSystem=strict\nPrivateTmp=yes\nNoNewPrivileges=yes"
    unit = units.add("g-sandbox", f"{SLEEP}\n{sandbox}\nInaccessiblePaths=-/opt/acmd -/repo")
    await install(GATE, [unit], bus)
    assert not await behind(bus, unit).start(1)
    put("open 1", 60)
    assert await behind(bus, unit).start(1)


@pytest.mark.asyncio
async def test_a_frozen_slice_holds_what_was_queued(units: Units, bus: SystemdBus) -> None:
    """In a slice that the guard froze even the condition does not run; a kill there ends the attempt."""
    unit = units.add("g-frozen", f"{SLEEP}\nRestart=always", "StartLimitIntervalSec=0")
    await install(GATE, [unit], bus)
    freezer = Path(GATE.cgroup) / "cgroup.freeze"
    freezer.write_text("1")
    put("open 1", 60)
    try:
        it = behind(bus, unit)
        systemctl("start", "--no-block", unit)
        while not (seen := await it.observe()).processes:
            await asyncio.sleep(0.01)
        assert seen.jobs
        await asyncio.sleep(0.2)
        assert main_pid(unit) == 0
        put("shut")
        await it.kill()
        while (seen := await it.observe()).processes or seen.jobs:
            await it.kill()
            await asyncio.sleep(0.05)
        assert main_pid(unit) == 0
    finally:
        freezer.write_text("0")


@pytest.mark.asyncio
async def test_a_unit_that_cannot_see_the_gate(units: Units, bus: SystemdBus) -> None:
    """A unit with a /run of its own (which even `+` does not lift) never starts: closed is the safe side."""
    unit = units.add("g-blind", f"{SLEEP}\nTemporaryFileSystem=/run")
    await install(GATE, [unit], bus)
    put("open 1", 60)
    assert not await behind(bus, unit).start(1)
    assert "cannot see" in await missing(GATE, unit, bus)


@pytest.mark.asyncio
async def test_installed_once_and_removed_without_trace(units: Units, bus: SystemdBus) -> None:
    """The vendor's file stays as it is; a second install changes nothing; removed, the unit is as before."""
    unit, other = units.add("g-trace", SLEEP), units.add("g-trace2", SLEEP)
    before = systemctl("cat", unit)
    vendor = Path(f"/etc/systemd/system/{unit}").stat()
    assert await install(GATE, [unit, other], bus)
    assert not await install(GATE, [unit, other], bus)
    assert await install(GATE, [unit], bus), "a unit that is not managed any more loses its drop-in"
    assert await missing(GATE, other, bus) != ""
    assert list(GATE.ours()) == [unit]
    assert await remove(GATE, bus)
    assert systemctl("cat", unit) == before
    assert Path(f"/etc/systemd/system/{unit}").stat() == vendor
    assert not Path(f"/run/systemd/system/{unit}.d").exists()
    assert not Path(GATE.cgroup).exists()
    assert systemctl("show", "-P", "NeedDaemonReload", unit) == "no"
    it = behind(bus, unit)
    assert await it.start(1), "without acmd the unit is as it was"


@pytest.mark.asyncio
async def test_another_drop_in_that_disarms_the_gate_is_told(units: Units, bus: SystemdBus) -> None:
    """A drop-in that empties the gate's lines is reported by its effect."""
    unit = units.add("g-other", SLEEP)
    late = Path(f"/etc/systemd/system/{unit}.d/zzzz.conf")
    late.parent.mkdir()
    late.write_text("[Service]\nExecCondition=\n")
    await install(GATE, [unit], bus)
    assert "lacks the gate in its ExecCondition=" in await missing(GATE, unit, bus)
    late.write_text("[Service]\nSlice=system.slice\n")
    systemctl("daemon-reload")
    assert "goes to system.slice" in await missing(GATE, unit, bus)
    late.unlink()
    late.parent.rmdir()


@pytest.mark.asyncio
async def test_the_vendors_real_units(bus: SystemdBus) -> None:
    """MariaDB and Apache as packaged stay behind the gate, run in the slice, and stop."""
    names = ["mariadb.service", "apache2.service"]
    await install(GATE, names, bus)
    try:
        for name in names:
            it = SystemdService(SystemdUnit("it", name, "active", 60.0, 60.0), bus, GATE.note_epoch)
            put("shut")
            assert not await it.start(5)
            put("open 5", 60)
            assert await it.start(5), (await it.observe()).detail
            assert GATE.slice in Path(f"/proc/{main_pid(name)}/cgroup").read_text()
            assert await it.stop()
    finally:
        systemctl("stop", *names, check=False)


def test_the_gates_line() -> None:
    """Only an open gate whose deadlines lie ahead lets pass."""
    clocks = (100, 200)
    assert refusal("open 3 101 201\n", clocks) == ""
    assert refusal("open 3\n", clocks) == ""
    for text in (
        "",
        "shut",
        "closing",
        "open",
        "open x",
        "open 3 101",
        "open 3 100 201",
        "open 3 101 200",
        "opened 3",
    ):
        assert refusal(text, clocks) != "", text
