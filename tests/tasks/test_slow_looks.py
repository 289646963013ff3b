"""Supervision over the real drivers of scripts, under virtual time: looks slower than anything else.

The scripts are played by `Script`, which answers with what was so when it was asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from acmd.core.observation import Mode
from acmd.core.timing import NS_PER_S
from acmd.drivers.scripts.action import Place
from acmd.drivers.scripts.metadata import Metadata
from acmd.drivers.scripts.ocf import OcfAgent, OcfService
from acmd.drivers.scripts.program import Ended
from acmd.drivers.scripts.sysv import SysvScript, SysvService
from acmd.ports import ServiceStatus
from acmd.tasks.supervision import Group, Plan, Unit
from tests.fakes.clock import FakeClock
from tests.tasks.kit import Log, SteeredDrain
from tests.tasks.virtual_time import beside, until, virtual

LIMIT_S = 20.0
SLOW_S = (0.2, 0.7, 3.0)


@dataclass
class Script:
    """An agent or init script: what its actions take, and what they did."""

    down: int  # its code for "it does not run"
    look_s: float = 0.7
    start_s: float = 0.0
    stop_s: float = 0.0
    lives: bool = False
    calls: list[str] = field(default_factory=list)

    async def act(self, action: str, limit_s: float) -> Ended:
        """One call of it."""
        self.calls.append(action)
        lived = self.lives
        try:
            async with asyncio.timeout(limit_s):
                await asyncio.sleep({"start": self.start_s, "stop": self.stop_s}.get(action, self.look_s))
        except TimeoutError:
            return Ended(None)
        if action in ("start", "stop"):
            self.lives = action == "start"
            return Ended(0)
        return Ended(0 if lived else self.down)


@dataclass(frozen=True)
class Played(Place):
    """A place in which that script runs, with a control group that nothing lives in."""

    script: Script = field(default_factory=lambda: Script(7))

    async def run(
        self, argv: tuple[str, ...], environment: Mapping[str, str], limit_s: float, start: bool
    ) -> Ended:
        """Start or stop."""
        del environment, start
        return await self.script.act(argv[-1], limit_s)

    async def look(self, argv: tuple[str, ...], environment: Mapping[str, str], limit_s: float) -> Ended:
        """Ask it."""
        del environment
        return await self.script.act(argv[-1], limit_s)

    def kill(self) -> None:
        """All of it ends."""
        self.script.lives = False


def agent(script: Script) -> OcfService:
    """An OCF agent that says 7 for down."""
    limits = dict.fromkeys(("start", "stop", "monitor"), LIMIT_S)
    return OcfService(
        OcfAgent("web", "test", "Odd", place=Played(script=script)), Metadata("Odd", {}, limits, 10.0)
    )


def init_script(script: Script) -> SysvService:
    """An init script that says 3 for down, with no unit."""
    return SysvService(
        SysvScript("web", "/etc/init.d/web", "active", LIMIT_S, LIMIT_S, LIMIT_S, Played(script=script))
    )


KINDS: tuple[tuple[Callable[[Script], OcfService | SysvService], int], ...] = ((agent, 7), (init_script, 3))


def group(clock: FakeClock, service: OcfService | SysvService) -> tuple[Group, Log, SteeredDrain]:
    """That service alone, active-only."""
    log, drain = Log(), SteeredDrain()
    unit = Unit(service, Plan(), ServiceStatus("web", "active"))
    return Group([unit], clock, asyncio.Event(), 600 * NS_PER_S, drain, log), log, drain


@virtual
async def test_a_slow_look_keeps_no_node_out(clock: FakeClock) -> None:
    """An idle node's service is gone after its first look, and stays so: no stop, no stray, one sync."""
    for kind, down in KINDS:
        for look_s in SLOW_S:
            script = Script(down, look_s)
            it, log, drain = group(clock, kind(script))

            async def test(it: Group = it, look_s: float = look_s) -> None:
                it.request(Mode.STOP, -1, None)
                assert await until(lambda: it.view().gone) < look_s + 0.5
                for _ in range(100):
                    await asyncio.sleep(0.23)
                    assert it.view().gone

            await beside(it.run(), test)
            assert set(script.calls) <= {"monitor", "status"}
            assert (log.count("service-stray"), drain.asked) == (0, 1)


@virtual
async def test_a_slow_look_is_needed_once_for_an_orderly_stop(clock: FakeClock) -> None:
    """Started, then stopped: one start and one stop, and gone as soon as the stop's own look says so."""
    for kind, down in KINDS:
        for look_s in SLOW_S:
            script = Script(down, look_s, stop_s=1.0)
            it, log, _ = group(clock, kind(script))

            async def test(it: Group = it, look_s: float = look_s) -> None:
                it.request(Mode.RUN, 7, clock.now())
                assert await until(lambda: it.view().all_up) < 2 * look_s + 1
                it.request(Mode.STOP, 7, None)
                assert await until(lambda: it.view().mode is Mode.STOP and it.view().gone) < look_s + 1.6

            await beside(it.run(), test)
            assert (script.calls.count("start"), script.calls.count("stop")) == (1, 1)
            assert log.count("service-stray") == 0


@virtual
async def test_kills_do_not_keep_a_slow_look_from_its_end(clock: FakeClock) -> None:
    """They come five times a second, and a look that is slower still gets to say that nothing lives."""
    for kind, down in KINDS:
        for look_s in SLOW_S:
            script = Script(down, look_s, stop_s=1000.0)
            it, _, _ = group(clock, kind(script))

            async def test(it: Group = it, script: Script = script, look_s: float = look_s) -> None:
                it.request(Mode.RUN, 7, clock.now())
                await until(lambda: it.view().all_up)
                it.request(Mode.STOP, 7, None)
                await until(lambda: "stop" in script.calls)
                it.request(Mode.KILL, 7, None)
                assert await until(lambda: it.view().mode is Mode.KILL and it.view().gone) < 2 * look_s + 1

            await beside(it.run(), test)


@virtual
async def test_gone_rests_on_a_look_that_began_after_the_request(clock: FakeClock) -> None:
    """What somebody started since the last look is not gone under the next request, but is stopped first."""
    for kind, down in KINDS:
        script = Script(down, 3.0)
        it, _, _ = group(clock, kind(script))

        async def test(it: Group = it, script: Script = script) -> None:
            it.request(Mode.STOP, -1, None)
            await until(lambda: it.view().gone)
            script.lives = True
            it.request(Mode.STOP, 7, None)
            await until(lambda: it.view().epoch == 7)
            while script.lives:
                assert not it.view().gone
                await asyncio.sleep(0.01)
            await until(lambda: it.view().gone, 10)

        await beside(it.run(), test)


@virtual
async def test_a_stray_is_found_by_a_slow_look(clock: FakeClock) -> None:
    """It is told once and stopped once."""
    for kind, down in KINDS:
        script = Script(down, 3.0)
        it, log, _ = group(clock, kind(script))

        async def test(it: Group = it, script: Script = script) -> None:
            it.request(Mode.STOP, -1, None)
            await until(lambda: it.view().gone)
            script.lives = True
            await until(lambda: not script.lives, 10)
            await until(lambda: it.view().gone, 10)
            await asyncio.sleep(30)

        await beside(it.run(), test)
        assert (log.count("service-stray"), script.calls.count("stop")) == (1, 1)


@virtual
async def test_what_may_live_is_stopped_before_a_slow_look(clock: FakeClock) -> None:
    """A start that was cut, and what a daemon before this one may have started, wait for no look."""
    for kind, down in KINDS:
        for epoch_before in (7, None):
            script = Script(down, 5.0, start_s=1000.0)
            it, _, _ = group(clock, kind(script))

            async def test(
                it: Group = it, script: Script = script, epoch_before: int | None = epoch_before
            ) -> None:
                if epoch_before is not None:
                    it.request(Mode.RUN, epoch_before, clock.now())
                    await until(lambda: "start" in script.calls)
                it.request(Mode.STOP, 7, None)
                assert await until(lambda: "stop" in script.calls) < 1
                await until(lambda: it.view().gone)

            await beside(it.run(), test)
            assert script.calls.count("stop") == 1


@virtual
async def test_a_look_that_never_answers_is_no_stray(clock: FakeClock) -> None:
    """At its limit its service is unknown: it is stopped again and again, not gone, and nobody is blamed."""
    for kind, down in KINDS:
        script = Script(down, 1000.0)
        it, log, _ = group(clock, kind(script))

        async def test(it: Group = it, script: Script = script) -> None:
            it.request(Mode.STOP, -1, None)
            await asyncio.sleep(LIMIT_S - 1)
            assert "stop" not in script.calls
            await asyncio.sleep(3 * LIMIT_S)
            assert script.calls.count("stop") >= 2
            assert not it.view().gone
            script.look_s = 0.1
            await until(lambda: it.view().gone, 2 * LIMIT_S)

        await beside(it.run(), test)
        assert log.count("service-stray") == 0


@virtual
async def test_one_that_hangs_so_that_its_look_hangs_is_started_anew(clock: FakeClock) -> None:
    """A look that came to its limit is repeated; after the second in a row it is a failure like any other."""
    for kind, down in KINDS:
        script = Script(down, 0.1)
        it, log, _ = group(clock, kind(script))

        async def test(it: Group = it, script: Script = script, log: Log = log) -> None:
            it.request(Mode.RUN, 7, clock.now())
            await until(lambda: it.view().all_up)
            script.look_s = 1000.0
            await until(lambda: it.units[0].status.state == "unknown", 2 * LIMIT_S)
            script.look_s = 0.1
            await until(lambda: it.view().all_up, 2 * LIMIT_S)
            assert script.calls.count("start") == 1
            script.look_s = 1000.0
            await until(lambda: log.count("service-ended") == 1, 4 * LIMIT_S)
            script.look_s = 0.1
            await until(lambda: script.calls.count("start") == 2, 2 * LIMIT_S)
            assert [call for call in script.calls if call in ("start", "stop")] == ["start", "stop", "start"]
            await until(lambda: it.view().all_up, 2 * LIMIT_S)

        await beside(it.run(), test)
