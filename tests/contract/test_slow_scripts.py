"""Agents and init scripts whose look takes as long as a test wants, as real programs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from acmd.drivers.scripts.ocf import OcfAgent, OcfService, describe
from acmd.drivers.scripts.sysv import SysvScript, SysvService

pytestmark = pytest.mark.asyncio

SCRIPT = """#!/bin/sh
cd {place}
echo $1 >> calls
case $1 in
meta-data) echo '<resource-agent name="Slow"><parameters/><actions><action name="start" timeout="20s"/>
<action name="stop" timeout="20s"/><action name="monitor" timeout="20s"/></actions></resource-agent>';;
start) touch runs;;
stop) rm -f runs;;
monitor|status) while [ ! -e go ]; do sleep 0.02; done; [ -e runs ] || exit {down};;
esac
"""
Service = OcfService | SysvService


async def agent(place: Path) -> Service:
    """As an OCF agent."""
    path = place / "resource.d" / "test" / "Slow"
    path.parent.mkdir(parents=True)
    path.write_text(SCRIPT.format(place=place, down=7))
    path.chmod(0o755)
    made = OcfAgent("slow", "test", "Slow", root=str(place))
    return OcfService(made, await describe(made))


async def init_script(place: Path) -> Service:
    """As an init script."""
    path = place / "init"
    path.write_text(SCRIPT.format(place=place, down=3))
    path.chmod(0o755)
    return SysvService(SysvScript("slow", str(path), status_limit_s=20.0))


def looks(place: Path) -> int:
    """How often it was asked."""
    calls = (place / "calls").read_text().split()
    return calls.count("monitor") + calls.count("status")


@pytest.mark.parametrize("kind", [agent, init_script])
async def test_a_look_under_way_outlives_kills_and_is_told(
    kind: Callable[[Path], Awaitable[Service]], tmp_path: Path
) -> None:
    """It counts as living meanwhile, is the only one, and its answer is there at the first look after it."""
    it = await kind(tmp_path)
    for _ in range(3):
        seen = await it.observe()
        assert (seen.pending, seen.processes, seen.jobs, seen.state) == (True, True, True, "unknown")
        await it.kill()
    (tmp_path / "go").touch()
    async with asyncio.timeout(10):
        while (seen := await it.observe()).pending:
            continue
    assert (seen.state, seen.processes, seen.jobs) == ("stopped", False, False)
    assert seen.looked_s is not None
    assert seen.looked_s < asyncio.get_running_loop().time() - 1.0
    assert looks(tmp_path) == 1


@pytest.mark.parametrize("kind", [agent, init_script])
async def test_what_a_start_or_stop_found_is_not_asked_again(
    kind: Callable[[Path], Awaitable[Service]], tmp_path: Path
) -> None:
    """The status after it is that of its own look, though the next one hangs."""
    it = await kind(tmp_path)
    go = tmp_path / "go"
    go.touch()
    assert await it.start(1)
    go.unlink()
    seen = await it.observe()
    assert (seen.state, seen.pending, seen.processes) == ("running", False, True)
    go.touch()
    assert await it.stop()
    go.unlink()
    before = looks(tmp_path)
    async with asyncio.timeout(20):
        while looks(tmp_path) == before:  # the answer is fresh, then one that hangs is under way
            seen = await it.observe()
            assert (seen.state, seen.pending, seen.processes) == ("stopped", False, False)
    go.touch()
