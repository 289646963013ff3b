"""The real core in a simulated cluster: safety at every step, liveness at the end, mutants caught."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.simulation.explore import SCENARIOS, Scenario, explore, schedules
from tests.simulation.farm import run_many
from tests.simulation.mutant_data import MUTANTS, Mutant
from tests.simulation.mutants import occurrences, run_all
from tests.simulation.report import Totals
from tests.simulation.runner import run_seed

SEEDS_FILE = Path(__file__).with_name("seeds.txt")
CI_FAILOVERS = 10_000
MUTANTS_OF_THE_PROTOCOL = 29
MUTANTS_OF_REVIEWS = 1


def _kept_seeds() -> list[int]:
    lines = SEEDS_FILE.read_text().splitlines()
    return [int(line.split()[0]) for line in lines if line and not line.startswith("#")]


def _passes(totals: Totals) -> None:
    assert not totals.failures, "\n".join(totals.lines())
    assert not totals.never_happened(), "\n".join(totals.lines())


@pytest.mark.parametrize("seed", _kept_seeds())
def test_a_seed_that_once_found_something(seed: int) -> None:
    """Seeds of bugs found stay green."""
    result = run_seed(seed)
    assert not result.failure, f"{result.failure}; python -m tests.simulation --replay {seed} --trace"


def test_the_same_seed_is_the_same_run() -> None:
    """A run depends on nothing but its seed: a failing seed can be replayed."""
    first, second = run_seed(7, trace=True), run_seed(7, trace=True)
    assert first == second


def test_some_hundred_seeds_break_no_rule() -> None:
    """A fixed set of seeds: no violation, and failovers really happen."""
    totals = Totals()
    run_many(totals, 0, 260, jobs=2, python="this")
    _passes(totals)
    assert totals.by_expiry > 500, "\n".join(totals.lines())


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: str(scenario.name))
def test_all_schedules_with_one_deviation(scenario: Scenario) -> None:
    """No single deviation, at any choice point of the small scenarios, breaks a rule."""
    count, failure = explore(scenario, 1)
    assert failure is None, f"{failure.failure} (plan {failure.plan})"
    assert count > 100


def test_no_schedule_is_run_twice() -> None:
    """The number of schedules that the exhaustive check reports counts distinct ones."""
    plans = [run.plan for run in schedules(SCENARIOS[0], 1)]
    assert len(plans) == len(set(plans))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: str(mutant.name))
def test_a_mutant_still_fits_the_code(mutant: Mutant) -> None:
    """Each old text occurs exactly once in the real source."""
    assert [count for _, _, count in occurrences(mutant)] == [1] * len(mutant.edits), occurrences(mutant)


def test_the_protocol_s_list_of_mutants_is_complete() -> None:
    """As many as the protocol page lists, and those that reviews found, each with a name of its own."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert len(MUTANTS) == MUTANTS_OF_THE_PROTOCOL + MUTANTS_OF_REVIEWS


@pytest.mark.long
@pytest.mark.timeout(900)
def test_ten_thousand_failovers_by_expiry() -> None:
    """At least 10,000 failovers by expiry without a violation, and every kind of trouble came about."""
    totals = Totals()
    run_many(totals, 0, None, jobs=2, python="auto", failovers=CI_FAILOVERS)
    _passes(totals)
    assert totals.by_expiry >= CI_FAILOVERS


@pytest.mark.long
@pytest.mark.timeout(900)
def test_all_schedules_with_two_deviations() -> None:
    """No two deviations break a rule, in the smallest scenario (others: `--exhaustive 2`)."""
    count, failure = explore(SCENARIOS[0], 2)
    assert failure is None, f"{failure.failure} (plan {failure.plan})"
    assert count > 5_000


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_every_mutant_is_caught() -> None:
    """Each rule of the protocol matters: broken on purpose, it is reported within a normal run's seeds."""
    out = io.StringIO()
    assert run_all("", 2, out) == 0, out.getvalue()
