"""What `ocf` and `sysv` have in common: one action at a time, in the service's control group."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from acmd.drivers.scripts.program import Ended, run_program
from acmd.guard import cgroups
from acmd.ports import ServiceStatus

OBSERVE_LIMIT_S = 0.5
MUTE_LOOKS = 2  # a service that ran, and of which so many looks in a row say nothing, has failed
LEFT = "it is down, but processes were left in its control group"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a service's scripts run. `cgroup`: a directory of its own, made when needed; "" for none.

    Without a control group, daemons that a script leaves behind cannot be found nor killed.
    `gate` is a command that exits with 0 while a start is allowed; "all" services have none.
    """

    cgroup: str = ""
    gate: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    async def run(
        self, argv: tuple[str, ...], environment: Mapping[str, str], limit_s: float, start: bool
    ) -> Ended:
        """Run one action. What a start or stop leaves behind lives on: it may be the service."""
        try:
            cgroup = self._enter(start)
        except OSError as error:
            return Ended(126, err=f"{self.cgroup} cannot be made: {error.strerror}")
        return await run_program(
            argv,
            environment={"LANG": "C.UTF-8", **self.environment, **environment},
            limit_s=limit_s,
            cgroup=cgroup,
            gate=self.gate if start else (),
            keep_children=True,
        )

    async def look(self, argv: tuple[str, ...], environment: Mapping[str, str], limit_s: float) -> Ended:
        """Run an action that only looks, outside of the service's group, with nothing left behind.

        Inside, the guard would take it for the service: a daemon that was frozen past the lease's end and
        then looks would have its host reset.
        """
        environment = {"LANG": "C.UTF-8", **self.environment, **environment}
        return await run_program(argv, environment=environment, limit_s=limit_s)

    def _enter(self, start: bool) -> str:
        """The group to run in, made for a start. What was never started has nothing to be in a group with."""
        if self.cgroup and start:
            os.makedirs(self.cgroup, exist_ok=True)
        return self.cgroup if os.path.isdir(self.cgroup) else ""

    def populated(self) -> bool:
        """Whether anything lives in the group. What cannot be read counts as living."""
        try:
            return bool(self.cgroup) and cgroups.populated(self.cgroup)
        except OSError:
            return True

    def checked(self, status: ServiceStatus) -> ServiceStatus:
        """A status that may be a moment old, with the kernel's word of now on what lives in the group."""
        if not status.processes and self.populated():
            status.processes, status.detail = True, LEFT
        return status

    async def settled(self) -> bool:
        """As `populated`, but what was just killed, or is just ending, is given a moment."""
        for _ in range(5):
            if not self.populated():
                return False
            await asyncio.sleep(0.01)
        return self.populated()

    def kill(self) -> None:
        """SIGKILL to all of the group."""
        if self.cgroup:
            with contextlib.suppress(OSError):
                cgroups.kill(self.cgroup)

    def remove(self) -> None:
        """Take an empty group away."""
        if self.cgroup:
            with contextlib.suppress(OSError):
                os.rmdir(self.cgroup)


class Monitor:
    """Looks at a service by a script that may be slow, without making anybody wait for it.

    `look` begins a run unless the last one is young enough, and waits for it for half a second at
    most. A run goes on in the background after that, up to the script's own limit, and its outcome
    is there at a later look. Meanwhile the last outcome stands. It is from after the last action
    (`forget`), and says when it began: whether that is late enough is the caller's to judge.
    """

    def __init__(self, name: str, runs_on: str, once: Callable[[], asyncio.Future[ServiceStatus]]) -> None:
        self._name = name
        self._runs_on = runs_on
        self._once = once
        self._run: asyncio.Future[ServiceStatus] | None = None
        self._began = 0.0  # the run under way
        self._doubted = False  # a kill came after it began
        self._ended = 0.0  # the last one
        self._ran = False  # by the last answer that said anything
        self._mute = 0  # answers since then
        self.last: ServiceStatus | None = None

    def forget(self) -> None:
        """What was seen, and what a run under way will say, counts no more: something is being changed.

        Only for what looks by itself afterwards (`keep`), or comes once: where each turn of a loop forgets,
        a slow script never gets to say anything.
        """
        self.last = None
        self._ran, self._mute = False, 0
        if self._run is not None:
            self._run.cancel()
            self._run = None

    def keep(self, status: ServiceStatus, began: float) -> None:
        """An action looked by itself: that is the newest there is."""
        self.forget()
        self._note(status, began)

    def doubt(self) -> None:
        """It was killed: that it lived says nothing any more. That nothing lived still holds.

        A run under way goes on, since kills are repeated faster than a script may be.
        """
        self._doubted = True
        if self.last is not None and self.last.processes:
            self.last = None

    async def look(self, running_for_s: float, stopped_for_s: float) -> ServiceStatus:
        """The status. A running one may be that old, a stopped one only so old. Never raises."""
        loop = asyncio.get_running_loop()
        if self.last is not None and self._run is None:
            good_for_s = running_for_s if self.last.state == "running" else stopped_for_s
            if loop.time() - self._ended < good_for_s:
                return replace(self.last)
        if self._run is None:
            self._run, self._began, self._doubted = self._once(), loop.time(), False
        run = self._run
        await asyncio.wait((run,), timeout=OBSERVE_LIMIT_S)
        if run.done() and self._run is run:
            self._take(run)
        if self.last is not None:
            return replace(self.last)  # the caller may change what it gets
        return ServiceStatus(
            self._name,
            self._runs_on,
            processes=True,
            jobs=True,
            detail="its monitor has not answered yet",
            pending=True,
        )

    def _take(self, run: asyncio.Future[ServiceStatus]) -> None:
        self._run = None
        if run.cancelled():
            return
        seen = run.result()
        if self._doubted and seen.processes:
            return
        self._note(seen, self._began)

    def _note(self, seen: ServiceStatus, began: float) -> None:
        """The newest outcome. A service that hangs so that its script hangs too is not `unknown` for ever."""
        if seen.state != "unknown":
            self._ran, self._mute = seen.state == "running", 0
        else:
            self._mute += 1
            if self._ran and self._mute >= MUTE_LOOKS:
                seen.state = "failed"
        seen.looked_s = began
        self.last, self._ended = seen, asyncio.get_running_loop().time()
