"""`core.restart`: pauses that double, a budget that is spent, a window that forgets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from acmd.core.restart import Budget, Failures, after_failure, pause_ns, spent
from acmd.core.timing import NS_PER_S, Instant
from tests.unit.core_kit import at

BUDGET = Budget(limit=3, window_ns=100 * NS_PER_S, first_pause_ns=NS_PER_S, longest_pause_ns=5 * NS_PER_S)


def failures(*seconds: float, budget: Budget = BUDGET) -> Failures:
    """Failures at these moments."""
    found = Failures()
    for moment in seconds:
        found = after_failure(budget, found, at(moment))
    return found


def pause_s(found: Failures, now: float, budget: Budget = BUDGET) -> float:
    """The pause from `now`, in seconds."""
    return pause_ns(budget, found, at(now)) / NS_PER_S


def test_the_first_failure_costs_no_pause() -> None:
    """Most services that end once are best started again at once."""
    assert pause_s(Failures(), 0) == 0
    assert pause_s(failures(10), 10) == 0


def test_pauses_double_up_to_the_longest() -> None:
    """1 s, 2 s, 4 s, then never more than the longest."""
    assert [pause_s(failures(*range(n)), n - 1) for n in range(2, 6)] == [1, 2, 4, 4]
    wide = BUDGET._replace(limit=50)
    assert pause_s(failures(*[1.0] * 40, budget=wide), 1, wide) == 5


def test_a_pause_runs_out() -> None:
    """It counts from the newest failure, and never goes below nothing."""
    found = failures(0, 10)
    assert [pause_s(found, now) for now in (10, 10.25, 11, 50)] == [1, 0.75, 0, 0]


def test_a_suspend_does_not_shorten_a_pause() -> None:
    """What counts is the smaller of the two clocks: time in which the host slept is not waited."""
    found = failures(0, 10)
    assert pause_ns(BUDGET, found, Instant(60 * NS_PER_S, 10 * NS_PER_S)) == NS_PER_S


def test_the_budget() -> None:
    """Spent with the failure after the last one allowed; with a limit of none, with the first."""
    assert not spent(BUDGET, failures(1, 2, 3), at(3))
    assert spent(BUDGET, failures(1, 2, 3, 4), at(4))
    assert spent(BUDGET._replace(limit=0), failures(1), at(1))


def test_the_window_forgets() -> None:
    """Failures that lie further back than the window cost neither pause nor budget."""
    found = failures(1, 2, 3, 4)
    assert spent(BUDGET, found, at(100.9))
    assert not spent(BUDGET, found, at(101))
    assert pause_s(found, 104) == 0
    later = after_failure(BUDGET, found, at(200))
    assert (later.at, later.total) == ((at(200),), 5)


@given(st.lists(st.integers(0, 1000), max_size=60).map(sorted))
def test_what_is_remembered_is_bounded(moments: list[int]) -> None:
    """At most one failure more than the budget allows, all of them counted."""
    found = failures(*moments)
    assert len(found.at) <= BUDGET.limit + 1
    assert found.total == len(moments)
    assert 0 <= pause_ns(BUDGET, found, at(moments[-1] if moments else 0)) <= BUDGET.longest_pause_ns
