"""`tasks.supervision` under virtual time: services that an operator keeps stopped, or looks after himself."""

from __future__ import annotations

import asyncio

from acmd.core.observation import Mode
from acmd.core.orders import Held
from tests.fakes.clock import FakeClock
from tests.tasks.kit import SlowService
from tests.tasks.test_supervision import group as in_order
from tests.tasks.test_supervision import kept_alive, log_of
from tests.tasks.test_supervision_services import group, running, unit
from tests.tasks.virtual_time import beside, until, virtual

STOPPED = Held("stopped", "alice", 1_700_000_000, "index", epoch=7)
PAUSED = Held("paused", "alice", 1_700_000_000, "index", epoch=7)


@virtual
async def test_a_stopped_service_stays_down_at_no_cost(clock: FakeClock) -> None:
    """It is stopped and not started again; nothing fails, and what only comes after it runs on."""
    web, last = SlowService("web"), SlowService("last")
    it = group(clock, unit(web), unit(last))
    it.units[1].plan = unit(last, "web").plan.__class__(after=("web",))

    async def test() -> None:
        await until(lambda: it.view().all_up)
        it.units[0].held = STOPPED
        it.poke.set()
        await until(lambda: not web.lives)
        await asyncio.sleep(700)
        assert (web.starts, last.starts) == (1, 1)
        assert it.view().all_up
        assert not it.view().failed
        assert it.units[0].failures.total == 0
        last.die()
        await until(lambda: last.starts == 2, 30)
        it.units[0].held = None
        await until(lambda: web.starts == 2, 5)

    await running(it, test)


@virtual
async def test_a_stop_that_did_not_help_is_repeated(clock: FakeClock) -> None:
    """What still lives of it is stopped again, and called no stray."""
    web = SlowService("web")
    it = group(clock, unit(web), gated=True)

    async def test() -> None:
        it.request(Mode.RUN, 7, clock.now())
        await until(lambda: it.view().all_up)
        web.ignores_stop = True
        it.units[0].held = STOPPED
        it.poke.set()
        await until(lambda: web.calls.count("stop") == 1)
        await until(lambda: not web.lives)
        assert "kill" in web.calls
        assert not it.units[0].stray

    await beside(it.run(), test)


@virtual
async def test_a_paused_service_is_left_alone(clock: FakeClock) -> None:
    """Neither its end nor what its probes say matters; on resuming it is looked after as before."""
    web = SlowService("web")
    it = group(clock, unit(web))

    async def test() -> None:
        await until(lambda: it.view().all_up)
        it.units[0].held = PAUSED
        it.units[0].ailing = "its probe fails"
        it.poke.set()
        await asyncio.sleep(10)
        assert web.calls.count("stop") == 0
        web.die()
        await asyncio.sleep(700)
        assert web.starts == 1
        assert not it.view().failed
        it.units[0].held, it.units[0].ailing = None, ""
        await until(lambda: web.starts == 2, 5)
        assert it.units[0].failures.total == 0

    await running(it, test)


@virtual
async def test_what_requires_a_stopped_service_goes_down_with_it(clock: FakeClock) -> None:
    """An operator's stop is a stop like any other to what cannot do without."""
    database, web = SlowService("database"), SlowService("web")
    it = group(clock, unit(database), unit(web, "database"))

    async def test() -> None:
        await until(lambda: it.view().all_up)
        it.units[0].held = STOPPED
        it.poke.set()
        await until(lambda: not web.lives and not database.lives)
        await asyncio.sleep(60)
        assert not web.lives
        it.units[0].held = None
        await until(lambda: it.view().all_up, 5)

    await running(it, test)


@virtual
async def test_losing_the_lease_ends_it_all(clock: FakeClock) -> None:
    """A paused service stops with the others, and in the next epoch nothing is held any more."""
    web = SlowService("web")
    it = group(clock, unit(web), gated=True)

    async def test() -> None:
        it.request(Mode.RUN, 7, clock.now())
        await until(lambda: it.view().all_up)
        it.units[0].held = PAUSED
        it.request(Mode.RUN, 7, clock.now())
        await asyncio.sleep(2)
        assert it.units[0].held == PAUSED
        it.request(Mode.STOP, 7, None)
        await until(lambda: it.view().mode is Mode.STOP and it.view().gone)
        it.request(Mode.RUN, 9, clock.now())
        await until(lambda: it.view().all_up and web.lives)
        assert it.units[0].held is None

    await beside(it.run(), test)


@virtual
async def test_a_service_that_is_barred_is_not_started(clock: FakeClock) -> None:
    """It costs nothing else: what follows it starts, the group counts as up; once free it is started."""
    web, later = SlowService("web"), SlowService("later")
    supervised = in_order(clock, [web, later], {"later": ("web",)})
    why = {"web": "the guard does not know it"}
    supervised.bar = lambda name: why.get(name, "")

    async def test() -> None:
        await until(lambda: supervised.view().all_up)
        await asyncio.sleep(20)
        assert (web.calls, later.calls) == ([], ["start 7"])
        assert log_of(supervised).count("service-barred") == 1
        why.clear()
        await until(lambda: web.calls, 2)

    await kept_alive(supervised, clock, test)


@virtual
async def test_what_ran_already_is_restarted_though_it_is_barred(clock: FakeClock) -> None:
    """It crashes, or is to be restarted, under a guard that does not know it: down would be no safer."""
    web = SlowService("web")
    supervised = in_order(clock, [web])

    async def test() -> None:
        await until(lambda: supervised.view().all_up)
        supervised.bar = lambda _: "the guard does not know it"
        web.die()
        supervised.poke.set()
        await until(lambda: web.starts > 1, 10)
        await until(lambda: supervised.view().all_up, 10)
        supervised.units[0].restart = "asked for"
        supervised.poke.set()
        await until(lambda: web.starts > 2, 20)

    await kept_alive(supervised, clock, test)
