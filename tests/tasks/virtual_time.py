"""An event loop whose time is a `FakeClock`: where it would wait, the clock jumps. No test really sleeps."""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from acmd.core.timing import NS_PER_S
from tests.fakes.clock import FakeClock

STEP_S = 0.01


class NothingWillHappen(RuntimeError):
    """All tasks wait, and no timer is set: in real time the test would hang."""


class JumpingSelector(selectors.DefaultSelector):
    """Finds what is ready now; instead of waiting it moves the clock to the loop's next timer."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As the real one, in no time."""
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise NothingWillHappen
        self._clock.advance(math.ceil(timeout * NS_PER_S))
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its time is the clock's raw one; a suspend (`advance` with another `raw_ns`) does not fire timers."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(JumpingSelector(clock))
        self._virtual = clock

    def time(self) -> float:
        """Seconds."""
        return self._virtual.now().raw_ns / NS_PER_S


def virtual(test: Callable[[FakeClock], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test that is a coroutine in virtual time, and gets the clock."""

    def run() -> None:
        clock = FakeClock()
        with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
            runner.run(test(clock))

    run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
    return run


async def until(happened: Callable[[], object], limit_s: float = 60.0) -> float:
    """Let virtual time pass until it has happened; how long that took, in seconds. Fails at the limit."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not happened():
        if loop.time() - began > limit_s:
            raise AssertionError(f"did not happen within {limit_s:g} s")
        await asyncio.sleep(STEP_S)
    return loop.time() - began


async def beside(work: Coroutine[Any, Any, Any], test: Callable[[], Awaitable[None]]) -> None:
    """Run a loop of `acmd.tasks` while the test goes on; end it afterwards, and show what broke it."""
    task = asyncio.ensure_future(work)
    try:
        await test()
    finally:
        if not task.done():
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    if not task.cancelled() and task.exception() is not None:
        task.result()
