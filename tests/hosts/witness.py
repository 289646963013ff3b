"""What the stampers wrote: who ran when, and whether two hosts ever ran together."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

NS_PER_S = 1_000_000_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Run:
    """One process of the service, from its first stamp to its last."""

    node: str
    epoch: int
    first_ns: int
    last_ns: int
    longest_gap_ns: int


def runs(directory: Path) -> list[Run]:
    """All runs so far, in the order of their starts."""
    found = []
    for path in directory.glob("*-*-*"):
        node, epoch, _ = path.name.rsplit("-", 2)
        stamps = [int(line) for line in path.read_bytes().split(b"\n")[:-1] if line.isdigit()]
        if stamps:
            gaps = [later - earlier for earlier, later in itertools.pairwise(stamps)]
            found.append(Run(node, int(epoch), stamps[0], stamps[-1], max(gaps, default=0)))
    return sorted(found, key=lambda run: run.first_ns)


def overlaps_ns(found: list[Run]) -> list[tuple[Run, Run, int]]:
    """Every pair of runs on different hosts that were there at the same time, and for how long."""
    return [
        (one, other, min(one.last_ns, other.last_ns) - max(one.first_ns, other.first_ns))
        for index, one in enumerate(found)
        for other in found[index + 1 :]
        if one.node != other.node and min(one.last_ns, other.last_ns) >= max(one.first_ns, other.first_ns)
    ]


def wait_for(look: Callable[[], T], timeout_s: float, what: str) -> T:
    """The first thing that `look` gives which is true. AssertionError after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(0.02)
