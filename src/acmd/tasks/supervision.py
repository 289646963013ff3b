"""Supervision: keeps services in the mode that was asked for; starts in order, stops in reverse.

Each start asks for the deadline anew, with the time of that moment (protocol, claim step 7).
The heartbeat's requests are taken over at the beginning of a step; what `view` shows was
observed after that, so that 'gone' never speaks of the time before the request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from acmd.core.observation import Mode, ServicesView
from acmd.core.restart import after_failure, pause_ns, spent
from acmd.core.timing import Instant, may_start
from acmd.ports import Clock, Drain
from acmd.tasks.landing import Landing
from acmd.tasks.stopping import StopTimes
from acmd.tasks.unit import NO_FAILURES, Plan, Unit, just, report_stray

POLL_S = 1.0
BUSY_POLL_S = 0.05

__all__ = ["Group", "Plan", "Unit"]


@dataclass(slots=True)
class Group:
    """Services that are kept in one mode together: the active-only ones, or those of every node."""

    units: list[Unit]
    clock: Clock
    changed: asyncio.Event  # set for the heartbeat when the view has changed
    renew_deadline_ns: int
    drain: Drain
    log: Callable[..., None]
    gated: bool = True  # active-only: a start needs a valid deadline
    beside: Group | None = None  # where else a required service may be
    bar: Callable[[str], str] = lambda _: ""  # why a service must not be started now
    stops: StopTimes = field(default_factory=StopTimes)
    mode: Mode | None = None
    epoch: int | None = None
    issued: Instant | None = None
    poke: asyncio.Event = field(default_factory=asyncio.Event)
    _view: ServicesView = field(default_factory=ServicesView)
    _wanted: tuple[Mode, int, Instant | None] | None = None
    _asked_s: float = 0.0  # when the request in force was taken over, by the loop's clock
    _landing: Landing = field(init=False)

    def __post_init__(self) -> None:
        self._landing = Landing(self.drain, self.clock, self.poke)

    # -- the port ---------------------------------------------------------------------------------

    def request(self, mode: Mode, epoch: int, issued: Instant | None) -> None:
        """Take over this request at the next step; a newer `issued` moves the deadline at once."""
        if self.mode is mode and self.epoch == epoch and self._wanted is None:
            self.issued = issued
            return
        self._wanted = (mode, epoch, issued)
        self.poke.set()

    @property
    def wanted(self) -> Mode | None:
        """The mode that was asked for last."""
        return self._wanted[0] if self._wanted is not None else self.mode

    def view(self) -> ServicesView:
        """What was seen under the mode that is in force."""
        return self._view

    # -- the loop ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Step until cancelled. Operations under way are left to whoever comes after (adoption)."""
        try:
            while True:
                self.poke.clear()
                await self.step()
                try:
                    async with asyncio.timeout(self._pause_s()):
                        await self.poke.wait()
                except TimeoutError:
                    pass
        finally:
            for unit in self.units:
                if unit.operation is not None:
                    unit.operation.cancel()
            self._landing.end()

    def _pause_s(self) -> float:
        if self.mode in (Mode.STOP, Mode.KILL) and not self._view.gone:
            return BUSY_POLL_S
        if self.mode is Mode.RUN and not self._view.all_up:
            return BUSY_POLL_S * 2
        return POLL_S

    async def step(self) -> None:
        """Take over the latest request, look, act, and publish what was seen."""
        if self._wanted is not None:
            self._take_over()
        await asyncio.gather(*(self._look_at(unit) for unit in self.units))
        if self._wanted is None:
            self._act()
        self._landing.see(all(unit.gone for unit in self.units))
        self._publish()

    def _take_over(self) -> None:
        if self._wanted is None:
            return
        mode, epoch, issued = self._wanted
        self._wanted = None
        if mode is Mode.RUN and (self.mode is not Mode.RUN or self.epoch != epoch):
            for unit in self.units:
                unit.failures = NO_FAILURES
                if self.gated and unit.held is not None and unit.held.epoch != epoch:
                    unit.held = None  # it was said of another time as the active node
        inherited = self.mode is None and epoch != -1  # the daemon before this one may have started them
        self.mode, self.epoch, self.issued = mode, epoch, issued
        self._asked_s = asyncio.get_running_loop().time()
        self._landing.forget()
        for unit in self.units:
            unit.seen_gone, unit.barred, unit.ran = False, "", False
            if mode in (Mode.STOP, Mode.KILL):
                unit.restart = ""  # over maintenance it is kept: what asked for it changed something
            unit.lived, unit.unattended = unit.lived or inherited, mode is Mode.HANDS_OFF
            if mode in (Mode.STOP, Mode.KILL) and unit.doing == "start" and unit.operation is not None:
                unit.operation.cancel()

    async def _look_at(self, unit: Unit) -> None:
        before = unit.status.state
        unit.status = seen = await unit.service.observe()
        old = seen.looked_s is not None and seen.looked_s < self._asked_s
        if old and not seen.processes and self.mode in (Mode.STOP, Mode.KILL):
            # That nothing lived before the request does not count; a look that began after it will.
            seen.processes = seen.jobs = seen.pending = True
        now = self.clock.now()
        if unit.status.state != before or unit.since is None:
            unit.since = now
            self.log("service-state", service=unit.service.name, state=unit.status.state, was=before)
        self.stops.seen(unit, now)
        if unit.gone:
            unit.seen_gone, unit.stray, unit.lived = True, False, False
        elif not seen.pending:
            unit.lived, unit.ran = True, unit.ran or (unit.up and self.mode is Mode.RUN)
        ends = unit.ends()
        if ends and self.mode is Mode.RUN and unit.held is None:
            for _ in range(min(ends, unit.plan.budget.limit + 1)):
                unit.failures = after_failure(unit.plan.budget, unit.failures, now)
            detail = seen.detail or ("its manager has started it again" if unit.up else "")
            self.log("service-ended", service=unit.service.name, detail=detail)

    # -- acting -----------------------------------------------------------------------------------

    def _act(self) -> None:
        if self.mode is Mode.RUN:
            for unit in self.units:
                if unit.held is not None:
                    if unit.held.stopped:
                        self._keep_stopped(unit)
                elif unit.up:
                    self._tend(unit)
                elif self._may_start_now(unit):
                    unit.ailing = unit.restart = ""
                    self._begin(unit, "start", self._start(unit))
        elif self.mode is Mode.STOP:
            for unit in self.units:
                self._ask_to_stop(unit)
        elif self.mode is Mode.KILL:
            for unit in self.units:
                self._kill(unit)

    def _tend(self, unit: Unit) -> None:
        """Stop what fails its probes, is to be restarted, or lost what it requires; it is started anew."""
        lost = [name for name in unit.plan.requires if (other := self._find(name)) and other.down]
        because = unit.ailing or unit.restart or (f"{lost[0]}, which it requires, is down" if lost else "")
        if not because or just(unit.stopped_at, self.clock.now()):
            return
        unit.was_running = bool(unit.ailing)  # only that is a failure of its own
        unit.stopped_at, unit.ailing, unit.restart = self.clock.now(), "", ""
        self.log("service-stopped", service=unit.service.name, because=because)
        self._begin(unit, "stop", self._stop(unit))

    def _find(self, name: str) -> Unit | None:
        """The service of that name, of this group or of the one beside it."""
        for part in (self, self.beside):
            for unit in part.units if part is not None else ():
                if unit.service.name == name:
                    return unit
        return None

    def _may_start_now(self, unit: Unit) -> bool:
        if unit.doing or unit.status.state not in ("stopped", "failed"):
            return False
        if self.gated and (not self._deadline_holds() or self._barred(unit)):
            return False
        up = {other.service.name for other in self.units if other.up}
        known = {other.service.name for other in self.units if other.held is None and not other.barred}
        if any(name in known and name not in up for name in unit.plan.after):
            return False
        if any((other := self._find(name)) and not other.up for name in unit.plan.requires):
            return False
        return pause_ns(unit.plan.budget, unit.failures, self.clock.now()) == 0

    def _barred(self, unit: Unit) -> bool:
        before, unit.barred = unit.barred, "" if unit.ran else self.bar(unit.service.name)
        if unit.barred and not before:
            self.log(
                "service-barred",
                level="warning",
                service=unit.service.name,
                because=unit.barred,
                remedy="`acmd switchover`: another guard comes once nothing is armed",
            )
        return bool(unit.barred)

    def _dependents_gone(self, unit: Unit) -> bool:
        return all(other.gone for other in self.units if unit.service.name in other.plan.after)

    def _keep_stopped(self, unit: Unit) -> None:
        """An operator wants it so."""
        now = self.clock.now()
        if unit.to_stop and not just(unit.stopped_at, now):
            unit.stopped_at = now
            self._begin(unit, "stop", self._stop(unit))

    def _ask_to_stop(self, unit: Unit) -> None:
        now = self.clock.now()
        if unit.to_stop and self._dependents_gone(unit) and not just(unit.stopped_at, now):
            unit.stopped_at = now
            if self.gated and unit.seen_living and not unit.stray and (self.epoch == -1 or unit.seen_gone):
                unit.stray = True
                report_stray(unit, self.log)
            self._begin(unit, "stop", self._stop(unit))

    def _kill(self, unit: Unit) -> None:
        now = self.clock.now()
        if unit.doing == "stop" and unit.operation is not None:
            unit.operation.cancel()
        elif not unit.doing and not unit.gone and not just(unit.killed_at, now):
            unit.killed_at = now
            self._begin(unit, "kill", unit.service.kill())

    def _begin(self, unit: Unit, doing: str, work: Coroutine[Any, Any, None]) -> None:
        unit.begins(doing, self.clock.now())
        unit.operation = asyncio.create_task(work, name=f"{doing}-{unit.service.name}")
        unit.operation.add_done_callback(lambda task: self._ended(unit, task))

    def _ended(self, unit: Unit, task: asyncio.Task[None]) -> None:
        unit.doing, unit.operation = "", None
        if not task.cancelled() and task.exception() is not None:
            self.log("service-operation-failed", service=unit.service.name, error=repr(task.exception()))
            return  # tried again at the next look, not at once
        self.poke.set()

    async def _start(self, unit: Unit) -> None:
        if self.gated and not self._deadline_holds():
            return
        started = await unit.service.start(self.epoch if self.epoch is not None else -1)
        if started:
            unit.was_running = True  # it may end before the next look, which is a failure too
        elif self.mode in (Mode.RUN, Mode.HANDS_OFF):
            unit.failures = after_failure(unit.plan.budget, unit.failures, self.clock.now())
            self.log("service-start-failed", service=unit.service.name)

    def _deadline_holds(self) -> bool:
        return (
            self.mode is Mode.RUN
            and self.issued is not None
            and may_start(self.issued, self.clock.now(), self.renew_deadline_ns)
        )

    async def _stop(self, unit: Unit) -> None:
        if not await unit.service.stop():
            self.log("service-stop-late", service=unit.service.name)
            await unit.service.kill()

    # -- seeing -----------------------------------------------------------------------------------

    def _publish(self) -> None:
        if self._wanted is not None:
            return  # seen under a request that no longer counts
        now = self.clock.now()
        view = ServicesView(
            mode=self.mode,
            epoch=self.epoch,
            processes=any(u.status.processes for u in self.units),
            jobs=any(u.status.jobs or u.doing for u in self.units),
            drained=self._landing.proven,
            failed=any(
                u.plan.critical and not u.held and spent(u.plan.budget, u.failures, now) for u in self.units
            ),
            all_up=all(u.up or u.held or u.barred for u in self.units),
        )
        if view != self._view:
            self._view = view
            self.changed.set()
