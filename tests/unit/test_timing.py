"""The inequalities of the protocol, their words, and the clocks' arithmetic."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmd.core.timing import (
    NS_PER_S,
    PROFILES,
    Instant,
    Timing,
    elapsed_for_holder_ns,
    elapsed_for_observer_ns,
    least_takeover_wait_ns,
    may_start,
    seconds,
)

STANDARD = PROFILES["standard"]


@pytest.mark.parametrize(
    ("profile", "numbers"),
    [
        ("standard", (1, 6, 3, 9, 1, 2, 12, 14.7)),
        ("fast", (0.4, 2, 1, 3, 0.5, 1, 4.5, 5.5)),
        ("patient", (5, 60, 30, 90, 10, 10, 110, 134.5)),
    ],
)
def test_profiles_have_the_protocols_numbers(profile: str, numbers: tuple[float, ...]) -> None:
    """h, R, stop, K, kill, reset margin, D and W of each profile are the protocol's, and are safe."""
    assert PROFILES[profile] == Timing.of_seconds(*numbers)  # type: ignore[arg-type]
    assert PROFILES[profile].broken() == []
    assert PROFILES[profile].clock_rate_error_permille == 100


def changed(**seconds_: float) -> list[str]:
    """What is wrong with the standard profile with these durations changed."""
    return replace(
        STANDARD, **{f"{key}_ns": round(value * NS_PER_S) for key, value in seconds_.items()}
    ).broken()


def test_words_of_the_heartbeat_rule() -> None:
    """3h <= R, with its arithmetic."""
    assert changed(heartbeat=2.5) == [
        "3 x heartbeat_s <= renew_deadline_s does not hold: 3 x 2.5 s = 7.5 s, which is more than 6 s"
    ]


def test_words_of_the_stop_rule() -> None:
    """R + stop <= K, with its arithmetic."""
    assert changed(stop_budget=3.5) == [
        "renew_deadline_s + stop_budget_s <= kill_deadline_s does not hold: "
        "6 s + 3.5 s = 9.5 s, which is more than 9 s"
    ]


def test_words_of_the_kill_rule() -> None:
    """K + kill <= D - reset margin, with its arithmetic."""
    assert changed(kill_budget=2) == [
        "kill_deadline_s + kill_budget_s <= lease_duration_s - reset_margin_s does not hold: "
        "9 s + 2 s = 11 s, and 12 s - 2 s, which is more than 10 s"
    ]


def test_words_of_the_takeover_rule() -> None:
    """W >= D (1+rho)/(1-rho), with its arithmetic."""
    assert changed(takeover_wait=14.6) == [
        "lease_duration_s x (1 + clock_rate_error) / (1 - clock_rate_error) <= takeover_wait_s "
        "does not hold: 12 s x 1.1 / 0.9 = 14.66666667 s, which is more than 14.6 s"
    ]


@pytest.mark.parametrize("name", ["heartbeat", "stop_budget", "kill_budget", "reset_margin"])
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_durations_are_greater_than_zero(name: str, value: float) -> None:
    """A duration of nothing is refused by name."""
    assert f"{name}_s is {seconds(round(value * NS_PER_S))}, but it must be greater than 0" in changed(
        **{name: value}
    )


@pytest.mark.parametrize("permille", [-1, 501, 1000])
def test_the_clocks_rate_error_is_bounded(permille: int) -> None:
    """Outside 0 to 0.5 the arithmetic of W has no meaning, so nothing else is computed."""
    timing = replace(STANDARD, clock_rate_error_permille=permille)
    assert timing.broken() == [f"clock_rate_error is {permille / 1000}, but it must lie between 0 and 0.5"]


def test_all_that_is_broken_is_said_at_once() -> None:
    """One look shows every rule that a configuration breaks."""
    assert len(changed(heartbeat=3, stop_budget=4, kill_budget=3, takeover_wait=12)) == 4


def test_derived_deadlines() -> None:
    """The reset deadline is D minus the margin; a storage call is given up after two heartbeats."""
    assert STANDARD.reset_deadline_ns == 10 * NS_PER_S
    assert STANDARD.call_limit_ns == 2 * NS_PER_S


def test_the_wait_for_a_record_with_a_duration_of_its_own() -> None:
    """W uses the larger of the configured D and the record's."""
    assert STANDARD.takeover_wait_for_ns(4 * NS_PER_S) == STANDARD.takeover_wait_ns
    assert STANDARD.takeover_wait_for_ns(110 * NS_PER_S) == least_takeover_wait_ns(110 * NS_PER_S, 100)
    assert seconds(STANDARD.takeover_wait_for_ns(110 * NS_PER_S)) == "134.4444444 s"


@given(st.integers(0, 10**12), st.integers(0, 500))
def test_the_least_wait_covers_both_clocks(duration_ns: int, permille: int) -> None:
    """A holder whose clock is slow by rho stops before an observer whose clock is fast by rho moves."""
    wait = least_takeover_wait_ns(duration_ns, permille)
    assert wait * (1000 - permille) >= duration_ns * (1000 + permille)
    assert (wait - 1) * (1000 - permille) < duration_ns * (1000 + permille)


def test_elapsed_time_takes_the_careful_clock() -> None:
    """The holder counts the larger of its clocks, an observer the smaller; a suspend shows it."""
    since, now = Instant(100, 50), Instant(400, 150)
    assert (elapsed_for_holder_ns(since, now), elapsed_for_observer_ns(since, now)) == (300, 100)
    since, now = Instant(100, 50), Instant(200, 350)
    assert (elapsed_for_holder_ns(since, now), elapsed_for_observer_ns(since, now)) == (300, 100)


def test_a_start_is_allowed_before_r_only() -> None:
    """At R itself it is too late, by either clock."""
    assert may_start(Instant(0, 0), Instant(5, 5), 6)
    assert not may_start(Instant(0, 0), Instant(6, 5), 6)
    assert not may_start(Instant(0, 0), Instant(0, 6), 6)
