"""`tasks.supervision` under virtual time, over services without processes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from acmd.core.observation import Mode
from acmd.core.restart import Budget
from acmd.core.timing import NS_PER_S, Instant
from acmd.ports import Service, ServiceStatus
from acmd.tasks.service_rows import service_row
from acmd.tasks.supervision import Group, Plan, Unit
from tests.fakes.clock import FakeClock
from tests.tasks.kit import Log, SlowService, SteeredDrain
from tests.tasks.virtual_time import beside, until, virtual

RENEW_NS = 6 * NS_PER_S
BUDGET = Budget(limit=2, window_ns=60 * NS_PER_S, first_pause_ns=NS_PER_S, longest_pause_ns=4 * NS_PER_S)


def group(
    clock: FakeClock,
    services: Iterable[Service],
    after: dict[str, tuple[str, ...]] | None = None,
    drain: SteeredDrain | None = None,
    *,
    gated: bool = True,
) -> Group:
    """A group of these services; `after` says which one starts after which."""
    units = [
        Unit(one, Plan((after or {}).get(one.name, ()), BUDGET), ServiceStatus(one.name, "active"))
        for one in services
    ]
    return Group(units, clock, asyncio.Event(), RENEW_NS, drain or SteeredDrain(), Log(), gated=gated)


def log_of(supervised: Group) -> Log:
    """Its log."""
    assert isinstance(supervised.log, Log)
    return supervised.log


async def kept_alive(supervised: Group, clock: FakeClock, test: Callable[[], Awaitable[None]]) -> None:
    """The group's loop beside the test, with a heartbeat that asks RUN of epoch 7 anew each second."""

    async def renew() -> None:
        while supervised.mode in (None, Mode.RUN) and supervised._wanted is None:
            supervised.request(Mode.RUN, 7, clock.now())
            await asyncio.sleep(1)

    async def both() -> None:
        renewing = asyncio.create_task(renew())
        try:
            await test()
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    await beside(supervised.run(), both)


# ---------------------------------------------------------------- order


@virtual
async def test_starts_in_order_and_stops_in_reverse(clock: FakeClock) -> None:
    """A service starts once those that it comes after run, and stops before them."""
    journal: list[str] = []
    services = [SlowService(name, journal, start_s=1, stop_s=1) for name in ("web", "app", "database")]
    supervised = group(clock, services, {"web": ("app",), "app": ("database",)})

    async def test() -> None:
        await until(lambda: supervised.view().all_up)
        assert journal == [
            f"{verb} {name}" for name in ("database", "app", "web") for verb in ("start", "started")
        ]
        journal.clear()
        supervised.request(Mode.STOP, 7, None)
        await until(lambda: supervised.view().gone)
        assert journal == [
            f"{verb} {name}" for name in ("web", "app", "database") for verb in ("stop", "stopped")
        ]

    await kept_alive(supervised, clock, test)


@virtual
async def test_independent_services_start_and_stop_in_parallel(clock: FakeClock) -> None:
    """Three services of 2 s each that do not name one another take 2 s, not 6."""
    supervised = group(clock, [SlowService(name, start_s=2, stop_s=2) for name in "abc"])

    async def test() -> None:
        assert await until(lambda: supervised.view().all_up) < 2.5
        supervised.request(Mode.STOP, 7, None)
        assert await until(lambda: supervised.view().gone) < 2.5

    await kept_alive(supervised, clock, test)


@virtual
async def test_a_name_that_is_not_here_holds_nothing_up(clock: FakeClock) -> None:
    """`after` a service that does not run on this node is no reason to wait."""
    supervised = group(clock, [SlowService("web")], {"web": ("elsewhere",)})

    async def test() -> None:
        await until(lambda: supervised.view().all_up, 1)

    await kept_alive(supervised, clock, test)


# ---------------------------------------------------------------- permission


@virtual
async def test_each_start_asks_for_the_deadline_anew(clock: FakeClock) -> None:
    """The second service is not started when R passes while the first one starts."""
    journal: list[str] = []
    services = [SlowService("first", journal, start_s=5), SlowService("second", journal)]
    supervised = group(clock, services, {"second": ("first",)})
    issued = clock.now()

    async def test() -> None:
        supervised.request(Mode.RUN, 7, Instant(issued[0] - 2 * NS_PER_S, issued[1] - 2 * NS_PER_S))
        await asyncio.sleep(30)
        assert journal == ["start first", "started first"]
        supervised.request(Mode.RUN, 7, clock.now())
        await until(lambda: "started second" in journal, 2)

    await beside(supervised.run(), test)


@virtual
async def test_waiting_for_the_deadline_costs_no_spinning(clock: FakeClock) -> None:
    """Without permission to start, supervision looks some ten times a second, and not thousands of times."""
    service = SlowService("web")
    looks = 0
    observe = service.observe

    class Counting(SlowService):
        async def observe(self) -> ServiceStatus:
            nonlocal looks
            looks += 1
            return await observe()

    supervised = group(clock, [Counting("web")])

    async def test() -> None:
        supervised.request(Mode.RUN, 7, None)
        await asyncio.sleep(10)
        assert looks < 150
        assert service.starts == 0

    await beside(supervised.run(), test)


@virtual
async def test_a_suspended_host_starts_nothing(clock: FakeClock) -> None:
    """Time that only CLOCK_BOOTTIME saw counts: after a suspend the permission is gone."""
    service = SlowService("web")
    supervised = group(clock, [service])

    async def test() -> None:
        supervised.request(Mode.RUN, 7, clock.now())
        clock.advance(10 * NS_PER_S, raw_ns=0)
        await asyncio.sleep(5)
        assert service.starts == 0

    await beside(supervised.run(), test)


@virtual
async def test_services_of_every_node_need_no_lease(clock: FakeClock) -> None:
    """A group that is not gated starts without any deadline."""
    supervised = group(clock, [SlowService("agent")], gated=False)

    async def test() -> None:
        supervised.request(Mode.RUN, -1, None)
        await until(lambda: supervised.view().all_up, 1)

    await beside(supervised.run(), test)


@virtual
async def test_nothing_is_done_before_anything_was_asked(clock: FakeClock) -> None:
    """Without a request what runs is looked at and left alone."""
    service = SlowService("web")
    await service.start(6)
    service.journal.clear()
    supervised = group(clock, [service])

    async def test() -> None:
        await asyncio.sleep(10)
        assert (supervised.view().mode, supervised.view().processes) == (None, True)
        assert not service.journal

    await beside(supervised.run(), test)


# ---------------------------------------------------------------- stop, kill, hands off


@virtual
async def test_stop_cancels_starts_under_way(clock: FakeClock) -> None:
    """A start that hangs does not keep a stop waiting, and does not come through later."""
    service = SlowService("web", start_s=1000)
    supervised = group(clock, [service])

    async def test() -> None:
        await until(lambda: service.lives)
        supervised.request(Mode.STOP, 7, None)
        assert await until(lambda: supervised.view().gone) < 1
        await asyncio.sleep(2000)
        assert (service.starts, service.lives) == (0, False)

    await kept_alive(supervised, clock, test)


@virtual
async def test_a_stop_that_is_ignored_ends_in_a_kill(clock: FakeClock) -> None:
    """When the stop limit has passed the service is killed, and the log says so."""
    service = SlowService("web", stop_s=10)
    supervised = group(clock, [service])

    async def test() -> None:
        await until(lambda: supervised.view().all_up)
        service.ignores_stop = True
        supervised.request(Mode.STOP, 7, None)
        assert 10 <= await until(lambda: supervised.view().gone) < 11
        assert log_of(supervised).count("service-stop-late") == 1

    await kept_alive(supervised, clock, test)


@virtual
async def test_kill_overtakes_a_stop(clock: FakeClock) -> None:
    """At K a graceful stop under way is cut short."""
    service = SlowService("web", stop_s=1000)
    supervised = group(clock, [service])

    async def test() -> None:
        await until(lambda: supervised.view().all_up)
        supervised.request(Mode.STOP, 7, None)
        await asyncio.sleep(3)
        supervised.request(Mode.KILL, 7, None)
        assert await until(lambda: supervised.view().gone) < 0.5

    await kept_alive(supervised, clock, test)


@virtual
async def test_kills_are_repeated_but_not_hammered(clock: FakeClock) -> None:
    """What does not die is killed about five times a second, all at once and in no order."""
    journal: list[str] = []
    services = [SlowService(name, journal) for name in ("web", "database")]
    supervised = group(clock, services, {"web": ("database",)})

    async def test() -> None:
        await until(lambda: supervised.view().all_up)
        journal.clear()
        for service in services:
            service.immortal = True
        supervised.request(Mode.KILL, 7, None)
        await asyncio.sleep(2)
        assert 8 <= journal.count("kill web") <= 12
        assert journal[:2] == ["kill web", "kill database"]
        for service in services:
            service.immortal = False
        await until(lambda: supervised.view().gone, 0.5)

    await kept_alive(supervised, clock, test)


@virtual
async def test_what_cannot_be_known_is_stopped_again_and_again(clock: FakeClock) -> None:
    """A service of which nothing is known never counts as gone."""
    service = SlowService("web")
    service.unknown = True
    supervised = group(clock, [service])

    async def test() -> None:
        supervised.request(Mode.STOP, -1, None)
        await asyncio.sleep(5)
        assert not supervised.view().gone
        assert service.calls.count("stop") > 1
        service.unknown = False
        await until(lambda: supervised.view().gone, 1)

    await beside(supervised.run(), test)


@virtual
async def test_hands_off(clock: FakeClock) -> None:
    """In maintenance nothing is stopped, killed or started again, whatever happens to the services."""
    service = SlowService("web")
    supervised = group(clock, [service])

    async def test() -> None:
        await until(lambda: supervised.view().all_up)
        supervised.request(Mode.HANDS_OFF, 7, None)
        await until(lambda: supervised.view().mode is Mode.HANDS_OFF)
        service.die()
        supervised.poke.set()
        await asyncio.sleep(100)
        assert service.calls == ["start 7"]
        supervised.request(Mode.RUN, 7, clock.now())
        await until(lambda: supervised.view().all_up, 1)
        assert not supervised.view().failed

    await kept_alive(supervised, clock, test)


@virtual
async def test_hands_off_lets_a_start_come_to_its_end(clock: FakeClock) -> None:
    """What is just starting when maintenance begins comes to run, nothing else is started, a stop ends it."""
    for ends_by in (None, Mode.STOP, Mode.KILL):
        journal: list[str] = []
        database, web = SlowService("database", journal, start_s=5), SlowService("web", journal)
        supervised = group(clock, [database, web], {"web": ("database",)})
        log = log_of(supervised)

        async def test(
            supervised: Group = supervised,
            journal: list[str] = journal,
            ends_by: Mode | None = ends_by,
        ) -> None:
            await until(lambda: "start database" in journal)
            supervised.request(Mode.HANDS_OFF, 7, None)
            await until(lambda: supervised.view().mode is Mode.HANDS_OFF)
            if ends_by is not None:
                supervised.request(ends_by, 7, None)
                assert await until(lambda: supervised.view().gone) < 1
                assert "cancelled database" in journal
                return
            await until(lambda: "started database" in journal, 6)
            await asyncio.sleep(60)
            assert journal == ["start database", "started database"]
            down = [service_row(one, "active", clock.now(), supervised.stops) for one in supervised.units]
            assert "detail" not in down[0]
            assert down[1]["detail"] == "acmd starts nothing while the whole cluster is disabled"
            supervised.request(Mode.RUN, 7, clock.now())
            await until(lambda: supervised.view().all_up, 1)
            assert "detail" not in service_row(supervised.units[1], "active", clock.now(), supervised.stops)

        await kept_alive(supervised, clock, test)
        assert log.count("service-start-failed") == 0


# ---------------------------------------------------------------- restarts


@virtual
async def test_a_service_that_ends_is_started_again_until_its_budget_is_spent(clock: FakeClock) -> None:
    """First at once, then after pauses that double; the third failure within the window is one too many."""
    service = SlowService("web")
    supervised = group(clock, [service])
    pauses = []

    async def test() -> None:
        await until(lambda: supervised.view().all_up)
        for starts in (2, 3):
            service.die()
            supervised.poke.set()
            pauses.append(round(await until(lambda starts=starts: service.starts == starts), 1))  # type: ignore[misc]
            await until(lambda: supervised.view().all_up)
            assert not supervised.view().failed
        assert pauses == [0.0, 1.0]
        service.die()
        supervised.poke.set()
        await until(lambda: supervised.view().failed, 1)
        assert log_of(supervised).count("service-ended") == 3

    await kept_alive(supervised, clock, test)


@virtual
async def test_a_service_that_ends_before_it_was_seen_running_spends_its_budget_too(clock: FakeClock) -> None:
    """A program that starts and ends within a moment, again and again, is a failure and no tight loop."""
    service = SlowService("web")
    service.dies_at_once = True
    supervised = group(clock, [service])

    async def test() -> None:
        await until(lambda: supervised.view().failed, 5)
        assert service.starts <= 4

    await kept_alive(supervised, clock, test)


@virtual
async def test_a_start_that_is_refused_spends_the_budget(clock: FakeClock) -> None:
    """A program that cannot be executed counts as a failure each time."""
    service = SlowService("web")
    service.refuses = "no such file"
    supervised = group(clock, [service])

    async def test() -> None:
        await until(lambda: supervised.view().failed, 5)
        assert service.calls.count("start 7") <= 4
        assert log_of(supervised).count("service-start-failed") >= 3

    await kept_alive(supervised, clock, test)


@virtual
async def test_failures_are_forgotten_with_a_new_epoch(clock: FakeClock) -> None:
    """What failed under an earlier epoch does not count against the next one."""
    service = SlowService("web")
    service.refuses = "no such file"
    supervised = group(clock, [service])

    async def test() -> None:
        supervised.request(Mode.RUN, 7, clock.now())
        await until(lambda: supervised.view().failed, 5)
        service.refuses = ""
        supervised.request(Mode.STOP, 7, None)
        await until(lambda: supervised.view().gone)
        supervised.request(Mode.RUN, 9, clock.now())
        await until(lambda: supervised.view().all_up, 1)
        assert not supervised.view().failed
        assert service.epoch == 9

    await beside(supervised.run(), test)


@virtual
async def test_an_end_while_stopping_is_no_failure(clock: FakeClock) -> None:
    """Services that end because they were told to do not spend their budget."""
    supervised = group(clock, [SlowService("web")])

    async def test() -> None:
        await until(lambda: supervised.view().all_up)
        supervised.request(Mode.STOP, 7, None)
        await until(lambda: supervised.view().gone)
        assert not log_of(supervised).count("service-ended")
        assert not supervised.view().failed

    await kept_alive(supervised, clock, test)


@virtual
async def test_an_operation_that_breaks_is_logged_and_not_fatal(clock: FakeClock) -> None:
    """A driver that raises, against its contract, costs that operation and not the daemon."""

    class Breaking(SlowService):
        async def start(self, epoch: int) -> bool:
            raise OSError(12, "Cannot allocate memory")

    supervised = group(clock, [Breaking("web")])

    async def test() -> None:
        await asyncio.sleep(2)
        assert "Cannot allocate memory" in log_of(supervised).last("service-operation-failed")["error"]
        assert log_of(supervised).count("service-operation-failed") < 50

    await kept_alive(supervised, clock, test)


# ---------------------------------------------------------------- seeing


@virtual
async def test_the_view_never_says_gone_from_before_the_request(clock: FakeClock) -> None:
    """'Gone' under a request rests on a look and a sync that began after it."""

    class Slow(SlowService):
        async def observe(self) -> ServiceStatus:
            found = await super().observe()
            await asyncio.sleep(0.5)
            return found

    drain = SteeredDrain()
    supervised = group(clock, [Slow("web")], drain=drain)
    asked: list[int] = []

    async def test() -> None:
        supervised.request(Mode.STOP, -1, None)
        await until(lambda: supervised.view().gone)
        await asyncio.sleep(0.2)  # a look that began before is under way
        asked.append(drain.asked)
        supervised.request(Mode.STOP, 7, None)
        while supervised.view().epoch != 7:
            assert supervised.view().epoch == -1
            await asyncio.sleep(0.01)
        assert not supervised.view().gone
        await until(lambda: supervised.view().gone)
        assert drain.asked > asked[0]

    await beside(supervised.run(), test)


@virtual
async def test_gone_needs_the_proof_that_all_has_landed(clock: FakeClock) -> None:
    """Ended processes are not enough: their file systems are synced first."""
    drain = SteeredDrain(takes_s=3)
    supervised = group(clock, [SlowService("web")], drain=drain)

    async def test() -> None:
        await until(lambda: supervised.view().all_up)
        supervised.request(Mode.STOP, 7, None)
        await until(lambda: not supervised.view().processes)
        assert not supervised.view().gone
        assert 2.5 < await until(lambda: supervised.view().gone) < 3.5

    await kept_alive(supervised, clock, test)


@virtual
async def test_a_sync_that_fails_is_tried_again_at_a_bounded_rate(clock: FakeClock) -> None:
    """While the storage is away a sync is tried a few times a second, and its success is enough."""
    drain = SteeredDrain(good=False)
    supervised = group(clock, [SlowService("web")], drain=drain)

    async def test() -> None:
        supervised.request(Mode.STOP, -1, None)
        await asyncio.sleep(10)
        assert not supervised.view().gone
        assert 10 <= drain.asked <= 60
        drain.good = True
        await until(lambda: supervised.view().gone, 1)

    await beside(supervised.run(), test)


@virtual
async def test_a_sync_from_before_something_came_back_proves_nothing(clock: FakeClock) -> None:
    """A stray that wrote while a sync was under way needs another sync."""
    drain = SteeredDrain(takes_s=5)
    service = SlowService("web")
    supervised = group(clock, [service], drain=drain)

    async def test() -> None:
        supervised.request(Mode.STOP, -1, None)
        await until(lambda: drain.asked == 1)
        await service.start(6)  # by itself, against all orders
        supervised.poke.set()
        await until(lambda: not service.lives)
        assert drain.ended == 0
        await until(lambda: supervised.view().gone)
        assert drain.asked == 2

    await beside(supervised.run(), test)


@virtual
async def test_a_new_view_wakes_the_heartbeat(clock: FakeClock) -> None:
    """`changed` is set when the view has changed, and only then."""
    supervised = group(clock, [SlowService("web")])

    async def test() -> None:
        supervised.request(Mode.STOP, -1, None)
        await until(lambda: supervised.view().gone)
        supervised.changed.clear()
        await asyncio.sleep(30)
        assert not supervised.changed.is_set()

    await beside(supervised.run(), test)


@virtual
async def test_a_newer_deadline_counts_at_once(clock: FakeClock) -> None:
    """A renewal moves the deadline without a look at the services in between."""
    supervised = group(clock, [])

    async def test() -> None:
        supervised.request(Mode.RUN, 7, clock.now())
        await until(lambda: supervised.view().mode is Mode.RUN)
        later = clock.now()
        supervised.request(Mode.RUN, 7, later)
        assert supervised.issued == later
        assert not supervised.poke.is_set()

    await beside(supervised.run(), test)


@virtual
async def test_the_latest_request_counts(clock: FakeClock) -> None:
    """Of two requests that come before the next look, the first is never acted on."""
    service = SlowService("web")
    supervised = group(clock, [service])

    async def test() -> None:
        supervised.request(Mode.RUN, 7, clock.now())
        supervised.request(Mode.KILL, 7, None)
        await until(lambda: supervised.view().gone)
        assert not service.journal

    await beside(supervised.run(), test)


@virtual
async def test_ending_leaves_the_services_to_whoever_comes_after(clock: FakeClock) -> None:
    """When the loop ends, operations under way are cancelled and running services stay."""
    journal: list[str] = []
    services = [SlowService("web", journal), SlowService("slow", journal, start_s=1000)]
    drain = SteeredDrain(takes_s=1000)
    supervised = group(clock, services, drain=drain)

    async def test() -> None:
        await until(lambda: services[0].state == "running" and services[1].lives)

    await kept_alive(supervised, clock, test)
    await asyncio.sleep(0)
    assert services[0].lives
    assert "cancelled slow" in journal
    empty = group(clock, [], drain=drain)

    async def drains() -> None:
        empty.request(Mode.STOP, 7, None)
        await until(lambda: drain.asked == 1)

    await beside(empty.run(), drains)
    await asyncio.sleep(2000)
    assert drain.ended == 0
