"""One service under supervision: how it is to be kept, and what is remembered of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from acmd.core.orders import Held
from acmd.core.restart import Budget, Failures
from acmd.core.timing import NS_PER_S, Instant
from acmd.ports import Service, ServiceStatus

DEFAULT_BUDGET = Budget(5, 300 * NS_PER_S, NS_PER_S, 30 * NS_PER_S)
NO_FAILURES = Failures()
DOWN = ("stopped", "failed")
REPEAT_NS = 200_000_000  # stops and kills that changed nothing, and syncs that failed, come again after this


@dataclass(frozen=True, slots=True)
class Plan:
    """How one service is kept: its place in the order, its restart budget, and what its failure costs."""

    after: tuple[str, ...] = ()
    budget: Budget = DEFAULT_BUDGET
    requires: tuple[str, ...] = ()  # it neither starts nor stays while one of these is down
    critical: bool = True  # a spent budget costs the lease


@dataclass(frozen=True, slots=True)
class Probed:
    """What the newest run of one probe came to, for people."""

    ok: bool
    detail: str
    at: Instant


@dataclass(slots=True)
class Unit:
    """One service and what supervision remembers of it."""

    service: Service
    plan: Plan
    status: ServiceStatus
    failures: Failures = NO_FAILURES
    operation: asyncio.Task[None] | None = None
    doing: str = ""  # "start" or "stop" while an operation is under way
    was_running: bool = False
    since: Instant | None = None
    stopped_at: Instant | None = None
    killed_at: Instant | None = None
    stop_began: Instant | None = None  # until it was seen gone; `stopping` measures by it
    stop_cut: bool = False  # a kill came before that stop had ended
    ailing: str = ""  # why it counts as failed though it runs (its probes): it is stopped, then started
    restart: str = ""  # why it is to be started anew though nothing is wrong with it
    stray: bool = False  # runs without a lease, and nobody of acmd's started it
    seen_gone: bool = False  # since the mode in force was taken over
    lived: bool = False  # started, or seen living, since it was last seen gone
    unasked: int | None = None  # what its manager's own restarts came to at the last look
    foreseen: int = 0  # 1: the next of these belongs to an end that was counted
    unattended: bool = False  # maintenance of all: nothing is started
    probed: dict[str, Probed] = field(default_factory=dict)  # by the probe's name
    ran: bool = False  # under the request in force: a restart makes nothing worse
    barred: str = ""  # why it must not be started, beside all that an order of starts asks for
    held: Held | None = None  # while an operator has it, its end is no failure and nothing is started

    def begins(self, doing: str, now: Instant) -> None:
        """An operation is under way from now on."""
        if doing == "stop" and self.stop_began is None and not self.gone:
            self.stop_began, self.stop_cut = now, False
        elif doing == "start":
            self.stop_began, self.lived = None, True
        self.stop_cut = self.stop_cut or doing == "kill"
        self.doing = doing

    def ends(self) -> int:
        """After each look: how often it ended by itself since the one before.

        It was seen down, or its manager has started it again before anybody saw that: a unit with Restart=
        may crash for ever and never be down for long.
        """
        seen, found = self.status, 0
        if seen.state != "unknown":
            if self.unasked is not None and not self.doing:
                found = max(0, seen.unasked - self.unasked)
            self.unasked = seen.unasked
        found -= min(found, self.foreseen)
        if self.up:
            self.was_running, self.foreseen = True, 0
        elif self.was_running and not self.doing and seen.state in DOWN:
            self.was_running = False
            found, self.foreseen = found + 1, int(seen.jobs)
        return found

    @property
    def up(self) -> bool:
        """Whether it runs and nobody is just changing that."""
        return self.status.state == "running" and not self.doing

    @property
    def down(self) -> bool:
        """Whether it does not run, or is just being stopped."""
        return self.status.state in DOWN or self.doing in {"stop", "kill"}

    @property
    def gone(self) -> bool:
        """Whether nothing of it lives and nothing is about to."""
        return not self.status.processes and not self.status.jobs and not self.doing

    @property
    def to_stop(self) -> bool:
        """Whether there is a reason to stop it now.

        A look under way is none unless it lived: its answer comes, and a stop would throw that away. It does
        not count as gone meanwhile.
        """
        return not self.doing and not self.gone and (self.lived or not self.status.pending)

    @property
    def seen_living(self) -> bool:
        """Whether it is known to live, and not only unknown whether it does."""
        return not self.status.pending and self.status.processes and self.status.state != "unknown"


def report_stray(unit: Unit, log: Callable[..., None]) -> None:
    """Say that it ran here without a lease."""
    log(
        "service-stray",
        level="warning",
        service=unit.service.name,
        pids=" ".join(map(str, unit.status.pids[:5])),
        detail="it runs on this node without a lease, and is stopped",
        remedy="let nothing but acmd start it: see its autostart, timers and people",
    )


def just(at: Instant | None, now: Instant) -> bool:
    """Whether that was a moment ago, too short to try it again."""
    return at is not None and now[0] - at[0] < REPEAT_NS
