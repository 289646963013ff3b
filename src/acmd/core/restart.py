"""When a service that ended is started again, and when to give up on it here."""

from __future__ import annotations

from typing import NamedTuple

from acmd.core.timing import Instant, elapsed_for_observer_ns


class Budget(NamedTuple):
    """At most `limit` failures within `window_ns`; the pause before a restart doubles from the first."""

    limit: int
    window_ns: int
    first_pause_ns: int
    longest_pause_ns: int


class Failures(NamedTuple):
    """When a service failed, oldest first; only what lies within the window is kept."""

    at: tuple[Instant, ...] = ()
    total: int = 0


def after_failure(budget: Budget, failures: Failures, now: Instant) -> Failures:
    """The history with one more failure at `now`. Bounded by the budget's limit plus one."""
    recent = (*_recent(budget, failures, now), now)
    return Failures(recent[-budget.limit - 1 :], failures.total + 1)


def pause_ns(budget: Budget, failures: Failures, now: Instant) -> int:
    """How long to wait from `now` before the next start: nothing after the first failure, then doubling."""
    recent = _recent(budget, failures, now)
    if len(recent) < 2:
        return 0
    pause = min(budget.longest_pause_ns, budget.first_pause_ns << min(len(recent) - 2, 20))
    return max(0, pause - elapsed_for_observer_ns(recent[-1], now))


def spent(budget: Budget, failures: Failures, now: Instant) -> bool:
    """Whether the service failed more often within the window than the budget allows."""
    return len(_recent(budget, failures, now)) > budget.limit


def _recent(budget: Budget, failures: Failures, now: Instant) -> tuple[Instant, ...]:
    return tuple(at for at in failures.at if elapsed_for_observer_ns(at, now) < budget.window_ns)
