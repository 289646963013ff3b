"""`tasks.attendance` under virtual time: services of every node, and maintenance of all."""

from __future__ import annotations

import asyncio

from acmd.core.observation import Intent, Mode
from acmd.tasks.attendance import Attendance
from tests.fakes.clock import FakeClock
from tests.tasks.kit import SlowService
from tests.tasks.test_supervision_services import group, unit
from tests.tasks.virtual_time import beside, until, virtual

UNKNOWN, RUNNING, MAINTENANCE = Intent(known=False), Intent(), Intent(all_disabled=True)


@virtual
async def test_in_maintenance_of_all_they_are_left_alone(clock: FakeClock) -> None:
    """One that ends or is stopped by hand stays down, also for a daemon that starts; after it, it starts."""
    for restarted in (False, True):
        web = SlowService("web")
        it = group(clock, unit(web))
        attendance = Attendance(it)

        async def test(attendance: Attendance = attendance, web: SlowService = web) -> None:
            it = attendance.group
            attendance.notice(MAINTENANCE)
            await until(lambda: it.view().mode is Mode.HANDS_OFF)
            assert attendance.left_alone
            web.die()
            it.poke.set()
            await asyncio.sleep(60)
            assert not web.lives
            attendance.notice(RUNNING)
            assert not attendance.left_alone
            await until(lambda: web.lives, 2)

        async def whole(
            attendance: Attendance = attendance, web: SlowService = web, restarted: bool = restarted
        ) -> None:
            attendance.notice(UNKNOWN)
            await asyncio.sleep(2)
            assert attendance.group.mode is None
            if not restarted:
                attendance.notice(RUNNING)
                await until(lambda: web.lives)
            await test()

        await beside(it.run(), whole)


@virtual
async def test_they_wait_for_orders_but_not_for_ever(clock: FakeClock) -> None:
    """Storage that does not answer keeps no service of every node down."""
    web = SlowService("web")
    it = group(clock, unit(web))
    attendance = Attendance(it)

    async def test() -> None:
        for _ in range(10):
            attendance.notice(UNKNOWN)
            await asyncio.sleep(1)
        assert web.lives
        assert not attendance.left_alone

    await beside(it.run(), test)


@virtual
async def test_a_restart_that_was_asked_for_outlives_maintenance(clock: FakeClock) -> None:
    """What it was asked for was changed meanwhile; the service does not run on with the old."""
    web = SlowService("web")
    it = group(clock, unit(web))
    attendance = Attendance(it)

    async def test() -> None:
        attendance.notice(RUNNING)
        await until(lambda: it.view().all_up)
        attendance.notice(MAINTENANCE)
        await until(lambda: it.view().mode is Mode.HANDS_OFF)
        it.units[0].restart = "its file was changed"
        await asyncio.sleep(5)
        assert web.starts == 1
        attendance.notice(RUNNING)
        await until(lambda: web.starts == 2, 5)

    await beside(it.run(), test)
