"""The guard's own questions to PID 1, against a real one; runs inside of a host."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator

import pytest

from acmd.guard.jobs import PRIVATE, SYSTEM_BUS, UnitJobs
from tests.hosts.inside_units import Units, made_units, systemctl

LIMIT_S = 3.0
SLEEP = "ExecStart=/bin/sleep infinity"


@pytest.fixture
def units() -> Iterator[Units]:
    yield from made_units()


@pytest.fixture
def ask() -> Iterator[Callable[..., UnitJobs]]:
    """Makes questioners, and closes them."""
    made: list[UnitJobs] = []

    def make(*arguments: tuple[str, ...]) -> UnitJobs:
        made.append(UnitJobs(*arguments))
        return made[-1]

    yield make
    for jobs in made:
        jobs.close()


def told(jobs: UnitJobs, wanted: bool, limit_s: float = LIMIT_S) -> bool:
    """Whether it says so within the limit, asked as the guard asks: at each answer, and every 50 ms."""
    until = time.monotonic() + limit_s
    while jobs.pending() is not wanted:
        if time.monotonic() > until:
            return False
        select.select([jobs.handle] if jobs.handle >= 0 else [], [], [], 0.05)
    return True


def settled(jobs: UnitJobs) -> bool:
    """What it says once it was asked anew and had the time to answer."""
    jobs.forget()
    for _ in range(6):
        jobs.pending()
        time.sleep(0.05)
    return jobs.pending()


@pytest.mark.parametrize("path", [PRIVATE, SYSTEM_BUS])
def test_what_a_unit_can_be(units: Units, ask: Callable[..., UnitJobs], path: str) -> None:
    """Down, or unknown: nothing pends. Active, starting, about to restart: something does."""
    unit = units.add("j-plain", SLEEP)
    jobs = ask((unit, "j-there-is-no-such.service"), (path,))
    assert jobs.pending(), "nobody has answered yet"
    assert told(jobs, False), jobs.fault
    systemctl("start", unit)
    assert settled(jobs)
    systemctl("stop", unit)
    assert not settled(jobs)
    slow = units.add("j-slow", f"Type=notify\n{SLEEP}")
    jobs = ask((slow,), (path,))
    systemctl("start", "--no-block", slow)
    assert settled(jobs)
    systemctl("stop", slow)
    assert not settled(jobs)
    again = units.add("j-again", "ExecStart=/bin/false\nRestart=always\nRestartSec=30")
    jobs = ask((again,), (path,))
    systemctl("start", again, check=False)
    assert settled(jobs)
    assert jobs.fault == ""


def test_calm_it_asks_once_in_a_while(units: Units, ask: Callable[..., UnitJobs]) -> None:
    """A unit that is not loaded: each question makes PID 1 speak. Calm, that does not lead to the next one; a
    start is seen all the same, and after `forget` it is asked at once.
    """
    unit = units.add("j-calm", SLEEP)
    jobs = ask((unit,), (PRIVATE,))
    assert told(jobs, False), jobs.fault
    jobs.calm = True
    before = jobs._serial
    assert not told(jobs, True, limit_s=2.0)
    assert 1 <= jobs._serial - before <= 4
    systemctl("start", unit)
    assert told(jobs, True, limit_s=1.5)
    systemctl("stop", unit)
    assert told(jobs, False)
    before = jobs._serial
    jobs.forget()
    assert jobs.pending()
    assert jobs._serial == before + 1


def test_stop_takes_the_place_of_a_start(units: Units, ask: Callable[..., UnitJobs]) -> None:
    """At K each unit gets a stop job: a queued start and systemd's own restart are over."""
    slow = units.add("j-slow", f"Type=notify\n{SLEEP}")
    again = units.add("j-again", "ExecStart=/bin/false\nRestart=always\nRestartSec=30")
    jobs = ask((slow, again))
    systemctl("start", "--no-block", slow)
    systemctl("start", again, check=False)
    assert settled(jobs)
    jobs.stop()
    assert told(jobs, False)


def test_what_was_said_before_counts_no_more(units: Units, ask: Callable[..., UnitJobs]) -> None:
    """After `forget` nothing is known until PID 1 was asked anew."""
    jobs = ask((units.add("j-plain", SLEEP),))
    assert told(jobs, False)
    jobs.forget()
    assert jobs.pending()
    assert told(jobs, False)


def test_nobody_there(ask: Callable[..., UnitJobs]) -> None:
    """No socket, and one that hangs up: pending, and the reason is said."""
    for path in ("/run/none", "/run/systemd/journal/stdout"):
        jobs = ask(("x.service",), (path,))
        assert not told(jobs, False, 0.5)
        assert "PID 1 cannot be asked" in jobs.fault
    assert not ask(()).pending(), "without units there is nothing to ask"


def test_it_costs_no_busy_loop(units: Units, ask: Callable[..., UnitJobs]) -> None:
    """Asked again and again as answers come, it asks PID 1 at most every 40 ms."""
    jobs = ask((units.add("j-plain", SLEEP),))
    count: Callable[[], int] = lambda: jobs._serial  # noqa: E731
    assert told(jobs, False)
    before, until = count(), time.monotonic() + 1
    while time.monotonic() < until:
        jobs.pending()
        time.sleep(0.001)
    assert 10 <= count() - before <= 26
