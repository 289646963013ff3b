"""What an `ocf` agent may hold beside processes and addresses: an agent of shell, the guard's own look."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from acmd.drivers.scripts.action import Place
from acmd.drivers.scripts.held import orphans
from acmd.drivers.scripts.ocf import OcfAgent, OcfService, describe
from acmd.guard.ladder import Ladder

pytestmark = pytest.mark.asyncio
SCRIPT = """#!/bin/sh
cd {directory}
case $1 in
meta-data) echo '<resource-agent name="Fs"><parameters/><actions><action name="start" timeout="20s"/>
<action name="stop" timeout="20s"/><action name="monitor" timeout="20s"/></actions></resource-agent>';;
start) {start};;
stop) rm -f mounted;;
monitor) {monitor};;
esac
"""
MONITOR = "[ -e mounted ] || exit 7"


class Agent:
    """One that "mounts" by making a file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.mounted = directory / "mounted"
        self.mark = directory / "services/fs.held"

    def write(self, start: str = "touch mounted", monitor: str = MONITOR) -> None:
        """The program anew."""
        path = self.directory / "resource.d/test/Fs"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SCRIPT.format(directory=self.directory, start=start, monitor=monitor))
        path.chmod(0o755)

    async def made(self, start: str = "touch mounted", place: Place | None = None) -> OcfService:
        """The service, as a daemon makes it."""
        self.write(start)
        services = str(self.directory / "services")
        agent = OcfAgent(
            "fs", "test", "Fs", root=str(self.directory), services_dir=services, place=place or Place()
        )
        return OcfService(agent, await describe(agent))

    def guard_sees(self) -> bool:
        """Whether the guard says that something lives."""
        return Ladder(str(self.directory / "services")).look()[0]


async def until(holds: Callable[[], bool]) -> None:
    """Wait for it; fail when it does not come."""
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come")


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    return Agent(tmp_path)


async def test_from_before_the_start_until_it_is_gone(agent: Agent) -> None:
    """The mark is there before the agent acts; the guard goes by it."""
    it = await agent.made(start=f"[ -e {agent.mark} ] && touch mounted")
    assert not agent.guard_sees()
    assert await it.start(4)
    assert agent.guard_sees()
    assert await it.stop()
    assert not agent.mark.exists()
    assert not agent.guard_sees()


async def test_what_runs_without_a_mark_gets_one(agent: Agent) -> None:
    """Started by a version that made none, or by hand, and seen running by this daemon."""
    it = await agent.made()
    agent.mounted.touch()
    assert (await it.observe()).state == "running"
    assert agent.guard_sees()


async def test_a_start_that_was_cut_short(agent: Agent) -> None:
    """What the kernel (here: another session) still does for it may come after the monitor's word: only a
    stop that succeeds makes it gone, also for the daemon that comes after.
    """
    it = await agent.made(start="setsid sh -c 'sleep 1; touch mounted'")
    task = asyncio.create_task(it.start(4))
    await until(agent.mark.exists)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    for one in (it, await agent.made()):
        seen = await one.observe()
        assert (seen.state, seen.processes) == ("failed", True)
        assert "cut short" in seen.detail
    assert agent.guard_sees()
    await until(agent.mounted.exists)
    assert await it.stop()
    assert not agent.mounted.exists()
    assert not agent.guard_sees()


async def test_what_is_killed_may_finish_while_the_monitor_looks(agent: Agent) -> None:
    """Its group is looked at before the monitor is asked, too: a mount in between is not missed."""
    end = [time.monotonic() + 60]

    class Group(Place):
        """A group whose last process ends when it has mounted."""

        def populated(self) -> bool:
            return time.monotonic() < end[0]

    it = await agent.made(place=Group())
    agent.write(monitor="[ -e mounted ] || { sleep 0.4; exit 7; }")
    agent.mark.parent.mkdir()
    agent.mark.touch()
    end[0] = time.monotonic() + 0.2
    asyncio.get_running_loop().call_later(0.19, agent.mounted.touch)
    assert (await it.observe()).processes
    assert agent.mark.exists()


async def test_an_agent_that_is_no_more_installed(agent: Agent) -> None:
    """Its tool went with a package while it holds: that it is not installed does not make it gone."""
    it = await agent.made()
    assert await it.start(4)
    agent.write(monitor="exit 5")
    it._monitor.forget()
    assert (await it.observe()).processes
    assert agent.guard_sees()


async def test_marks_that_nobody_keeps_are_found(agent: Agent) -> None:
    """A service that was renamed or taken out while it ran: nobody gives its mark back, status says so."""
    it = await agent.made()
    assert await it.start(4)
    services = str(agent.directory / "services")
    assert orphans(services, ["fs"]) == []
    assert orphans(services, ["data"]) == ["fs"]
    assert orphans(f"{services}/none", []) == []
