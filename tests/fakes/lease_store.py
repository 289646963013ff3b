"""The lease files of a directory in memory (`ports.LeaseStore`)."""

from __future__ import annotations

import asyncio
from typing import Any

from acmd.core.board import steps_of_job
from acmd.core.calls import Call, Fault, Kind, StorageFault, steps_of
from acmd.core.observation import Outcome
from acmd.core.timing import Instant
from acmd.ports import Clock
from tests.fakes.memory_directory import MemoryDirectory

_CLASS = {
    Kind.LIST: "look",
    Kind.READ: "look",
    Kind.WRITE: "write",
    Kind.LINK: "write",
    Kind.RELEASE: "release",
}
_HANG_LIMIT = {"look": 4, "write": 2, "release": 1}


class FakeLeaseStore:
    """Calls end at once, unless `stall` was called: then by `expire` (TIMEOUT) or by `resume`."""

    def __init__(self, directory: MemoryDirectory, clock: Clock) -> None:
        self.changed = asyncio.Event()
        self.directory = directory
        self.issued: list[Call] = []
        self._clock = clock
        self._stalled = False
        self._waiting: list[tuple[Call, Instant]] = []
        self._given_up: list[tuple[Call, Instant]] = []
        self._outcomes: list[Outcome] = []

    def issue(self, call: Call) -> None:
        """Start the call."""
        now = self._clock.now()
        kind = _CLASS[call.kind]
        hanging = sum(_CLASS[other.kind] == kind for other, _ in self._given_up)
        if hanging >= _HANG_LIMIT[kind] or any(_CLASS[other.kind] == kind for other, _ in self._waiting):
            self._end(Outcome(call, now, now, None, Fault.BUSY))
            return
        self.issued.append(call)
        if self._stalled:
            self._waiting.append((call, now))
        else:
            self._execute(call, now, late=False)

    def take_outcomes(self) -> tuple[Outcome, ...]:
        """What has ended since the last time; clears `changed`."""
        taken = tuple(self._outcomes)
        self._outcomes.clear()
        self.changed.clear()
        return taken

    def abandoned(self) -> int:
        """Calls given up that have not returned yet."""
        return len(self._given_up)

    async def close(self) -> None:
        """Nothing is left of what waited."""
        self._waiting.clear()
        self._given_up.clear()

    async def run_job(self, name: str, arguments: list[Any], limit_s: float) -> Any:
        """A procedure of `core.board`, as `drivers.lease_directory` runs it."""
        if self._stalled:
            raise StorageFault(Fault.TIMEOUT, "injected")
        return _as_text(self.directory.run(steps_of_job(name, arguments)))

    # -- steering -----------------------------------------------------------------------------

    def stall(self) -> None:
        """From now on nothing returns, and nothing executes."""
        self._stalled = True

    def expire(self) -> None:
        """The limit of all waiting calls has passed."""
        for call, began in self._waiting:
            self._given_up.append((call, began))
            self._end(Outcome(call, began, self._clock.now(), None, Fault.TIMEOUT))
        self._waiting.clear()

    def resume(self) -> None:
        """All that hangs executes now, and returns."""
        self._stalled = False
        given_up, waiting = self._given_up, self._waiting
        self._given_up, self._waiting = [], []
        for call, began in given_up:
            self._execute(call, began, late=True)
        for call, began in waiting:
            self._execute(call, began, late=False)

    def _execute(self, call: Call, began: Instant, late: bool) -> None:
        try:
            value = self.directory.run(steps_of(call))
        except StorageFault as failure:
            self._end(Outcome(call, began, self._clock.now(), None, failure.fault, late))
        else:
            self._end(Outcome(call, began, self._clock.now(), value, None, late))

    def _end(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self.changed.set()


def _as_text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return [_as_text(part) for part in value] if isinstance(value, tuple) else value
