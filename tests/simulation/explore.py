"""Every schedule with at most k deviations from the benign one, for small scenarios.

Delay-bounded exploration (Emmi, Qadeer, Rakamaric 2011): the default schedule is deterministic,
each choice point offers a small menu of deviations, and all combinations of at most k of them
are run. A plan is built by extending a plan at points after its last deviation only, so that no
schedule is run twice.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple

from acmd.core.calls import Create, Fault, Link, Overwrite
from acmd.core.observation import Intent, Leave, SwitchoverRequest
from tests.simulation import oracle as o
from tests.simulation import storage as st
from tests.simulation.checkers import Violation
from tests.simulation.director import Director, H, S
from tests.simulation.node import Host
from tests.simulation.oracle import ScriptedOracle
from tests.simulation.runner import LIVENESS_NS
from tests.simulation.world import World

# Just above R; just above W on the fastest clock; above half the reset margin; a sixth of a heartbeat.
BEYOND_R, BEYOND_W, A_LITTLE = 3 * H + H // 3, 6 * H, H // 6
CUT, HEAL, CRASH, START, POWER, SWITCHOVER, DETACH, ENABLE, STOP = range(9)


class Scenario(NamedTuple):
    """What happens anyway, and where the schedule may deviate (times in heartbeats)."""

    name: str
    happens: tuple[tuple[float, int], ...]  # when, what; always to the active node
    window: tuple[float, float]
    rates: tuple[int, int] = (900, 1100)
    restart_after: float = 0.1


SCENARIOS = (
    Scenario("takeover", ((6.0, CRASH),), (4.6, 8.6), restart_after=20.0),
    Scenario("renewal", ((6.0, CUT), (8.8, HEAL)), (4.9, 9.6)),
    Scenario("release", ((6.0, SWITCHOVER),), (4.9, 7.4)),
    Scenario("detach", ((5.0, DETACH), (7.4, ENABLE)), (5.0, 9.4)),
    Scenario("adoption", ((6.0, CRASH),), (4.9, 9.4), restart_after=2.4),
    Scenario("power", ((6.0, POWER),), (9.6, 12.6)),
    Scenario("stop", ((6.0, STOP),), (5.4, 7.4), (1100, 900)),
)


def menu(kind: int, host: Any, detail: Any) -> tuple[Any, ...]:
    """What may happen at a choice point instead of nothing."""
    if kind == o.SERVE:
        syscall = type(detail.syscall)
        if syscall is Overwrite or syscall is Link:
            return (
                (st.SLOW, BEYOND_R),
                (st.WORKER_DIES, BEYOND_W),
                (st.DONE_BUT_ERROR, None),
                (st.ERROR, Fault.IO),
            )
        if syscall is Create:
            return ((st.ERROR, Fault.NO_SPACE),)
        return ((st.SLOW_REPLY, BEYOND_R), (st.ERROR, Fault.IO))
    return _MENUS[kind]


_MENUS: dict[int, tuple[Any, ...]] = {
    o.DECIDE: (BEYOND_R, BEYOND_W, o.CRASH_DAEMON),
    o.EFFECT: (o.CRASH_DAEMON, o.LOCAL_FAILURE, BEYOND_R),
    o.ISSUE: (BEYOND_R,),
    o.REPORT: (BEYOND_R,),
    o.START: (BEYOND_R,),
    o.JOB: (BEYOND_R,),
    o.FORK: (H,),
    o.MESSAGE: (A_LITTLE,),
    o.TICK: (A_LITTLE, o.CRASH_SWITCH),
    o.VIEW: (A_LITTLE,),
    o.DIRTY: (BEYOND_R, BEYOND_W),
    o.STOP: (H // 3, o.NEVER),
    o.KILL: (o.NEVER,),
}


class _Script(Director):
    """Plays a scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.booted = 0

    def begin(self) -> None:
        for when, what in self.scenario.happens:
            self.world.at(int(when * H), self._happen, what)

    def rates(self) -> tuple[int, int]:
        self.booted += 1
        rate = self.scenario.rates[self.booted % 2 - 1]
        return rate, rate

    def _victim(self) -> Host:
        safety = self.world.safety
        known = safety.epochs.get(safety.highest)
        return self.world.by_name[known[2]] if known is not None else self.world.hosts[0]

    def _happen(self, what: int) -> None:
        world, host = self.world, self._victim()
        if what == CUT:
            host.storage.cut = st.REQUESTS_HELD
        elif what == HEAL:
            for each in world.hosts:
                each.storage.heal()
        elif what == CRASH:
            host.crash(o.CRASH_DAEMON)
        elif what == POWER:
            host.power_off()
        elif what == SWITCHOVER:
            world.command(Intent(known=True, switchover=SwitchoverRequest(world.safety.highest)))
        elif what == DETACH:
            world.command(Intent(known=True, all_disabled=True))
        elif what == ENABLE:
            world.command(Intent(known=True))
        elif what == STOP and host.daemon is not None:
            host.daemon.leave = Leave.RELEASE
            host.daemon.poke(world.now)

    def daemon_crashed(self, host: Host) -> None:
        self.world.at(self.world.now + int(self.scenario.restart_after * H), host.start_daemon, host.boot)

    def daemon_left(self, host: Host, leave: Leave) -> None:
        self.world.at(self.world.now + 4 * H, host.start_daemon, host.boot)


Plan = tuple[tuple[int, int], ...]


class Run(NamedTuple):
    """One schedule, and the points at which it could have deviated further."""

    plan: Plan
    offered: tuple[tuple[int, int], ...]
    failure: str
    rule: str
    trace: list[str] | None


def play(scenario: Scenario, plan: Plan, trace: bool = False, record: bool = True) -> Run:
    """Run one schedule to its end."""
    oracle = ScriptedOracle(dict(plan), menu, record)
    oracle.silent = True
    world = World(_Script(scenario), oracle, random.Random(1), nodes=2)
    if trace:
        world.trace = []
    begins, ends = scenario.window
    failure = rule = ""
    try:
        world.boot()
        world.run(int(begins * H))
        oracle.silent = False
        world.run(int(ends * H))
        oracle.silent = True
        world.run(int((ends + 8) * H))
        world.end_faults()
        world.check_liveness(LIVENESS_NS)
    except Violation as violation:
        failure, rule = f"at {world.now / S:.6f} s: {violation}", violation.rule
    except Exception as broken:  # noqa: BLE001 - a crash is a result, reported with its seed
        failure, rule = f"at {world.now / S:.6f} s: {type(broken).__name__}: {broken}", "crash"
    return Run(plan, tuple(oracle.offered), failure, rule, world.trace)


def schedules(scenario: Scenario, deviations: int) -> Iterator[Run]:
    """All schedules with at most so many deviations, fewest first."""
    level: list[Run] = [play(scenario, ())]
    yield level[0]
    for depth in range(1, deviations + 1):
        following: list[Run] = []
        for parent in level:
            last = parent.plan[-1][0] if parent.plan else -1
            for point, size in parent.offered:
                if point <= last:
                    continue
                for choice in range(size):
                    run = play(scenario, (*parent.plan, (point, choice)), record=depth < deviations)
                    yield run
                    if depth < deviations and not run.failure:
                        following.append(run)
        level = following


def explore(
    scenario: Scenario, deviations: int, on_failure: Callable[[Run], bool] = lambda run: True
) -> tuple[int, Run | None]:
    """Run them all; stops at the first failure for which `on_failure` says so. Schedules run, failure."""
    count = 0
    for run in schedules(scenario, deviations):
        count += 1
        if run.failure and on_failure(run):
            return count, run
    return count, None


def by_name(name: str) -> Scenario:
    """The scenario of that name. Raises KeyError."""
    return {scenario.name: scenario for scenario in SCENARIOS}[name]
