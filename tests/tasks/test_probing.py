"""`tasks.probing` under virtual time: failing probes, grace after a start, what a reading speaks of."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from acmd.core.observation import Mode
from acmd.core.restart import Budget
from acmd.core.timing import NS_PER_S
from acmd.drivers.probes import Reading, Threshold
from acmd.ports import ServiceStatus
from acmd.tasks.probing import Watch
from acmd.tasks.supervision import Group, Plan, Unit
from tests.fakes.clock import FakeClock
from tests.tasks.kit import Log, SlowService, SteeredDrain
from tests.tasks.virtual_time import beside, until, virtual

BUDGET = Budget(limit=3, window_ns=600 * NS_PER_S, first_pause_ns=NS_PER_S, longest_pause_ns=4 * NS_PER_S)
INTERVAL_S = 2.0


@dataclass
class SteeredProbe:
    """A probe whose readings a test chooses."""

    name: str = "answers"
    good: bool = True
    warning: str = ""
    takes_s: float = 0.0
    runs: int = 0
    at: list[float] = field(default_factory=list)

    async def run(self) -> Reading:
        """What the test wants, after `takes_s`."""
        self.runs += 1
        self.at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.takes_s)
        facts = {"warning": self.warning}
        return Reading(self.good, "" if self.good else "no answer", facts=facts)


@dataclass
class Bed:
    """A group of one service with one probe, running."""

    clock: FakeClock
    probe: SteeredProbe = field(default_factory=SteeredProbe)
    grace_s: float = 0.0

    def __post_init__(self) -> None:
        self.service = SlowService("web")
        unit = Unit(self.service, Plan((), BUDGET), ServiceStatus("web", "all"))
        self.group = Group([unit], self.clock, asyncio.Event(), NS_PER_S, SteeredDrain(), Log(), gated=False)
        self.log = Log()
        self.watch = Watch(
            unit, self.probe, Threshold(3, 1), INTERVAL_S, self.grace_s, self.group.poke, self.log
        )
        self.group.request(Mode.RUN, -1, None)

    async def run(self) -> None:
        """Supervision and probing."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.group.run())
            tasks.create_task(self.watch.run())


@virtual
async def test_a_failing_service_is_restarted_once(clock: FakeClock) -> None:
    """Three bad readings in a row: it is stopped and started, which counts as one failure."""
    bed = Bed(clock)

    async def test() -> None:
        await until(lambda: bed.probe.runs == 1)
        bed.probe.good = False
        await until(lambda: bed.service.starts == 2, 3 * INTERVAL_S + 2)
        bed.probe.good = True
        assert bed.service.calls == ["start -1", "stop", "start -1"]
        assert bed.group.units[0].failures.total == 1
        await asyncio.sleep(30)
        assert bed.service.starts == 2

    await beside(bed.run(), test)


@virtual
async def test_two_bad_readings_are_none_of_its_business(clock: FakeClock) -> None:
    """Below the threshold nothing happens, and a good reading starts the count anew."""
    bed = Bed(clock)

    async def test() -> None:
        for _ in range(5):
            await until(lambda: bed.probe.runs % 3 == 1)
            bed.probe.good = False
            await until(lambda: bed.probe.runs % 3 == 0)
            bed.probe.good = True
        assert bed.service.starts == 1

    await beside(bed.run(), test)


@virtual
async def test_a_probe_that_always_fails_spends_the_budget(clock: FakeClock) -> None:
    """Restarts that help nothing end in a service that cannot be kept up."""
    bed = Bed(clock)
    bed.probe.good = False

    async def test() -> None:
        await until(lambda: bed.group.view().failed, 120)
        assert bed.group.units[0].failures.total == BUDGET.limit + 1

    await beside(bed.run(), test)


@virtual
async def test_a_service_that_is_starting_has_its_grace(clock: FakeClock) -> None:
    """Bad readings do not count before the first good one, for as long as a start may take; then they do."""
    bed = Bed(clock, grace_s=30)
    bed.probe.good = False

    async def test() -> None:
        await asyncio.sleep(25)
        assert bed.service.starts == 1
        await until(lambda: bed.service.starts == 2, 15)
        bed.probe.good = True
        runs = bed.probe.runs
        await until(lambda: bed.probe.runs > runs + 1)
        bed.probe.good = False
        assert await until(lambda: bed.service.starts == 3) < 4 * INTERVAL_S, "it has answered: no grace"

    await beside(bed.run(), test)


@virtual
async def test_runs_never_overlap_and_keep_their_interval(clock: FakeClock) -> None:
    """A probe that takes longer than its interval is not run twice at a time."""
    bed = Bed(clock, SteeredProbe(takes_s=3))

    async def test() -> None:
        await until(lambda: bed.probe.runs == 4)
        gaps = [later - earlier for earlier, later in zip(bed.probe.at, bed.probe.at[1:], strict=False)]
        assert min(gaps) >= 3 + INTERVAL_S - 0.01

    await beside(bed.run(), test)


@virtual
async def test_a_reading_of_an_earlier_run_counts_for_nothing(clock: FakeClock) -> None:
    """The service ended while it was probed: the bad reading is not held against the one that runs now."""
    bed = Bed(clock, SteeredProbe(takes_s=1))
    bed.watch.judge = Threshold(1, 1)

    async def test() -> None:
        await until(lambda: bed.probe.runs == 1)
        bed.probe.good = False
        bed.service.die()
        bed.group.poke.set()
        await until(lambda: bed.service.starts == 2)
        bed.probe.good = True
        await asyncio.sleep(10)
        assert bed.service.starts == 2
        assert bed.group.units[0].failures.total == 1

    await beside(bed.run(), test)


@virtual
async def test_what_does_not_run_is_not_probed(clock: FakeClock) -> None:
    """A stopped service is asked nothing."""
    bed = Bed(clock)
    bed.service.refuses = "no"

    async def test() -> None:
        await asyncio.sleep(20)
        assert bed.probe.runs == 0

    await beside(bed.run(), test)


@virtual
async def test_a_probe_that_cannot_see_all(clock: FakeClock) -> None:
    """A good reading with a warning costs nothing: it is logged once and shown until it is gone."""
    bed = Bed(clock)
    remarks: dict[str, str] = {}
    bed.watch.remark = remarks.__setitem__

    async def test() -> None:
        await until(lambda: bed.probe.runs == 1)
        bed.probe.warning = "no login"
        await until(lambda: bed.probe.runs == 5)
        assert list(remarks.values()) == ["web, probe answers: no login"]
        assert bed.log.count("probe-blind") == 1
        bed.probe.warning = ""
        await until(lambda: bed.probe.runs == 7)
        assert list(remarks.values()) == [""]
        assert bed.service.starts == 1

    await beside(bed.run(), test)
