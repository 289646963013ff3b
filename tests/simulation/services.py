"""One host's active-only services: processes, PID 1's jobs, the writes that outlive them, the gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.simulation import oracle as o

if TYPE_CHECKING:
    from tests.simulation.node import Host

SHUT, OPEN, CLOSING = "shut", "open", "closing"
UNITS = 2
MS = 1_000_000
CONDITION_NS, FORK_NS, STOP_NS, KILL_NS, LAND_NS, SYNC_NS = 2 * MS, 3 * MS, 40 * MS, 8 * MS, 3 * MS, 4 * MS


class Job:
    """A start job of PID 1."""

    __slots__ = ("unit", "forking", "cancelled")

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.forking = False  # its conditions were looked at and held
        self.cancelled = False


class Unit:
    """A service with at most one process."""

    __slots__ = ("index", "epoch", "process", "job", "stopping", "dying")

    def __init__(self, index: int) -> None:
        self.index = index
        self.epoch = -1
        self.process = 0  # number of the process, 0: none
        self.job: Job | None = None
        self.stopping = False
        self.dying = False  # SIGKILL was sent


class Services:
    """Lives as long as one boot of its host."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.world = host.world
        self.units = [Unit(index) for index in range(UNITS)]
        self.gate = SHUT
        self.processes = 0  # how many run
        self.started = 0  # how many ever ran: tells a sync that something began meanwhile
        self.undrained = 0  # writes of ended processes that have not landed
        self.drained = False
        self.syncing = False
        self.dead = False  # the host went down
        self.stuck: list[int] = []  # undrained epochs, held by a partition of the data
        self._sync()

    # -- what is seen ---------------------------------------------------------------------------------

    @property
    def jobs(self) -> bool:
        """Whether PID 1 has a job for one of them."""
        return any(unit.job is not None for unit in self.units)

    # -- starting -------------------------------------------------------------------------------------

    def enqueue(self, unit: Unit) -> None:
        """A start job; its conditions are looked at when PID 1 comes to it."""
        if unit.job is not None or unit.process:
            return
        unit.job = job = Job(unit)
        world = self.world
        delay = world.oracle.at(o.JOB, self.host) if world.gate_on else 0
        world.at(world.now + CONDITION_NS + delay, self._conditions, job)
        self.changed()

    def _conditions(self, job: Job) -> None:
        if self.dead or job.cancelled:
            return
        world = self.world
        if world.gate_on and self.gate != OPEN:
            world.count("starts refused by the gate")
            job.unit.job = None
            self.changed()
            return
        job.forking = True
        job.unit.epoch = world.safety.may_begin(self.host)
        delay = world.oracle.at(o.FORK, self.host) if world.gate_on else 0
        world.at(world.now + FORK_NS + delay, self._fork, job)

    def _fork(self, job: Job) -> None:
        if self.dead:
            return
        unit = job.unit
        unit.job = None
        self.started += 1
        unit.process = self.started
        unit.stopping = unit.dying = False
        self.processes += 1
        self.drained = False
        self.world.safety.process_started(self.host, unit.epoch)
        if self.world.trace is not None:
            self.world.note("service starts", self.host, unit.index, unit.epoch)
        self.changed()

    # -- ending ---------------------------------------------------------------------------------------

    def cancel_jobs(self) -> None:
        """Take queued jobs back. One whose conditions have held already starts all the same."""
        for unit in self.units:
            if unit.job is not None and not unit.job.forking:
                unit.job.cancelled = True
                unit.job = None
                self.changed()

    def stop(self, unit: Unit) -> None:
        """Ask one to stop."""
        if unit.stopping or not unit.process:
            return
        unit.stopping = True
        delay = self.world.oracle.at(o.STOP, self.host)
        now = self.world.now
        if delay != o.NEVER:
            self.world.at(now + STOP_NS + delay, self._ended, (unit, unit.process))
        if delay:
            self.world.at(now + self.world.timing.stop_budget_ns, self._kill_if_left, (unit, unit.process))

    def _kill_if_left(self, item: Any) -> None:
        """The stop limit of one service is over, and somebody still cares."""
        unit, process = item
        if self.dead or unit.process != process or self.host.daemon is None:
            return
        self._kill(unit)

    def kill(self) -> None:
        """SIGKILL to all that lives, and queued jobs cancelled."""
        self.cancel_jobs()
        for unit in self.units:
            if unit.process and not unit.dying:
                self._kill(unit)

    def _kill(self, unit: Unit) -> None:
        unit.dying = True
        delay = self.world.oracle.at(o.KILL, self.host)
        if delay == o.NEVER:
            self.world.count("services that cannot be killed")
        else:
            self.world.at(self.world.now + KILL_NS + delay, self._ended, (unit, unit.process))

    def faults_end(self) -> None:
        """What could not be killed can be now."""
        for unit in self.units:
            if unit.dying:
                self.world.at(self.world.now + KILL_NS, self._ended, (unit, unit.process))

    def crash(self, unit: Unit, restart: bool) -> None:
        """It ends by itself; PID 1 may restart it."""
        if unit.process:
            self._ended((unit, unit.process))
            if restart and self.world.gate_on:  # a restart of PID 1's own asks the gate alone
                self.enqueue(unit)

    def _ended(self, item: Any) -> None:
        unit, process = item
        if self.dead or unit.process != process:
            return
        unit.process = 0
        unit.stopping = unit.dying = False
        self.processes -= 1
        self.undrained += 1
        world = self.world
        world.safety.process_ended(self.host)
        delay = world.oracle.at(o.DIRTY, self.host)
        world.at(world.now + LAND_NS + delay, self._land, unit.epoch)
        self._sync()
        self.changed()

    def _land(self, epoch: int) -> None:
        if self.dead:
            return
        if self.host.data_cut:
            self.stuck.append(epoch)
            return
        self.undrained -= 1
        self.world.safety.write_landed(self.host, epoch)
        if not self.undrained:
            self._sync()

    def data_healed(self) -> None:
        """The data's file system answers again."""
        stuck, self.stuck = self.stuck, []
        for epoch in stuck:
            self._land(epoch)

    def _sync(self) -> None:
        if not self.syncing:
            self.syncing = True
            self.world.at(self.world.now + SYNC_NS, self._synced, self.started)

    def _synced(self, started: int) -> None:
        self.syncing = False
        if self.dead:
            return
        if self.processes or self.drained:
            return
        if self.undrained:
            return  # it hangs; the last landing calls again
        if started != self.started:
            self._sync()
            return
        self.drained = True
        self.changed()

    # -- the host -------------------------------------------------------------------------------------

    def host_died(self) -> None:
        """Power is off: nothing runs, nothing lands."""
        self.dead = True
        for unit in self.units:
            if unit.process:
                unit.process = 0
                self.world.safety.process_ended(self.host)

    def changed(self) -> None:
        """Somebody may want to look."""
        daemon = self.host.daemon
        if daemon is not None:
            daemon.supervision.look()
