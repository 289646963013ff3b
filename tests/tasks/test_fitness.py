"""`tasks.fitness` under virtual time: what makes a node unfit, for how long, and what is shown."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from acmd.tasks.fitness import Check, Fitness
from acmd.tasks.heartbeat import Wishes
from tests.fakes.clock import FakeClock
from tests.tasks.kit import Log
from tests.tasks.virtual_time import beside, until, virtual


@dataclass
class Answer:
    """What a check finds."""

    because: str = ""
    takes_s: float = 0.0
    asked: int = 0

    async def ask(self) -> str:
        """As the test wants."""
        self.asked += 1
        await asyncio.sleep(self.takes_s)
        return self.because


def fitness(*answers: Answer, fail_after: int = 1, on_data: bool = False) -> Fitness:
    """One check of 10 s for each answer."""
    checks = [
        Check(f"c{number}", answer.ask, 10.0, 5.0, fail_after, 2, on_data)
        for number, answer in enumerate(answers)
    ]
    return Fitness(checks, Wishes(), asyncio.Event(), Log())


@virtual
async def test_nothing_is_fit_before_it_was_checked(clock: FakeClock) -> None:
    """A node with checks is no candidate until each of them was good once; without any it is one at once."""
    slow, quick = Answer(takes_s=3), Answer()
    it = fitness(slow, quick)
    assert not it.wishes.fit
    assert it.wishes.unfit_because == "c0: not checked yet; c1: not checked yet"

    async def test() -> None:
        await until(lambda: it.wishes.unfit_because == "c0: not checked yet", 1)
        assert 2.5 < await until(lambda: it.wishes.fit) < 3.5
        assert it.changed.is_set()

    await beside(it.run(), test)
    assert fitness().wishes.fit


@virtual
async def test_thresholds_both_ways(clock: FakeClock) -> None:
    """Two failures in a row make it unfit, with the reason; two successes make it fit again."""
    answer = Answer()
    it = fitness(answer, fail_after=2)

    async def test() -> None:
        await until(lambda: it.wishes.fit)
        answer.because = "read-only"
        await until(lambda: answer.asked == 2)
        assert it.wishes.fit
        await until(lambda: not it.wishes.fit)
        assert answer.asked == 3
        assert it.wishes.unfit_because == "c0: read-only"
        answer.because = ""
        await until(lambda: it.wishes.fit)
        assert answer.asked == 5

    await beside(it.run(), test)


@virtual
async def test_a_check_that_hangs_has_failed(clock: FakeClock) -> None:
    """Its own limit ends it, whatever it waits for; the others go on."""
    hangs, good = Answer(takes_s=1000), Answer()
    it = fitness(hangs, good)

    async def test() -> None:
        await until(lambda: "no answer within 5 s" in it.wishes.unfit_because, 6)
        await until(lambda: hangs.asked == 2 and good.asked == 2)

    await beside(it.run(), test)


@virtual
async def test_dead_data_are_told_apart(clock: FakeClock) -> None:
    """Only checks of data hand over a node that is active; one that was never asked does not."""
    dead, other = Answer("/data does not answer"), Answer("no")
    data, program = fitness(dead, on_data=True), fitness(other)
    assert data.dead_data == ""

    async def test() -> None:
        await until(lambda: data.dead_data == "/data does not answer")
        assert program.dead_data == ""

    await beside(asyncio.wait([asyncio.ensure_future(it.run()) for it in (data, program)]), test)


@virtual
async def test_remarks_are_shown_and_cost_nothing(clock: FakeClock) -> None:
    """A remark stands beside the reasons, and goes away again."""
    it = fitness()
    it.remark("interlock", "a MySQL server answers")
    assert (it.wishes.fit, it.wishes.unfit_because) == (True, "a MySQL server answers")
    it.remark("interlock", "")
    assert (it.wishes.fit, it.wishes.unfit_because) == (True, "")
