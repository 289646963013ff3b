"""Run seeds: one world each, with its safety checked at every step and its liveness at the end."""

from __future__ import annotations

import traceback
from typing import NamedTuple

from acmd.core.timing import least_takeover_wait_ns
from tests.simulation.checkers import Violation
from tests.simulation.director import TIGHT, H, S
from tests.simulation.triggers import Campaign

SLOWEST_W = TIGHT.takeover_wait_ns * 1000 // 900
# W/(1-rho), once more for a claim that landed late, once more for a yield to a successor that died;
# 2h, reads, claim, starts; hold-down (2h), the agent's limit (2h), reading the operators' commands (h),
# and what was under way at the end of the faults: a stop, K, the reset, the reboot (D/(1-rho)).
LIVENESS_NS = 3 * SLOWEST_W + 8 * H + least_takeover_wait_ns(TIGHT.lease_duration_ns, 100)


class Result(NamedTuple):
    """What a seed came to."""

    seed: int
    focus: str
    counts: dict[str, int]
    simulated_ns: int
    decisions: int
    recovery_ns: int
    failure: str = ""
    rule: str = ""
    trace: list[str] | None = None


def run_seed(seed: int, trace: bool = False, focus: str = "") -> Result:
    """Run one seed."""
    campaign = Campaign(seed, focus)
    world = campaign.build()
    if trace:
        world.trace = []
    failure = rule = ""
    recovery = 0
    try:
        world.boot()
        world.run(campaign.end)
        world.end_faults()
        recovery = world.check_liveness(LIVENESS_NS)
    except Violation as violation:
        failure, rule = str(violation), violation.rule
    except Exception as broken:  # noqa: BLE001 - a crash is a result, reported with its seed
        failure, rule = f"{type(broken).__name__}: {broken}", "crash"
        if trace:
            traceback.print_exc()
    if failure:
        failure = f"at {world.now / S:.6f} s: {failure}"
    return Result(
        seed,
        campaign.focus.name,
        world.counts,
        world.now,
        world.decisions,
        recovery,
        failure,
        rule,
        world.trace,
    )
