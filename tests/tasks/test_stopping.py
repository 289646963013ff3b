"""`tasks.stopping` under supervision: how long stops take is measured, kept, and shown."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from acmd.core.nodefile import from_content, to_content
from acmd.core.observation import Mode
from acmd.drivers.stop_times import StopTimesFile
from acmd.status import service_part
from acmd.tasks.service_rows import service_row
from acmd.tasks.stopping import KEPT, StopTimes
from acmd.tasks.supervision import Group
from tests.fakes.clock import FakeClock
from tests.tasks.kit import Log, SlowService
from tests.tasks.test_supervision import group, kept_alive
from tests.tasks.virtual_time import until, virtual
from tests.unit.test_nodefile import GOOD


async def stopped(supervised: Group, clock: FakeClock, mode: Mode = Mode.STOP) -> None:
    """Up, then down by that mode."""

    async def test() -> None:
        await until(lambda: supervised.view().all_up)
        supervised.request(Mode.STOP, 7, None)
        if mode is Mode.KILL:
            await until(lambda: supervised.units[0].doing == "stop")
            supervised.request(Mode.KILL, 7, None)
        await until(lambda: supervised.view().gone)

    await kept_alive(supervised, clock, test)


@virtual
async def test_an_orderly_stop_is_measured_and_kept(clock: FakeClock) -> None:
    """Each service its own length, not that of those it waits for; the next daemon knows it."""
    services = [SlowService("web", stop_s=1), SlowService("db", stop_s=3)]
    supervised = group(clock, services, {"web": ("db",)})
    with TemporaryDirectory() as directory:
        supervised.stops = StopTimes(StopTimesFile(Path(directory)), Log())
        await stopped(supervised, clock)
        known = StopTimes(StopTimesFile(Path(directory)), Log())
    assert known.last_s("web") == pytest.approx(1, abs=0.3)
    assert known.last_s("db") == pytest.approx(3, abs=0.3)
    assert known.last_s("other") is None


@virtual
async def test_a_stop_that_a_kill_ended(clock: FakeClock) -> None:
    """It is known to take at least so long where that is news, and nothing where it is not."""
    supervised = group(clock, [SlowService("db", stop_s=100)])
    supervised.stops.times = {"db": [50.0]}
    await stopped(supervised, clock, Mode.KILL)
    assert supervised.stops.times == {"db": [50.0]}
    supervised = group(clock, [SlowService("db", stop_s=100)])
    await stopped(supervised, clock, Mode.KILL)
    assert supervised.stops.longest_s("db") is not None


@virtual
async def test_the_last_few_are_kept(clock: FakeClock) -> None:
    """The longest is that of the last eight, and what stood still longer ago goes."""
    supervised = group(clock, [SlowService("db", stop_s=1)])
    supervised.stops.times = {"db": [90.0, *([2.0] * (KEPT - 1))]}
    await stopped(supervised, clock)
    assert len(supervised.stops.times["db"]) == KEPT
    assert supervised.stops.longest_s("db") == 2.0
    assert supervised.stops.last_s("db") == pytest.approx(1, abs=0.3)


@virtual
async def test_a_service_that_ends_by_itself_is_no_stop(clock: FakeClock) -> None:
    """Neither its end nor the start that follows measures anything."""
    service = SlowService("db")
    supervised = group(clock, [service])

    async def test() -> None:
        await until(lambda: supervised.view().all_up)
        service.die()
        await until(lambda: service.starts == 2 and supervised.view().all_up)

    await kept_alive(supervised, clock, test)
    assert supervised.stops.times == {}


@virtual
async def test_a_shelf_that_takes_nothing_is_said_once(clock: FakeClock) -> None:
    """The lengths are known all the same, until the daemon ends."""
    log = Log()
    supervised = group(clock, [SlowService("web", stop_s=1), SlowService("db", stop_s=1)])
    supervised.stops = StopTimes(StopTimesFile(Path("/nonexistent")), log)
    await stopped(supervised, clock)
    assert log.count("stop-times-unkept") == 1
    assert supervised.stops.last_s("db") is not None


def test_the_row_and_the_node_file() -> None:
    """Shown where measured, null where not, and nothing but numbers comes from another node."""
    clock = FakeClock()
    unit = group(clock, [SlowService("db")]).units[0]
    row = service_row(unit, "active", clock.now(), StopTimes(times={"db": [3.0, 1.0]}))
    assert (row["last_stop_s"], row["longest_stop_s"]) == (1.0, 3.0)
    assert service_part(service_row(unit, "active", clock.now(), StopTimes()), 0.0)["last_stop_s"] is None
    for value, kept in ((2.5, 2.5), ("soon", None), (-1.0, None)):
        wire = to_content(GOOD)
        wire["services"] = [{**row, "last_stop_s": value}]
        heard = from_content(wire)
        assert not isinstance(heard, str)
        assert heard.services[0].get("last_stop_s") == kept
