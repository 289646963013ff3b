"""One host's way to the file server: workers that step the real procedures, and a network that fails.

Every system call has four instants: it is issued, executed, replied to, and processed. A request
that is held by a partition executes when the partition heals, whoever still waits for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acmd.core.calls import (
    CLUSTER_FILE,
    Call,
    Fault,
    Kind,
    Link,
    ListDir,
    OpenForWriting,
    Overwrite,
    ReadFile,
    StorageFault,
)
from acmd.core.observation import Outcome
from tests.simulation import oracle as o
from tests.simulation.checkers import Violation
from tests.simulation.network import HEALTHY, REPLIES_HELD, REQUESTS_HELD, Network
from tests.simulation.running import Running

if TYPE_CHECKING:
    from tests.simulation.daemon import Daemon

ABANDONED_LIMIT = 8
CONTRACT = True

# What the oracle may answer at SERVE, with a delay or a fault.
(
    SLOW,
    SLOW_REPLY,
    ERROR,
    ERROR_THEN_DONE,
    DONE_BUT_ERROR,
    TORN,
    LOST,
    WORKER_DIES,
    HIDE,
    AGAIN,
    OLD,
    KEPT_LINK,
) = range(1, 13)

LOOKING, WRITING, RELEASING = 0, 1, 2
_CLASS: dict[Kind, int] = {
    Kind.LIST: LOOKING,
    Kind.READ: LOOKING,
    Kind.WRITE: WRITING,
    Kind.LINK: WRITING,
    Kind.RELEASE: RELEASING,
}


class Storage(Network):
    """What lies between a host's workers and the server."""

    # -- a call ---------------------------------------------------------------------------------------

    def issue(self, daemon: Daemon, call: Call) -> None:
        """Hand a call to a worker."""
        world = self.world
        now = self.host.clock.read(world.now)
        if self.abandoned >= ABANDONED_LIMIT:
            daemon.receive(Outcome(call, now, now, None, Fault.BUSY))
            return
        group = _CLASS[call.kind]
        before = daemon.in_flight[group]
        if before is not None and not before.done and not before.timed_out:
            if CONTRACT:
                raise Violation("contract", f"{call[:3]} issued while {before.call[:3]} is in flight")
            world.count("two calls of a class")
        limit = self.host.clock.real_delay(world.timing.call_limit_ns)
        run = Running(daemon, call, now, world.now + limit)
        daemon.in_flight[group] = run
        self._advance(run, None)

    def _advance(self, run: Running, value: Any) -> None:
        """Step the procedure to its next system call, or to its end."""
        world = self.world
        steps = run.steps
        try:
            while True:
                if type(value) is Fault:
                    syscall = steps.throw(StorageFault(value))
                else:
                    syscall = steps.send(value)
                # Local or constant: no instant of its own, unless the network is down.
                if (
                    type(syscall) is OpenForWriting
                    or (type(syscall) is ReadFile and syscall.path == CLUSTER_FILE)
                ) and not self.cut:
                    value = self.server.execute(syscall, self.host.name, world.now)
                    continue
                break
        except StopIteration as stop:
            self._finish(run, stop.value, None)
            return
        except StorageFault as failure:
            self._finish(run, None, failure.fault)
            return
        run.syscall = syscall
        pause = world.oracle.at(o.ISSUE, self.host, run)
        if pause:
            world.note("worker pauses before", self.host, syscall, pause)
            self._limit_if_later(run, world.now + pause)
            world.at(world.now + pause, self._send, run)
        else:
            self._send(run)

    def _send(self, run: Running) -> None:
        world = self.world
        self.server.requests = run.number = self.server.requests + 1
        if self.cut == REQUESTS_HELD:
            self.held.append((run, False, None))
            self._limit(run)
            return
        latency = world.latency()
        if world.now < self.deaf_until and type(run.syscall) in {ListDir, ReadFile}:
            world.at(world.now + latency, self.reply, (run, Fault.IO))
            return
        answer = world.oracle.at(o.SERVE, self.host, run)
        if answer:
            self._send_badly(run, answer[0], answer[1], latency)
            return
        self._limit_if_later(run, world.now + 2 * latency)
        world.at(world.now + latency, self.execute, run)

    def _send_badly(self, run: Running, how: int, extra: Any, latency: int) -> None:
        world = self.world
        now = world.now
        world.note("storage fault", self.host, (how, extra), run.syscall)
        if how == SLOW:
            self._limit_if_later(run, now + extra + 2 * latency)
            world.at(now + extra + latency, self.execute, run)
        elif how == SLOW_REPLY:
            self._limit_if_later(run, now + extra + 2 * latency)
            value = self._executed(run)
            world.at(now + extra + latency, self.reply, (run, value))
        elif how == ERROR:
            world.at(now + latency, self.reply, (run, extra))
        elif how == ERROR_THEN_DONE:
            world.at(now + latency, self.reply, (run, Fault.IO))
            world.at(now + extra, self._execute_alone, (run.syscall, run.number))
        elif how == DONE_BUT_ERROR:
            self.server.execute(run.syscall, self.host.name, now, run.number)
            fault = Fault.EXISTS if type(run.syscall) is Link else Fault.IO
            world.at(now + latency, self.reply, (run, fault))
        elif how == TORN:
            value = self.server.execute(run.syscall, self.host.name, now, run.number, extra)
            if type(run.syscall) is Overwrite:
                value = Fault.IO
            world.at(now + latency, self.reply, (run, value))
        elif how == LOST:
            self.held.append((run, True, Fault.IO))  # never executed; the kernel gives up when all is healed
            self._limit(run)
        elif how == WORKER_DIES:
            run.done = True
            self.world.at(now + latency, self._worker_lost, run)
            world.at(now + extra, self._execute_alone, (run.syscall, run.number))
        elif how == HIDE:
            for other in world.hosts:
                if other is not self.host:
                    self.server.hidden.append((run.syscall.target, other.name, now + extra))
            self._limit_if_later(run, now + 2 * latency)
            world.at(now + latency, self.execute, run)
        elif how == AGAIN:
            world.at(now + latency, self.execute, run)
            world.at(now + latency, self._kept, run)
        elif how == KEPT_LINK:
            run.done = True
            self.kept_link = run
            world.at(now + latency, self._worker_lost, run)
        elif how == OLD:
            self.server.frozen[self.host.name] = (self.server.listing[:-1], now + extra)
            world.at(now + latency, self.execute, run)
        else:
            raise ValueError(how)

    def _kept(self, run: Running) -> None:
        """The network keeps a copy of this write until the next one of the same file."""
        self.again = run

    def _worker_lost(self, run: Running) -> None:
        if run.daemon.alive:
            now = self.host.clock.read(self.world.now)
            run.daemon.receive(Outcome(run.call, run.began, now, None, Fault.WORKER_LOST))

    def _execute_alone(self, item: tuple[Any, int]) -> None:
        """Nobody waits for it any more."""
        if self.cut == REQUESTS_HELD:
            return
        self.world.count("late landings")
        self.server.execute(item[0], self.host.name, self.world.now, item[1])

    def _executed(self, run: Running) -> Any:
        self._before(run)
        value = self.server.execute(run.syscall, self.host.name, self.world.now, run.number)
        self._after(run)
        return value

    def _before(self, run: Running) -> None:
        """A link whose worker died long ago arrives just before the next one."""
        if type(run.syscall) is Link and self.kept_link is not None:
            earlier, self.kept_link = self.kept_link, None
            self.world.count("late landings")
            self.server.execute(earlier.syscall, self.host.name, self.world.now, earlier.number)

    def _after(self, run: Running) -> None:
        kind = type(run.syscall)
        if kind is ListDir:
            self.host.listed_at = self.world.now
        elif kind is Overwrite:
            inode = run.syscall.handle
            if self.again is not None:  # the network had kept a copy; not one reply has been sent yet
                earlier, self.again = self.again, None
                self.world.count("writes executed twice")
                self.server.execute(earlier.syscall, self.host.name, self.world.now, earlier.number)
            if run.number > inode.acknowledged:
                inode.acknowledged = run.number  # its reply is sent in this instant

    def execute(self, run: Running) -> None:
        world = self.world
        if run.timed_out or not run.daemon.alive:
            world.count("late landings")
        value = self._executed(run)
        if self.cut:
            self.held.append((run, True, value))
            self._limit(run)
        else:
            world.at(world.now + world.latency(), self.reply, (run, value))

    def reply(self, item: tuple[Running, Any]) -> None:
        run, value = item
        if run.done or not run.daemon.alive:
            return
        self._advance(run, value)

    # -- its end --------------------------------------------------------------------------------------

    def _limit_if_later(self, run: Running, then: int) -> None:
        if then >= run.deadline:
            self._limit(run)

    def _limit(self, run: Running) -> None:
        if not run.limit_set:
            run.limit_set = True
            self.world.at(max(run.deadline, self.world.now), self._timeout, run)

    def _timeout(self, run: Running) -> None:
        if run.done or not run.daemon.alive:
            return
        run.timed_out = True
        self.abandoned += 1
        self.world.count("timeouts")
        now = self.host.clock.read(self.world.now)
        run.daemon.receive(Outcome(run.call, run.began, now, None, Fault.TIMEOUT))

    def _finish(self, run: Running, value: Any, fault: Fault | None) -> None:
        world = self.world
        run.value, run.fault = value, fault
        run.ended = self.host.clock.read(world.now)
        pause = world.oracle.at(o.REPORT, self.host, run)
        if pause:
            world.note("worker pauses before its report", self.host, run.call, pause)
            self._limit_if_later(run, world.now + pause)
            world.at(world.now + pause, self._report, run)
        else:
            self._report(run)

    def _report(self, run: Running) -> None:
        if not run.daemon.alive:
            return
        run.done = True
        if run.timed_out:
            self.abandoned -= 1
            self.world.count("late outcomes")
        run.daemon.receive(Outcome(run.call, run.began, run.ended, run.value, run.fault, run.timed_out))


__all__ = ["HEALTHY", "REPLIES_HELD", "REQUESTS_HELD", "Storage"]
