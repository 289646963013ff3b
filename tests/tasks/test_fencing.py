"""`tasks.fencing` under virtual time."""

from __future__ import annotations

import asyncio

from acmd.core.timing import NS_PER_S
from acmd.tasks.fencing import KEPT, Fencing
from tests.fakes.clock import FakeClock
from tests.tasks.kit import Log, SteeredAgent
from tests.tasks.virtual_time import until, virtual


def fencing(clock: FakeClock, agent: SteeredAgent | None) -> Fencing:
    """The task over this agent."""
    return Fencing(agent, clock, asyncio.Event(), Log())


@virtual
async def test_one_run_for_a_host_at_a_time(clock: FakeClock) -> None:
    """However often a host is asked for while its run is under way, there is one; hosts run in parallel."""
    agent = SteeredAgent("b", "c")
    task = fencing(clock, agent)
    for _ in range(10):
        task.request("b")
        task.request("c")
        await asyncio.sleep(0.1)
    assert agent.runs == ["b", "c"]
    assert await until(lambda: len(task.confirmed()) == 2) < 2
    await task.close()


@virtual
async def test_a_confirmation_speaks_of_the_time_after_asking(clock: FakeClock) -> None:
    """`asked` is the moment at which the run began, not at which it ended; the heartbeat is woken."""
    task = fencing(clock, SteeredAgent("b", takes_s=7))
    asked = clock.now()
    task.request("b")
    await until(task.confirmed)
    (confirmed,) = task.confirmed()
    assert (confirmed.host, confirmed.asked) == ("b", asked)
    assert task.changed.is_set()
    assert not task.failed()


@virtual
async def test_a_failure_is_told_once(clock: FakeClock) -> None:
    """A run that failed shows in exactly one observation, and confirms nothing."""
    task = fencing(clock, SteeredAgent())
    task.request("b")
    await until(task.changed.is_set)
    assert [task.failed(), task.failed()] == [True, False]
    assert task.confirmed() == ()


@virtual
async def test_an_operators_word_ends_a_failure(clock: FakeClock) -> None:
    """Said to be off by a person, the host does not count as one that could not be confirmed any more."""
    task = fencing(clock, SteeredAgent())
    task.request("b")
    await until(task.changed.is_set)
    assert task.details()["failed"] == ["b"]
    task.confirm("b", clock.now())
    assert task.details()["failed"] == []


@virtual
async def test_after_a_failure_it_pauses_before_the_next_try(clock: FakeClock) -> None:
    """Asked all the time, it tries again five seconds after the end of a run that failed."""
    agent = SteeredAgent(takes_s=1)
    task = fencing(clock, agent)
    for _ in range(200):
        task.request("b")
        await asyncio.sleep(0.1)
    assert 3 <= len(agent.runs) <= 4
    agent.works.add("b")
    while not task.confirmed():
        task.request("b")
        await asyncio.sleep(0.1)
    await asyncio.sleep(0)
    task.request("b")  # a success is no reason for a pause: a later epoch asks anew
    await until(lambda: len(task.confirmed()) == 2, 2)


@virtual
async def test_what_is_kept_is_bounded(clock: FakeClock) -> None:
    """Of all confirmations ever, the newest are kept, oldest first."""
    task = fencing(clock, None)
    for number in range(5 * KEPT):
        clock.advance(NS_PER_S)
        task.confirm(f"h{number}", clock.now())
    assert len(task.confirmed()) <= KEPT + 1
    assert task.confirmed()[-1].host == f"h{5 * KEPT - 1}"
    assert task.confirmed()[0].asked < task.confirmed()[-1].asked


@virtual
async def test_without_an_agent_only_operators_confirm(clock: FakeClock) -> None:
    """A request does nothing then, and says so in `available`."""
    task = fencing(clock, None)
    task.request("b")
    await asyncio.sleep(60)
    assert (task.available, task.failed(), task.confirmed()) == (False, False, ())
    assert fencing(clock, SteeredAgent()).available


@virtual
async def test_closing_ends_what_is_under_way(clock: FakeClock) -> None:
    """A run that never ends does not outlive the task, and is no failure."""
    agent = SteeredAgent(takes_s=10**6)
    task = fencing(clock, agent)
    task.request("b")
    await asyncio.sleep(1)
    await task.close()
    await asyncio.sleep(0)
    assert agent.under_way == []
    assert not task.failed()
