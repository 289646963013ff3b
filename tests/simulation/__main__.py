"""`python -m tests.simulation`: random faults against the real core, replays, exhaustive checks, mutants."""

from __future__ import annotations

from tests.simulation import pypy_compat  # isort: skip  # first: what PyPy 3.9 lacks

import argparse
import json
import sys
import time

from tests.simulation.explore import SCENARIOS, Run, by_name, explore
from tests.simulation.farm import run_many
from tests.simulation.report import Totals
from tests.simulation.runner import run_seed


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--seeds", metavar="A..B", help="run these seeds, B excluded")
    what.add_argument("--hours", type=float, help="run new seeds for so long")
    what.add_argument("--failovers", type=int, help="run seeds until so many failovers by expiry")
    what.add_argument("--replay", type=int, metavar="SEED", help="run one seed")
    what.add_argument("--exhaustive", metavar="K", type=int, help="all schedules with at most K deviations")
    what.add_argument("--mutants", action="store_true", help="break the core on purpose; each must be caught")
    parser.add_argument("--trace", action="store_true", help="with --replay: print what happened")
    parser.add_argument("--first", type=int, help="first seed; --hours takes one from the time of day")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default 2)")
    parser.add_argument(
        "--python", default="auto", help="interpreter: auto (pypy3 for long runs), this, a path"
    )
    parser.add_argument("--scenario", help="with --exhaustive: this one only")
    parser.add_argument("--plan", help='with --exhaustive and --scenario: replay one, as in "5:1,9:0"')
    parser.add_argument("--only", help="with --mutants: those whose description contains this")
    parser.add_argument("--focus", default="", help="all seeds with this focus")
    parser.add_argument("--stride", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--stop-at-first", action="store_true", help="stop at the first violation")
    return parser.parse_args(argv)


def _range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("..")
    return int(first), int(last or int(first) + 1)


def _worker(args: argparse.Namespace) -> int:
    """Run seeds, tell the totals as lines of JSON; the parent ends it."""
    first, last = _range(args.seeds)
    totals, told = Totals(), time.monotonic()
    for seed in range(first, last, args.stride):
        totals.add(run_seed(seed, focus=args.focus))
        if totals.failures or time.monotonic() - told > 1.0:
            print(json.dumps(totals.as_json()), flush=True)
            totals, told = Totals(), time.monotonic()
    print(json.dumps(totals.as_json()), flush=True)
    return 0


def _replay(args: argparse.Namespace) -> int:
    result = run_seed(args.replay, trace=args.trace, focus=args.focus)
    if result.trace is not None:
        print("\n".join(result.trace))
    print(f"seed {result.seed} ({result.focus}): {result.failure or 'no violation'}")
    return 1 if result.failure else 0


def plan_text(run: Run) -> str:
    """A plan as --plan takes it."""
    return ",".join(f"{point}:{choice}" for point, choice in run.plan)


def _exhaustive(args: argparse.Namespace) -> int:
    from tests.simulation.explore import play

    scenarios = [by_name(args.scenario)] if args.scenario else list(SCENARIOS)
    if args.plan is not None:
        plan = tuple(
            (int(point), int(choice))
            for point, _, choice in (item.partition(":") for item in args.plan.split(",") if item)
        )
        run = play(scenarios[0], plan, trace=True)
        print("\n".join(run.trace or []))
        print(run.failure or "no violation")
        return 1 if run.failure else 0
    total, failed = 0, 0
    for scenario in scenarios:
        began = time.monotonic()
        count, failure = explore(scenario, args.exhaustive)
        total += count
        print(
            f"{scenario.name:10} {count:8d} schedules, all distinct, {time.monotonic() - began:7.1f} s",
            flush=True,
        )
        if failure is not None:
            failed += 1
            print(
                f"    {failure.failure}\n    replay: python -m tests.simulation --exhaustive 0 "
                f"--scenario {scenario.name} --plan '{plan_text(failure)}'"
            )
    print(f"{total} schedules with at most {args.exhaustive} deviations, {failed} violations")
    return 1 if failed else 0


def main(argv: list[str] | None = None) -> int:
    """The command line. 0: no violation."""
    args = _arguments(argv)
    if args.worker:
        return _worker(args)
    if args.replay is not None:
        return _replay(args)
    if args.exhaustive is not None:
        return _exhaustive(args)
    if args.mutants:
        from tests.simulation.mutants import run_all

        return run_all(args.only or "", args.jobs, sys.stdout)
    totals = Totals()
    if args.hours is not None:
        first = args.first if args.first is not None else int(time.time()) * 1000
        run_many(totals, first, None, args.jobs, args.python, seconds=args.hours * 3600, focus=args.focus)
    elif args.failovers is not None:
        run_many(
            totals, args.first or 0, None, args.jobs, args.python, failovers=args.failovers, focus=args.focus
        )
    else:
        first, last = _range(args.seeds or "0..200")
        run_many(
            totals, first, last, args.jobs, args.python, stop_at_first=args.stop_at_first, focus=args.focus
        )
    print("\n".join(totals.lines()))
    return 1 if totals.failures or totals.never_happened() else 0


if __name__ == "__main__":
    _ = pypy_compat
    sys.exit(main())
