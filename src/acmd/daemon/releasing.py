"""Releasing for a daemon that died for good: `acmd guard release`, started by the guard.

The guard has killed, drained and seen all gone behind its shut gate. What is left to do is what a
daemon that starts too late to adopt does: the switch ends the epoch, the epoch is erased from the
run directory, `released` is written and read back. So the very same heartbeat decides it here,
with the guard's word for the services, under the daemon's own lock; it never takes part in an election.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from acmd.config.model import Config
from acmd.core.decision import Decision
from acmd.core.observation import Fenced, Gate, Intent, Leave, Mode, Observation, Peer, ServicesView
from acmd.core.state import Remembered, Role, State, initial_state
from acmd.core.timing import NS_PER_S, Instant, elapsed_for_holder_ns
from acmd.daemon.building import guard_link, identity
from acmd.daemon.joining import CLUSTER_COPY
from acmd.daemon.mishaps import hear
from acmd.daemon.watched import needs
from acmd.drivers.clock import SystemClock
from acmd.drivers.cluster_directory import ClusterFile, cluster_file
from acmd.drivers.guard_link import GuardLink
from acmd.drivers.lease_directory import LeaseDirectory
from acmd.drivers.run_store import FileRunStore
from acmd.errors import AcmdError
from acmd.log import Logger
from acmd.tasks.heartbeat import Heartbeat, Wishes, World

MARGIN_S = 0.001


class GuardedServices:
    """`ports.Supervisor` without supervision: nothing is started or stopped; the guard says what lives."""

    def __init__(self, guard: GuardLink) -> None:
        self._guard = guard
        self._asked: tuple[Mode, int] | None = None

    def request(self, mode: Mode, epoch: int, issued: Instant | None) -> None:
        """What was asked for is the guard's doing already."""
        del issued
        self._asked = mode, epoch

    def view(self) -> ServicesView:
        """Gone when the guard saw all gone and drained behind its shut gate; otherwise the worst."""
        if self._asked is None:
            return ServicesView()
        mode, epoch = self._asked
        view = self._guard.view()
        gone = view.alive and view.clean and view.gate is Gate.SHUT
        return ServicesView(mode, epoch, processes=not gone, jobs=not gone, drained=gone)


class Nobody:
    """`ports.Board` and `ports.Fencer`: no orders are known, so that nothing is ever claimed here."""

    available = False

    def intent(self) -> Intent:
        """Not known."""
        return Intent(known=False)

    def peers(self) -> tuple[Peer, ...]:
        """None."""
        return ()

    def request(self, host: str) -> None:
        """Nobody is fenced for a release."""

    def confirmed(self) -> tuple[Fenced, ...]:
        """None."""
        return ()

    def failed(self) -> bool:
        """Never tried."""
        return False


class Ending:
    """`seen` for the heartbeat: tells it to leave once the release was read back, or the epoch is history."""

    def __init__(self, wishes: Wishes, changed: asyncio.Event, log: Callable[..., None]) -> None:
        self.released = False
        self._wrote = False
        self._wishes = wishes
        self._changed = changed
        self._log = log
        self._role: Role | None = None

    def seen(self, state: State, obs: Observation, decision: Decision) -> None:
        """After each decision."""
        del obs
        if state.role is not self._role:
            self._role = state.role
            self._log("release-for-dead-daemon", role=state.role.value, reason=decision.reason.value)
        self._wrote |= state.release is not None
        if state.role is Role.PASSIVE and state.release is None:
            self.released = self._wrote
            self._wishes.leave = Leave.RELEASE
            self._changed.set()


async def release(config: Config, epoch: int) -> bool:
    """Release the epoch that the guard is armed for and has spent. False when that did not come about.

    Ends within the time that is left before the others take over anyway. Raises AcmdError, also when a
    daemon is there after all: its lock is taken first and held to the end.
    """
    log = Logger(config.log.level, config.log.facility, config.log.target)
    hear(log)
    runs = FileRunStore(Path(config.run_dir), Path(config.state_dir))
    try:
        runs.lock()
        try:
            return await _release(config, epoch, runs, log)
        finally:
            runs.unlock()
    except AcmdError as error:
        log("release-refused", level="warning", epoch=epoch, because=error.what, remedy=error.remedy)
        raise
    finally:
        log.close()


async def _release(config: Config, epoch: int, runs: FileRunStore, log: Callable[..., None]) -> bool:
    clock, timing = SystemClock(), config.timing
    remembered = runs.load()
    if remembered is None or remembered.lease.epoch != epoch or remembered.lease.detached:
        log(
            "nothing-to-release", level="warning", epoch=epoch
        )  # `detached` does not expire: W would not help
        return False
    cluster = await asyncio.to_thread(_cluster, config)
    runs.use_cluster(cluster.cluster_id)
    changed = asyncio.Event()
    guard = guard_link(config, clock, needs(config))  # one that saw less cannot speak for the rest
    store = LeaseDirectory(Path(config.cluster.directory), config.node.name, timing.call_limit_ns, clock)
    guard.changed = store.changed = changed  # one event wakes the heartbeat
    wishes = Wishes()
    ending = Ending(wishes, changed, log)
    guard.open()
    try:
        await _past_renewing(remembered, clock, timing.renew_deadline_ns)
        heartbeat = Heartbeat(
            World(clock, store, runs, guard, GuardedServices(guard), Nobody(), Nobody()),
            initial_state(identity(config, cluster, stops_s=0.0), clock.now(), runs.highest_epoch()),
            changed,
            ending.seen,
            wishes,
        )
        async with asyncio.timeout((timing.takeover_wait_ns - timing.kill_deadline_ns) / NS_PER_S):
            await heartbeat.run()
    except TimeoutError:
        log(
            "not-released", level="warning", epoch=epoch, remedy="none: the other node waits until it may act"
        )
    finally:
        await guard.close()
        await store.close()
    return ending.released


def _cluster(config: Config) -> ClusterFile:
    """From the copy that the daemon keeps, not from storage. Raises AcmdError."""
    copy = Path(config.state_dir) / CLUSTER_COPY
    try:
        return cluster_file(copy.read_bytes())
    except OSError as problem:
        raise AcmdError(
            f"{copy} cannot be read: {problem.strerror}", "none: the lease ends by itself"
        ) from None


async def _past_renewing(remembered: Remembered, clock: SystemClock, renew_ns: int) -> None:
    """An epoch that could still be adopted is left alone until it cannot: nothing is renewed here."""
    left_ns = renew_ns - elapsed_for_holder_ns(remembered.lease.issued, clock.now())
    await asyncio.sleep(max(0, left_ns) / NS_PER_S + MARGIN_S)
