"""What the programs of this directory have in common: their options, and how they end."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "bench/out"
PUBLISHED = ROOT / "docs/performance"

CUT_SHORT = "the run was cut short"

KEPT, MISSED, CANNOT = 0, 1, 2
"""Exit codes: measured and every promise kept; measured, one missed; cannot be measured here."""


def options(doc: str | None) -> argparse.ArgumentParser:
    """The options that each of them has; the description is the program's docstring."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rounds: to see that it works")
    parser.add_argument("--out", type=Path, default=OUT, help="where JSON and chart go (default: bench/out)")
    return parser


def add_lock(parser: argparse.ArgumentParser) -> None:
    """For programs that boot hosts, on a machine where others do so too."""
    parser.add_argument("--lock", type=Path, help="hold this file's lock (flock) while hosts are up")


@contextlib.contextmanager
def held(lock: Path | None) -> Iterator[None]:
    """The lock, if there is to be one."""
    if lock is None:
        yield
        return
    with lock.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def cannot(reason: str) -> int:
    """Nothing is written; the last line of standard error is the reason."""
    print(f"cannot be measured here: {reason}", file=sys.stderr, flush=True)
    return CANNOT
