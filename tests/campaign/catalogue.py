"""All faults, and the choosing of a sequence."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.campaign import faults_hosts, faults_kernel, faults_processes, faults_resources, faults_storage
from tests.campaign.fault import Fault, Side

FAULTS: tuple[Fault, ...] = (
    *faults_hosts.FAULTS,
    *faults_processes.FAULTS,
    *faults_storage.FAULTS,
    *faults_resources.FAULTS,
    *faults_kernel.FAULTS,
)
ACTIVE_SHARE = 0.6
LONGER = {"fast": 1.0, "standard": 2.9}  # its deadlines, by those of fast


def groups(can: frozenset[str] | None = None) -> list[str]:
    """Their classes, in order; those of a bed that can do so much."""
    return list(dict.fromkeys(fault.group for fault in FAULTS if can is None or fault.needs <= can))


@dataclass(frozen=True, slots=True)
class Choice:
    """One fault of a sequence."""

    fault: Fault
    side: Side
    hold_s: float


def choices(
    chance: random.Random,
    can: frozenset[str],
    only: str = "",
    catalogue: tuple[Fault, ...] = FAULTS,
    profile: str = "fast",
) -> Iterator[Choice]:
    """For ever: each fault that the bed can do once a round, rounds in random order.

    Of those that can hit either node, so many hit the active one that it gets ACTIVE_SHARE of all.
    """
    named = set(filter(None, only.split(";")))
    able = [
        fault
        for fault in catalogue
        if fault.needs <= can and (not named or named & {fault.group, fault.name})
    ]
    if not able:
        raise ValueError(f"this bed can do no fault of {only!r}; there are: {', '.join(groups())}")
    done = active = 0
    while True:
        for fault in chance.sample(able, len(able)):
            side = fault.sides[0]
            if len(fault.sides) > 1:
                side = "active" if active < ACTIVE_SHARE * (done + 1) else "passive"
            done += 1
            active += side != "passive"
            yield Choice(fault, side, round(LONGER[profile] * chance.uniform(*fault.hold_s), 2))


def once_each_group(chance: random.Random, can: frozenset[str]) -> list[Choice]:
    """One fault of every class, documented limits left out."""
    found: dict[str, Choice] = {}
    safe = tuple(fault for fault in FAULTS if not fault.limit and not fault.limit_without_agent)
    for choice, _ in zip(choices(chance, can, catalogue=safe), safe, strict=False):
        found.setdefault(choice.fault.group, choice)
    return list(found.values())
