"""Breaks the real code on purpose, one rule at a time; the simulation has to report each.

Each mutant is data: which text is replaced by which (`mutant_data.py`). It is applied to a copy of the
source tree; the seeds of a normal run are then tried, those with the likeliest focus first.
"""

from __future__ import annotations

from tests.simulation import pypy_compat  # isort: skip  # first: what PyPy 3.9 lacks

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import acmd
from tests.simulation.farm import environment
from tests.simulation.focuses import FOCUSES
from tests.simulation.mutant_data import MUTANTS, Mutant

NORMAL_RUN_SEEDS = 2400
"""What the CI's random run covers at least: 10,000 failovers by expiry."""
LIMIT_S = 150.0
SOURCE = Path(acmd.__file__).resolve().parent


class Catch(NamedTuple):
    """How a mutant was caught."""

    mutant: Mutant
    caught: bool
    where: str
    failure: str
    seeds: int
    took_s: float


def applied(mutant: Mutant, target: Path) -> None:
    """Copy the source tree and break it. Raises ValueError when an old text does not occur exactly once."""
    shutil.copytree(SOURCE, target / "acmd", ignore=shutil.ignore_patterns("__pycache__"))
    for file, old, new in mutant.edits:
        path = target / "acmd" / file
        text = path.read_text()
        if text.count(old) != 1:
            raise ValueError(f"{mutant.name}: the old text occurs {text.count(old)} times in {file}: {old!r}")
        path.write_text(text.replace(old, new))


def seeds_in_order(focus: str) -> Iterator[int]:
    """All seeds of a normal run, those with this focus first."""
    likely: list[int] = []
    others: list[int] = []
    for seed in range(NORMAL_RUN_SEEDS):
        drawn = FOCUSES[random.Random(seed).randrange(len(FOCUSES))].name
        (likely if drawn == focus else others).append(seed)
    return iter(likely + others)


def hunt(focus: str, limit_s: float) -> dict[str, Any]:
    """Run seeds until one reports a broken rule (a crash of the code does not count)."""
    from tests.simulation.runner import run_seed

    began, tried, crashes = time.monotonic(), 0, 0
    for seed in seeds_in_order(focus):
        tried += 1
        result = run_seed(seed)
        if result.rule == "crash":
            crashes += 1
        elif result.failure:
            where = f"seed {seed} ({result.focus})"
            return {"caught": True, "where": where, "failure": result.failure, "seeds": tried}
        if time.monotonic() - began > limit_s:
            break
    return {"caught": False, "where": "", "failure": f"{crashes} crashes", "seeds": tried}


def catch(mutant: Mutant) -> Catch:
    """Break a copy, run it, report."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as directory:
        try:
            applied(mutant, Path(directory))
        except ValueError as stale:
            return Catch(mutant, False, "", str(stale), 0, 0.0)
        command = [sys.executable, "-m", "tests.simulation.mutants", "--hunt", mutant.focus]
        done = subprocess.run(
            command, env=environment(Path(directory)), capture_output=True, text=True, check=False
        )
    if done.returncode:
        return Catch(mutant, False, "", done.stderr[-400:], 0, time.monotonic() - began)
    found = json.loads(done.stdout.splitlines()[-1])
    return Catch(
        mutant,
        found["caught"],
        found["where"],
        found["failure"],
        found["seeds"],
        time.monotonic() - began,
    )


def run_all(only: str, jobs: int, out: TextIO) -> int:
    """Hunt all mutants; 0 when each was caught."""
    chosen = [mutant for mutant in MUTANTS if only in mutant.name]
    missed = 0
    with ThreadPoolExecutor(jobs) as pool:
        for result in pool.map(catch, chosen):
            missed += not result.caught
            verdict = f"{result.where}: {result.failure}" if result.caught else f"MISSED {result.failure}"
            print(
                f"{result.mutant.name}: {result.seeds} seeds, {result.took_s:.1f} s, {verdict}",
                file=out,
                flush=True,
            )
    print(f"{len(chosen)} mutants, {missed} missed", file=out)
    return 1 if missed else 0


def occurrences(mutant: Mutant) -> list[tuple[str, str, int]]:
    """How often each old text occurs in the real source."""
    return [(file, old, (SOURCE / file).read_text().count(old)) for file, old, _ in mutant.edits]


def _main() -> None:
    parser = argparse.ArgumentParser(description="Hunt in the acmd that PYTHONPATH names.")
    parser.add_argument("--hunt", required=True)
    parser.add_argument("--limit-s", type=float, default=LIMIT_S)
    args = parser.parse_args()
    print(json.dumps(hunt(args.hunt, args.limit_s)))


if __name__ == "__main__":
    _ = pypy_compat
    _main()
