"""`guard.ladder.Drain`: the guard's own proof that what services wrote has landed, from real workers."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from acmd.guard import ladder
from acmd.guard.ladder import Drain

WAIT_S = 10.0


class Slow:
    """A drain whose proof lasts until `go_on`: its path is a FIFO that nobody has opened for writing."""

    def __init__(self, place: Path) -> None:
        self._fifo = place / "storage"
        os.mkfifo(self._fifo)
        self.drain = Drain((str(self._fifo),))
        self._open: list[int] = []

    def go_on(self) -> None:
        """The storage answers, from now on."""
        self._open.append(os.open(self._fifo, os.O_RDWR))

    def end(self) -> None:
        """With nothing left."""
        self.go_on()
        if self.drain.handle != -1:
            self.wait()
        for handle in self._open:
            os.close(handle)

    def wait(self) -> None:
        """For the end of the worker, and take its result as the guard's loop does."""
        assert select.select([self.drain.handle], [], [], WAIT_S)[0]
        self.drain.ended()


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    """Whatever takes more than a blink is slow."""
    monkeypatch.setattr(ladder, "SLOW_NS", 1_000_000)
    made = Slow(tmp_path)
    yield made
    made.end()


def until_a_fault(drain: Drain) -> str:
    """Ask it to begin, as each tick of the guard does, until it says that it is slow."""
    while not drain.fault:
        assert not drain.begin()
    return drain.fault


def test_a_slow_proof_goes_on(slow: Slow) -> None:
    """It says so, and counts when it comes: no other one was begun in its place."""
    assert slow.drain.begin()
    assert "has not returned yet" in until_a_fault(slow.drain)
    for _ in range(1000):
        assert not slow.drain.begin()
    assert not slow.drain.abandoned
    slow.go_on()
    slow.wait()
    assert slow.drain.done
    assert not slow.drain.fault


def test_what_lived_meanwhile_spoils_it(slow: Slow) -> None:
    """A proof that was under way then proves nothing, however it ends."""
    slow.drain.begin()
    slow.drain.spoil()
    slow.go_on()
    slow.wait()
    assert not slow.drain.done


def test_a_spoilt_one_is_not_waited_for(slow: Slow) -> None:
    """The next one begins at once, and the end of the other is not taken for its own."""
    slow.drain.begin()
    slow.drain.spoil()
    assert slow.drain.begin()
    assert len(slow.drain.abandoned) == 1
    slow.drain.ended()  # the loop had seen the other's end, under a handle with the same number
    assert not slow.drain.done
    slow.go_on()
    slow.wait()
    assert slow.drain.done


def test_one_that_never_comes(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up at last, and the next one may prove it."""
    monkeypatch.setattr(ladder, "PROOF_LIMIT_NS", 2_000_000)
    slow.drain = drain = Drain(slow.drain.paths)
    assert drain.begin()
    while drain.handle != -1:
        assert not drain.begin()
    assert len(drain.abandoned) == 1
    while not drain.begin():  # after a pause
        assert drain.fault
    slow.go_on()
    slow.wait()
    assert drain.done
