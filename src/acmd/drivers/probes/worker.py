"""Blocking calls in a thread that can be given up: neither the loop nor the process's end waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from acmd.drivers.probes.probe import CheckFailed

T = TypeVar("T")


class Worker:
    """One blocking call at a time. A call that was given up and still hangs refuses the next one.

    The thread is a daemon thread on purpose: the event loop's own pool would be waited for at exit.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether a call has not returned yet."""
        return self._thread is not None and self._thread.is_alive()

    async def run(self, call: Callable[[], T]) -> T:
        """What the call returns or raises. CheckFailed when an earlier call still hangs."""
        if self.busy:
            raise CheckFailed("an earlier check has not returned yet")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def deliver(result: T | None, error: Exception | None) -> None:
            if done.done():
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)  # type: ignore[arg-type]

        def work() -> None:
            result: T | None = None
            error: Exception | None = None
            try:
                result = call()
            except Exception as raised:  # noqa: BLE001 - handed to the caller as it is
                error = raised
            try:
                loop.call_soon_threadsafe(deliver, result, error)
            except RuntimeError:
                return  # The loop was closed meanwhile: nobody waits any more.

        self._thread = threading.Thread(target=work, name=f"probe-{self.name}", daemon=True)
        self._thread.start()
        return await done
