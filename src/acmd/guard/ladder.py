"""What the switch sees of the active-only services, and what it does to them: gate, freeze, kill, drain."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from acmd.guard import addresses, cgroups, landed, processes
from acmd.guard.jobs import UnitJobs

SLOW_NS = 5_000_000_000  # a proof that has not come by then shows as a fault; it goes on
PROOF_LIMIT_NS = 300_000_000_000  # past every profile's lease; then another is tried, with twice the time
SYNC_PAUSE_NS = 200_000_000
ABANDONED_LIMIT = 4  # workers that hang in the kernel


class Ladder:
    """All active-only services of this node: their groups, what runners registered, virtual addresses.

    `jobs` has PID 1's word on whether a job, an activation or a restart is pending for one of the units.
    Nothing here touches shared storage, but for the sync's own worker process.
    """

    def __init__(
        self,
        services_dir: str,
        groups: tuple[str, ...] = (),
        sync_paths: tuple[str, ...] = (),
        units: tuple[str, ...] = (),
        virtual_addresses: tuple[str, ...] = (),
    ) -> None:
        self.services_dir = services_dir
        self.groups = groups
        self.virtual_addresses = virtual_addresses
        self.held: list[str] = []  # of these addresses, when last looked
        self.drain = Drain(sync_paths)
        self.marked: list[str] = []  # services whose agents may hold something, when last looked
        self.killable = True  # whether what lives is more than a mark
        self.killed = 0
        self.fault = ""
        self.jobs = UnitJobs(units)
        self._known: dict[str, processes.Known] = {}

    def look(self) -> tuple[bool, bool, bool]:
        """`Sight`: something lives, a job is pending, drained. What cannot be told counts as the worst."""
        try:
            living, jobs = self._living(), self.jobs.pending()
            self.fault = ""
        except (OSError, ValueError) as problem:
            living = jobs = True
            self.fault = f"cannot tell what lives: {problem}"
        if living:
            self.drain.spoil()
        return living, jobs, self.drain.done

    def _registered(self) -> list[processes.Entry]:
        """Active-only services that are not known to be gone."""
        found = processes.entries(self.services_dir)
        found = [entry for entry in found if entry.runs_on == "active" and not entry.done]
        marks = {entry.mark for entry in found}
        self._known = {mark: known for mark, known in self._known.items() if mark in marks}
        return found

    def _living(self) -> bool:
        """Processes, an address (with it this host answers in the place of the next holder), or a mark."""
        self.killable = True
        return self._processes() or self._holds_address() or self._is_marked()

    def _is_marked(self) -> bool:
        """No kill ends what a mark stands for: the daemon's stop does, or the reset."""
        self.marked = processes.held(self.services_dir)
        self.killable = not self.marked
        return bool(self.marked)

    def _holds_address(self) -> bool:
        self.held = addresses.held(self.virtual_addresses) if self.virtual_addresses else []
        return bool(self.held)

    def _processes(self) -> bool:
        if any(cgroups.populated(group) for group in self.groups):
            return True
        found = self._registered()
        if any(processes.lives(entry.pid, entry.start) for entry in found):
            return True
        everybody = processes.table() if found else {}
        living = False
        for entry in found:  # all of them: each look also notes who belongs to which
            living |= self._members(entry, everybody)
        return living

    def _members(self, entry: processes.Entry, everybody: dict[int, processes.Stat]) -> bool:
        if entry.cgroup and cgroups.populated(entry.cgroup):
            return True
        return bool(processes.members(entry, everybody, self._known.setdefault(entry.mark, set())))

    def remember(self) -> None:
        """While the gate is open: note who belongs to each service, should its runner be killed."""
        try:
            found = [entry for entry in self._registered() if not entry.cgroup]
            everybody = processes.table() if found else {}
            for entry in found:
                known = self._known.setdefault(entry.mark, set())
                processes.members(entry, everybody, known, by_mark=False)
        except (OSError, ValueError) as problem:
            self.fault = f"cannot tell what lives: {problem}"

    def kill(self) -> None:
        """SIGKILL to everything that lives, a stop job in the place of queued ones, addresses taken away.

        What one step cannot do stays in sight for the next tick.
        """
        self.jobs.stop()
        for group in self.groups:
            self._step(lambda group=group: cgroups.kill(group))  # type: ignore[misc]
        try:
            found = self._registered()
        except (OSError, ValueError) as problem:
            self.fault = f"cannot tell what lives: {problem}"
            found = []
        for entry in found:
            known = self._known.setdefault(entry.mark, set())
            if entry.cgroup:
                self._step(lambda entry=entry: cgroups.kill(entry.cgroup))  # type: ignore[misc]
            self._step(lambda entry=entry, known=known: processes.kill_all(entry, known))  # type: ignore[misc]
        if self.virtual_addresses:  # after what could put one there again
            self._step(lambda: 0 * addresses.take_away(self.virtual_addresses))

    def _step(self, step: Callable[[], int]) -> None:
        try:
            self.killed += step()
        except OSError as problem:
            self.fault = f"cannot kill: {problem}"

    def freeze(self, frozen: bool) -> None:
        """Freeze the groups at shut, thaw them otherwise, where the kernel can."""
        for group in self.groups:
            self._step(lambda group=group: 0 * cgroups.freeze(group, frozen))  # type: ignore[misc]


class Drain:
    """Proof that what services wrote has landed (`landed`), from a worker process that can be given up.

    `done` holds from a proof that began after everything was seen gone, up to the next sign of life. One
    that comes late is as good, and cut short it would only begin again. With no paths there is nothing to
    wait for.
    """

    def __init__(self, paths: tuple[str, ...]) -> None:
        self.paths = paths
        self.done = False
        self.fault = ""
        self.handle = -1  # a pidfd of the running worker, for the caller's poll
        self.abandoned: list[int] = []
        self._pid = 0
        self._began_ns = 0
        self._limit_ns = PROOF_LIMIT_NS
        self._spoilt = False

    def spoil(self) -> None:
        """Something lives, or may from now on: a sync that is under way proves nothing."""
        self.done = False
        self._spoilt = True

    def begin(self) -> bool:
        """Start a proof unless one is under way that can count. Whether one was started."""
        self._reap_abandoned()
        if not self.paths:
            self.done = True
            return False
        now_ns = time.monotonic_ns()
        if self._pid and self._spoilt:
            self._give_up()
        elif self._pid:
            if now_ns - self._began_ns > SLOW_NS:
                self.fault = f"sync of {', '.join(self.paths)} has not returned yet"
            if now_ns - self._began_ns > self._limit_ns:
                self._limit_ns *= 2
                self._give_up()
            return False
        if len(self.abandoned) >= ABANDONED_LIMIT:
            self.fault = f"{ABANDONED_LIMIT} syncs hang in the kernel: is the storage of the services there?"
            return False
        if self.fault and now_ns - self._began_ns < SYNC_PAUSE_NS:
            return False
        self._spoilt, self._began_ns = False, now_ns
        self._pid = os.fork()
        if self._pid == 0:
            _work(self.paths)
        self.handle = os.pidfd_open(self._pid)
        return True

    def ended(self) -> None:
        """The worker's pidfd became readable: take its result."""
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if not pid:
            return  # that was another worker's, given up since
        self._forget()
        if status != 0:
            failed = os.waitstatus_to_exitcode(status)
            self.fault = f"sync of {', '.join(self.paths)} failed: {os.strerror(max(failed, 0)) or failed}"
        else:
            self.fault = ""
            self.done = not self._spoilt

    def _give_up(self) -> None:
        os.kill(self._pid, 9)
        self.abandoned.append(self._pid)
        self._forget()

    def _forget(self) -> None:
        os.close(self.handle)
        self._pid, self.handle = 0, -1

    def _reap_abandoned(self) -> None:
        self.abandoned = [pid for pid in self.abandoned if os.waitpid(pid, os.WNOHANG)[0] == 0]


def _work(paths: tuple[str, ...]) -> None:
    """In the worker: exit with 0 once all has landed, with the errno of the first failure otherwise."""
    code = 1
    try:
        os.closerange(3, 65536)  # clients must not see this process hold their connection
        landed.prove(paths)
        code = 0
    except OSError as problem:
        code = min(problem.errno or 1, 127)
    finally:
        os._exit(code)
