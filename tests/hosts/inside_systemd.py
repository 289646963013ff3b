# ruff: noqa: ASYNC110, ASYNC240 - PID 1 is waited for by looking; files are local and small
"""The systemd driver against a real PID 1, good and bad units; runs inside of a host."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from acmd.core.observation import Mode
from acmd.core.restart import Budget
from acmd.core.timing import NS_PER_S
from acmd.drivers.clock import SystemClock
from acmd.drivers.drain import FileSystemDrain
from acmd.drivers.systemd import facts, first_found
from acmd.drivers.systemd.groups import paths_of, populated
from acmd.ports import ServiceStatus
from acmd.tasks.supervision import Group, Plan, Unit
from tests.hosts.inside_units import (
    LIMIT_S,
    Units,
    alive,
    connected,
    kill_hard,
    made_units,
    main_pid,
    service,
    systemctl,
    until,
)

pytestmark = pytest.mark.asyncio

SLEEP = "ExecStart=/bin/sleep infinity"
STUBBORN = "ExecStart=/bin/sh -c 'trap \"\" TERM; while :; do sleep 1; done'"


@pytest.fixture
def units() -> Iterator[Units]:
    yield from made_units()


async def test_start_observe_stop(units: Units) -> None:
    """A unit is started, seen running with its processes, stopped, and seen gone."""
    unit = units.add("t-plain", SLEEP)
    async with connected() as bus:
        it = service(bus, unit)
        before = await it.observe()
        assert (before.state, before.processes, before.jobs) == ("stopped", False, False)
        assert await it.start(7)
        seen = await it.observe()
        assert (seen.state, seen.processes, seen.jobs) == ("running", True, False)
        assert seen.pids == (main_pid(unit),)
        assert seen.since_s < LIMIT_S
        assert await it.stop()
        after = await it.observe()
        assert (after.state, after.processes, after.jobs, after.detail) == ("stopped", False, False, "")


async def test_a_death_is_heard_at_once(units: Units) -> None:
    """A killed main process is noticed by signal: median below 50 ms, with nothing polled."""
    unit = units.add("t-dies", SLEEP)
    took = []
    async with connected() as bus:
        it = service(bus, unit)
        for _ in range(9):
            assert await it.start(1)
            assert (await it.observe()).state == "running"
            await asyncio.sleep(0.05)
            it.changed.clear()
            pid = main_pid(unit)
            began = time.monotonic()
            kill_hard(pid)
            state = "running"
            while state == "running":
                await asyncio.wait_for(it.changed.wait(), LIMIT_S)
                state = (await it.observe()).state
            took.append(time.monotonic() - began)
            assert state == "failed"
    print("death noticed after, ms:", [round(value * 1000, 1) for value in took])
    assert statistics.median(took) < 0.05


async def test_no_such_unit() -> None:
    """A unit that does not exist cannot be started, is gone, and says why."""
    async with connected() as bus:
        it = service(bus, "no-such-thing.service")
        assert not await it.start(1)
        seen = await it.observe()
        assert (seen.state, seen.processes, seen.jobs) == ("failed", False, False)
        assert seen.detail == "there is no such unit"
        assert await it.stop()
        await it.kill()


async def test_masked(units: Units) -> None:
    """A masked unit cannot be started, is gone, and says why."""
    unit = units.add("t-masked", SLEEP)
    systemctl("mask", "--runtime", unit, check=False)
    Path(f"/etc/systemd/system/{unit}").unlink()
    Path(f"/etc/systemd/system/{unit}").symlink_to("/dev/null")
    systemctl("daemon-reload")
    async with connected() as bus:
        it = service(bus, unit)
        assert not await it.start(1)
        seen = await it.observe()
        assert (seen.state, seen.processes, seen.jobs) == ("failed", False, False)
        assert seen.detail == "the unit is masked"
        assert (await facts(unit, bus)).load == "masked"
    systemctl("unmask", "--runtime", unit, check=False)


async def test_failed_at_the_start_limit(units: Units) -> None:
    """systemd's start limit ends its own restarts; acmd's next start counts anew and works once it can."""
    unit = units.add(
        "t-limit",
        "ExecStart=/bin/sh -c 'test -e /run/t-may-run && exec sleep infinity; exit 1'\n"
        "Restart=always\nRestartSec=10ms",
        "StartLimitBurst=3\nStartLimitIntervalSec=1h",
    )
    ok = Path("/run/t-may-run")
    ok.unlink(missing_ok=True)
    async with connected() as bus:
        it = service(bus, unit)
        await it.start(1)
        while (seen := await it.observe()).state != "failed":
            await asyncio.sleep(0.02)
        assert (seen.processes, seen.jobs) == (False, False)
        assert seen.detail in {"systemd's own start limit was reached", "it ended with an error"}
        assert seen.restarts >= 2
        ok.touch()
        assert await it.start(1)
        assert (await it.observe()).state == "running"
    ok.unlink()


async def test_one_that_its_restart_revives_for_ever(units: Units) -> None:
    """Restarts of systemd's own spend acmd's budget: a unit that crashes on and on is never down for long."""
    unit = units.add(
        "t-revived",
        "ExecStart=/bin/sh -c 'sleep 0.2; exit 1'\nRestart=always\nRestartSec=100ms",
        "StartLimitIntervalSec=0",
    )
    async with connected() as bus:
        plan = Plan(budget=Budget(4, 60 * NS_PER_S, NS_PER_S, NS_PER_S))
        one = Unit(service(bus, unit), plan, ServiceStatus("it", "all"))
        said: list[str] = []
        it = Group(
            [one], SystemClock(), asyncio.Event(), NS_PER_S, FileSystemDrain((), 1.0),
            lambda event, **_: said.append(event), gated=False,
        )  # fmt: skip
        it.request(Mode.RUN, -1, None)
        keeping = asyncio.create_task(it.run())
        try:
            print("budget spent after, s:", round(await until(lambda: it.view().failed), 2))
            assert "service-ended" in said
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)


async def test_a_start_that_never_ends(units: Units) -> None:
    """A unit that never says that it is ready fails its start at acmd's limit, and is then stopped."""
    unit = units.add("t-never", f"Type=notify\nTimeoutStartSec=infinity\n{SLEEP}")
    async with connected() as bus:
        it = service(bus, unit, start_limit_s=0.5)
        began = time.monotonic()
        assert not await it.start(1)
        assert time.monotonic() - began < 2.0
        while (seen := await it.observe()).jobs:
            await asyncio.sleep(0.02)
        assert not seen.processes
        assert seen.detail == "no end of its start within 0.5 s" or seen.state == "failed"


async def test_a_queued_start_is_cancelled(units: Units) -> None:
    """Cancelling a start whose job still waits in PID 1's queue takes the job out of it."""
    units.add("t-blocks", "Type=oneshot\nTimeoutStartSec=infinity\nExecStart=/bin/sleep infinity")
    unit = units.add("t-waits", SLEEP, "Wants=t-blocks.service\nAfter=t-blocks.service")
    async with connected() as bus:
        it = service(bus, unit)
        starting = asyncio.create_task(it.start(1))
        while not (await it.observe()).jobs:
            await asyncio.sleep(0.01)
        assert not (await it.observe()).processes
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        while (await it.observe()).jobs:
            await asyncio.sleep(0.01)
        assert (await it.observe()).state == "stopped"
        # And a start job that another queued goes with a stop.
        systemctl("start", "--no-block", unit)
        assert (await it.observe()).jobs
        assert await it.stop()


async def test_one_that_ignores_sigterm(units: Units) -> None:
    """A stop says at its limit that something lives; a kill ends all of it, for good."""
    unit = units.add("t-stubborn", f"{STUBBORN}\nTimeoutStopSec=infinity\nRestart=always\nRestartSec=10ms")
    async with connected() as bus:
        it = service(bus, unit, stop_limit_s=0.3)
        assert await it.start(1)
        began = time.monotonic()
        assert not await it.stop()
        assert 0.25 < time.monotonic() - began < 1.5
        seen = await it.observe()
        assert (seen.state, seen.processes, seen.jobs) == ("stopping", True, True)
        began = time.monotonic()
        await it.kill()
        while (seen := await it.observe()).processes or seen.jobs:
            await asyncio.sleep(0.01)
        assert time.monotonic() - began < 1.0
        await asyncio.sleep(0.1)
        seen = await it.observe()
        assert not seen.processes
        assert not seen.jobs


async def test_a_kill_is_not_undone_by_restart(units: Units) -> None:
    """Restart=always does not bring a killed unit back."""
    unit = units.add("t-back", f"{SLEEP}\nRestart=always\nRestartSec=0")
    async with connected() as bus:
        it = service(bus, unit)
        assert await it.start(1)
        assert (await it.observe()).processes
        await it.kill()
        while (seen := await it.observe()).processes or seen.jobs:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        assert not (await it.observe()).processes


async def test_a_restart_of_systemds_own_is_a_job(units: Units) -> None:
    """While systemd waits to start a unit again, it counts as having a job, though nothing lives."""
    unit = units.add("t-again", "ExecStart=/bin/sleep infinity\nRestart=always\nRestartSec=30")
    async with connected() as bus:
        it = service(bus, unit)
        assert await it.start(1)
        kill_hard(main_pid(unit))
        while (seen := await it.observe()).processes:
            await asyncio.sleep(0.01)
        assert seen.jobs
        assert seen.state == "starting"
        assert seen.detail == "systemd is about to start it again"
        assert await it.stop()


async def test_a_unit_about_to_restart_is_never_seen_gone(units: Units) -> None:
    """From a death to systemd's own restart no look, however unlucky, calls the unit gone."""
    unit = units.add(
        "t-race", "ExecStart=/bin/sleep infinity\nRestart=always\nRestartSec=20ms", "StartLimitBurst=0"
    )
    looks = 0
    async with connected() as bus:
        it = service(bus, unit)
        assert await it.start(1)
        for _ in range(20):
            old = (await it.observe()).pids
            for pid in old:
                kill_hard(pid)
            while (seen := await it.observe()).state != "running" or seen.pids in {old, ()}:
                assert seen.processes or seen.jobs, seen
                looks += 1
        assert await it.stop()
        it.close()
        it.changed.clear()
        systemctl("start", unit)
        assert not it.changed.is_set()
    print(f"{looks} looks between deaths and restarts")
    assert looks > 50


async def test_one_that_forks_away(units: Units) -> None:
    """What a main process leaves behind counts and is killed, also where the unit says to leave it."""
    unit = units.add("t-forks", "ExecStart=/bin/sh -c 'setsid sleep infinity & exit 0'", kill_mode="process")
    async with connected() as bus:
        it = service(bus, unit)
        await it.start(1)
        while (seen := await it.observe()).jobs or seen.state == "running":
            await asyncio.sleep(0.01)
        assert (seen.state, seen.processes) == ("stopped", True)
        assert "left in its control group" in seen.detail
        (pid,) = seen.pids
        assert not await it.stop()
        await it.kill()
        await until(lambda: not alive(pid))
        assert not (await it.observe()).processes


async def test_a_child_in_another_control_group(units: Units) -> None:
    """A process that moved itself elsewhere is found by its run's mark when the unit is down, and killed."""
    group = "/sys/fs/cgroup/t-elsewhere"
    script = f"mkdir -p {group}; (echo 0 > {group}/cgroup.procs; exec setsid sleep infinity) &"
    unit = units.add(
        "t-moves", f"Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c '{script} sleep 0.2'"
    )
    async with connected() as bus:
        it = service(bus, unit)
        assert await it.start(1)
        assert (await it.observe()).state == "running"
        assert not await it.stop()
        seen = await it.observe()
        assert seen.processes
        assert "(sleep) lives on outside of its control group" in seen.detail
        (pid,) = seen.pids
        assert alive(pid)
        await it.kill()
        await until(lambda: not alive(pid))
        assert not (await it.observe()).processes
    Path("/sys/fs/cgroup/t-elsewhere").rmdir()


async def test_a_later_daemon_finds_everything(units: Units) -> None:
    """Another connection sees the running unit as it is: nothing of the state is the driver's own."""
    unit = units.add("t-adopted", SLEEP)
    async with connected() as bus:
        assert await service(bus, unit).start(1)
    pid = main_pid(unit)
    async with connected() as bus:
        it = service(bus, unit)
        seen = await it.observe()
        assert (seen.state, seen.pids) == ("running", (pid,))
        assert await it.stop()


async def test_dbus_gone_and_back(units: Units) -> None:
    """Without D-Bus nothing is started; looking, stopping, killing go on by systemctl; later all is well."""
    unit, other = units.add("t-bus", SLEEP), units.add("t-bus2", STUBBORN + "\nTimeoutStopSec=infinity")
    async with connected() as bus:
        it, stubborn = service(bus, unit), service(bus, other, stop_limit_s=0.3)
        assert await it.start(1)
        assert await stubborn.start(1)
        await it.observe()
        await stubborn.observe()
        it.changed.clear()
        systemctl("stop", "dbus.socket", "dbus.service")
        try:
            await asyncio.wait_for(it.changed.wait(), LIMIT_S)
            assert not bus.ready.is_set()
            seen = await it.observe()
            assert (seen.state, seen.processes, seen.jobs) == ("running", True, False)
            assert await it.stop()
            assert not await it.start(1)
            assert "PID 1 refuses to start it" in (await it.observe()).detail
            assert not await stubborn.stop()
            await stubborn.kill()
            while (seen := await stubborn.observe()).processes or seen.jobs:
                await asyncio.sleep(0.01)
        finally:
            systemctl("start", "dbus.socket", "dbus.service")
        await asyncio.wait_for(bus.ready.wait(), LIMIT_S)
        assert await it.start(1)
        await it.observe()
        it.changed.clear()
        kill_hard(main_pid(unit))
        await asyncio.wait_for(it.changed.wait(), LIMIT_S)
        assert bus.times_connected == 2


async def test_a_start_during_which_dbus_goes(units: Units) -> None:
    """A start whose outcome cannot be heard any more has failed; the unit's state is seen all the same."""
    unit = units.add("t-lost", "Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 1")
    async with connected() as bus:
        it = service(bus, unit)
        starting = asyncio.create_task(it.start(1))
        while not (await it.observe()).jobs:
            await asyncio.sleep(0.01)
        systemctl("stop", "dbus.socket", "dbus.service")
        try:
            assert not await starting
            assert (await it.observe()).jobs
        finally:
            systemctl("start", "dbus.socket", "dbus.service")
        await asyncio.wait_for(bus.ready.wait(), LIMIT_S)
        assert await it.stop()


async def test_nothing_answers_at_all(units: Units) -> None:
    """With neither D-Bus nor systemctl a service counts as there, with jobs: the safe reading."""
    from acmd.drivers.systemd import SystemdBus

    bus = SystemdBus("unix:path=/nonexistent")
    assert not await bus.open(limit_s=0.2)
    direct = Path("/run/systemd/private")
    hidden = Path("/run/systemd/private.hidden")
    systemctl("stop", "dbus.socket", "dbus.service")
    direct.rename(hidden)
    try:
        seen = await service(bus, "t-unknown.service").observe()
    finally:
        hidden.rename(direct)
        systemctl("start", "dbus.socket", "dbus.service")
    assert (seen.state, seen.processes, seen.jobs) == ("unknown", True, True)
    assert "PID 1 cannot be asked" in seen.detail
    await bus.close()


async def test_pid_1_re_executes_itself(units: Units) -> None:
    """After a re-execution of PID 1 (an upgrade of systemd) changes are heard as before."""
    unit = units.add("t-reexec", SLEEP)
    async with connected() as bus:
        it = service(bus, unit)
        assert await it.start(1)
        await it.observe()
        systemctl("daemon-reexec")
        await until(lambda: bus.times_connected >= 2 and bus.ready.is_set())
        assert (await it.observe()).state == "running"
        await asyncio.sleep(0.1)
        it.changed.clear()
        kill_hard(main_pid(unit))
        await asyncio.wait_for(it.changed.wait(), LIMIT_S)
        while (await it.observe()).state == "running":
            await asyncio.sleep(0.01)


async def test_facts_for_checks_and_presets(units: Units) -> None:
    """Aliases, units that start at boot and generated units are told apart."""
    unit = units.add("t-boot", f"{SLEEP}\n[Install]\nWantedBy=multi-user.target")
    async with connected() as bus:
        assert not (await facts(unit, bus)).starts_by_itself
        systemctl("enable", "-q", unit)
        systemctl("daemon-reload")
        assert (await facts(unit, bus)).starts_by_itself
        systemctl("disable", "-q", unit)
        systemctl("daemon-reload")
        assert not (await facts(unit, bus)).starts_by_itself
        found = await first_found(["aspera_mysqld.service", "mysqld.service", "mariadb.service"], bus)
        assert found is not None
        assert (found.unit, found.load) == ("mariadb.service", "loaded")
        assert await first_found(["aspera_httpd.service"], bus) is None


async def test_paths_of_control_groups() -> None:
    """Slices nest by their dashes, and names that look like a controller's file are escaped."""
    (path,) = paths_of("a.service", "", "acmd-active-x.slice")
    assert path == "/sys/fs/cgroup/acmd.slice/acmd-active.slice/acmd-active-x.slice/a.service"
    assert paths_of("a.service", "", "-.slice") == {"/sys/fs/cgroup/a.service"}
    assert "/sys/fs/cgroup/system.slice/_memory.service" in paths_of("memory.service", "", "system.slice")
    assert not populated(["/sys/fs/cgroup/not-there"])
