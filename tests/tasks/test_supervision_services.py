"""`tasks.supervision` under virtual time: what services mean for one another, for the lease, and strays."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from acmd.core.observation import Mode
from acmd.core.orders import Held
from acmd.core.restart import Budget
from acmd.core.timing import NS_PER_S
from acmd.ports import ServiceStatus
from acmd.tasks.supervision import Group, Plan, Unit
from tests.fakes.clock import FakeClock
from tests.tasks.kit import Log, SlowService, SteeredDrain
from tests.tasks.virtual_time import beside, until, virtual

BUDGET = Budget(limit=2, window_ns=600 * NS_PER_S, first_pause_ns=NS_PER_S, longest_pause_ns=4 * NS_PER_S)


def unit(service: SlowService, *requires: str, critical: bool = True) -> Unit:
    """A service that requires others."""
    plan = Plan(tuple(requires), BUDGET, tuple(requires), critical)
    return Unit(service, plan, ServiceStatus(service.name, service.runs_on))


def group(clock: FakeClock, *units: Unit, gated: bool = False) -> Group:
    """Services of every node, unless `gated`."""
    return Group(list(units), clock, asyncio.Event(), 6 * NS_PER_S, SteeredDrain(), Log(), gated=gated)


async def running(it: Group, test: Callable[[], Awaitable[None]]) -> None:
    """The group in mode RUN beside the test."""
    it.request(Mode.RUN, -1, None)
    await beside(it.run(), test)


@virtual
async def test_what_requires_a_service_goes_down_with_it(clock: FakeClock) -> None:
    """The required one ends: the dependent is stopped, and starts after it; that is no failure of its own."""
    journal: list[str] = []
    database, web = SlowService("database", journal, start_s=2), SlowService("web", journal)
    it = group(clock, unit(database), unit(web, "database"))

    async def test() -> None:
        await until(lambda: it.view().all_up)
        journal.clear()
        database.die()
        it.poke.set()
        await until(lambda: "stopped web" in journal)
        await until(lambda: it.view().all_up)
        assert journal.index("stopped web") < journal.index("started database") < journal.index("start web")
        assert [one.failures.total for one in it.units] == [1, 0]

    await running(it, test)


@virtual
async def test_what_requires_a_service_waits_for_it(clock: FakeClock) -> None:
    """While the required one does not come up, the dependent is not started, also across groups."""
    database, web = SlowService("database"), SlowService("web")
    database.refuses = "no"
    others = group(clock, unit(database))
    it = group(clock, unit(web, "database"))
    it.beside = others
    others.request(Mode.RUN, -1, None)

    async def test() -> None:
        await asyncio.sleep(10)
        assert web.starts == 0
        database.refuses = ""
        await until(lambda: it.view().all_up)
        database.die()
        await until(lambda: "stop" in web.calls)
        await until(lambda: it.view().all_up and others.view().all_up)

    await running(it, lambda: beside(others.run(), test))


@virtual
async def test_only_critical_services_fail_the_group(clock: FakeClock) -> None:
    """A spent budget shows in the view only for a critical service; the other is tried again for ever."""
    for critical in (True, False):
        bad = SlowService("bad")
        bad.refuses = "no"
        it = group(clock, unit(bad, critical=critical), unit(SlowService("good")))

        async def test(it: Group = it, bad: SlowService = bad, critical: bool = critical) -> None:
            await asyncio.sleep(30)
            assert it.view().failed is critical
            tries = len(bad.calls)
            await until(lambda: len(bad.calls) > tries, 10)

        await running(it, test)


@virtual
async def test_a_restart_that_was_asked_for_is_no_failure(clock: FakeClock) -> None:
    """`restart` stops and starts it once, at once."""
    web = SlowService("web")
    it = group(clock, unit(web))

    async def test() -> None:
        await until(lambda: it.view().all_up)
        it.units[0].restart = "its file was changed"
        it.poke.set()
        assert await until(lambda: web.starts == 2) < 1
        await asyncio.sleep(10)
        assert web.starts == 2
        assert it.units[0].failures.total == 0

    await running(it, test)


class Revived(SlowService):
    """A unit with Restart=: its manager starts it again, and says how often."""

    unasked = 0
    seen_down = False

    async def start(self, epoch: int) -> bool:
        """A start job waits for the restart that is pending."""
        await until(lambda: not self.seen_down)
        return await super().start(epoch)

    async def observe(self) -> ServiceStatus:
        """As PID 1 says it."""
        status = await super().observe()
        status.unasked = self.unasked
        if self.seen_down:
            status.state, status.jobs = "stopped", True
        return status


@virtual
async def test_restarts_by_its_own_manager_spend_the_budget(clock: FakeClock) -> None:
    """A unit that crashes and is back before anybody looks is no service that can be kept up."""
    for seen_down in (False, True):
        web = Revived("web")
        it = group(clock, unit(web))
        log = it.log
        assert isinstance(log, Log)

        async def test(it: Group = it, web: Revived = web, seen_down: bool = seen_down) -> None:
            web.unasked = 7  # from before this daemon
            await until(lambda: it.view().all_up)
            for crashes in (1, 2, 3):
                assert not it.view().failed
                web.seen_down = seen_down  # for a moment, before it is started again
                await asyncio.sleep(1.5)
                web.seen_down, web.unasked = False, web.unasked + 1
                await asyncio.sleep(1.5)
                assert it.units[0].failures.total == crashes
            assert it.view().failed
            assert web.starts == 1
            web.unasked = 0  # counted anew after a start
            await asyncio.sleep(2)
            assert it.units[0].failures.total == 3

        await running(it, test)
        assert log.count("service-ended") == 3


@virtual
async def test_a_paused_service_restarts_as_it_likes(clock: FakeClock) -> None:
    """While an operator has it, restarts by its manager are no failures, nor are they afterwards."""
    web = Revived("web")
    it = group(clock, unit(web))

    async def test() -> None:
        await until(lambda: it.view().all_up)
        it.units[0].held = Held("paused", "alice", 1_700_000_000, "index", epoch=7)
        web.unasked = 9
        await asyncio.sleep(2)
        it.units[0].held = None
        await asyncio.sleep(2)
        assert it.units[0].failures.total == 0

    await running(it, test)


@virtual
async def test_strays_are_stopped_and_reported(clock: FakeClock) -> None:
    """What runs at the start, or appears later, without a lease: stopped, and said once each time."""
    database = SlowService("database", stop_s=1)
    await database.start(-1)
    it = group(clock, unit(database), gated=True)
    log = it.log
    assert isinstance(log, Log)
    it.request(Mode.STOP, -1, None)

    async def test() -> None:
        await until(lambda: it.units[0].stray)
        await until(lambda: it.view().gone)
        assert (log.count("service-stray"), it.units[0].stray) == (1, False)
        await database.start(-1)
        it.poke.set()
        await until(lambda: log.count("service-stray") == 2)
        await until(lambda: it.view().gone)

    await beside(it.run(), test)


@virtual
async def test_an_orderly_stop_is_no_stray(clock: FakeClock) -> None:
    """The services of an epoch that is given up are acmd's own; what comes after they were gone is not."""
    database = SlowService("database", stop_s=1)
    await database.start(7)
    it = group(clock, unit(database), gated=True)
    log = it.log
    assert isinstance(log, Log)
    it.request(Mode.STOP, 7, None)

    async def test() -> None:
        await until(lambda: it.view().gone)
        assert log.count("service-stray") == 0
        await database.start(7)
        it.poke.set()
        await until(lambda: log.count("service-stray") == 1)

    await beside(it.run(), test)
