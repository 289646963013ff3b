"""The composition root: builds everything, wires it, handles signals, reports readiness.

Nothing else knows everything. What is decided here is only what belongs to a process: when it
is ready, what a signal means, and in which order things end.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from acmd import __version__
from acmd.config.agreement import differences
from acmd.config.apart import load_apart
from acmd.config.model import Config
from acmd.core.decision import Decision
from acmd.core.observation import Leave, Observation
from acmd.core.state import State, initial_state
from acmd.core.timing import NS_PER_S
from acmd.daemon.announcing import Announced
from acmd.daemon.building import (
    fencing_of,
    give_up_limit_ns,
    guard_link,
    identity,
    stop_limits_s,
    with_reloadable,
)
from acmd.daemon.chronicle import Chronicle
from acmd.daemon.doors import Doors, about
from acmd.daemon.guard_keeper import GuardKeeper
from acmd.daemon.joining import check_history, join
from acmd.daemon.keeping import Keeping
from acmd.daemon.mishaps import hear
from acmd.daemon.plumbing import EXIT_DETACHED, failback_of, pump
from acmd.daemon.reporting import Reporter
from acmd.daemon.suspending import WHY, NoSuspend
from acmd.daemon.watched import Watched
from acmd.descriptors import raise_limit
from acmd.drivers.clock import SystemClock
from acmd.drivers.cluster_directory import ClusterDirectory, ClusterFile
from acmd.drivers.guard_link import GuardLink
from acmd.drivers.held_services import HeldServicesFile
from acmd.drivers.inhibitor import SleepInhibitor
from acmd.drivers.lease_directory import LeaseDirectory
from acmd.drivers.notify import ServiceManager
from acmd.drivers.run_store import FileRunStore
from acmd.drivers.service_job import is_restart
from acmd.errors import AcmdError
from acmd.log import Logger
from acmd.tasks.board import BoardKeeper
from acmd.tasks.console import Console
from acmd.tasks.failback import Failback
from acmd.tasks.heartbeat import Heartbeat, Wishes, World
from acmd.tasks.snapshot import Snapshot


async def serve(config: Config, examined: bool) -> int:
    """Run the daemon until it has released, handed over or was told to leave. Raises AcmdError.

    `examined`: the cluster's directory was found in order; otherwise it is looked at once it answers.
    """
    raise_limit()
    log = Logger(config.log.level, config.log.facility, config.log.target)
    hear(log)
    try:
        return await Daemon(config, log).run(examined)
    finally:
        log.close()


class Daemon:
    """One node of one cluster."""

    def __init__(self, config: Config, log: Logger) -> None:
        self.config = config
        self.log = log
        self.clock = SystemClock()
        self.notifier = ServiceManager()
        self.changed = asyncio.Event()
        self.doors = Doors(config, log)
        self.wishes = Wishes()
        self.reporter = Reporter(self.notifier, self.clock, log)
        self.no_suspend = NoSuspend(SleepInhibitor("acmd", WHY), log)
        self.failback: Failback | None = None
        self._announced = Announced(config)
        self._reloading: asyncio.Task[None] | None = None
        self._keeping: Keeping | None = None
        self._heartbeat: Heartbeat | None = None

    async def run(self, examined: bool) -> int:
        """Start, beat, end in order."""
        config, log = self.config, self.log
        runs = FileRunStore(Path(config.run_dir), Path(config.state_dir))
        runs.prepare()
        runs.lock()
        self._chronicle = chronicle = Chronicle(config, log)
        log("daemon-started", version=__version__, pid=os.getpid())
        directory, node = config.cluster.directory, config.node.name
        limit_ns = config.timing.call_limit_ns
        store = LeaseDirectory(Path(directory), node, limit_ns, self.clock, Path(config.run_dir))
        try:
            store.start()
            self._handle_signals()
            documents = ClusterDirectory(store, directory, node, limit_ns / NS_PER_S)
            cluster = await join(
                config, documents, self.notifier, lambda: self.wishes.leave is not Leave.NO, log, examined
            )
            if cluster is None:
                return 0
            documents.use_cluster(cluster.cluster_id)
            check_history(config, cluster, runs)
            chronicle.join(cluster.cluster_id, store)
            return await self._serve(cluster, store, documents, runs)
        except AcmdError as error:
            log("daemon-refused", level="error", because=error.what, remedy=error.remedy)
            raise
        finally:
            await chronicle.close(self.wishes.leave)
            await store.close()
            runs.unlock()
            log("daemon-ended")

    async def _serve(
        self, cluster: ClusterFile, store: LeaseDirectory, documents: ClusterDirectory, runs: FileRunStore
    ) -> int:
        config, again = self.config, self.notifier.ready_again
        guard = guard_link(config, self.clock)
        keeping = await Keeping.make(config, self.clock, self.changed, self.wishes, again, self.log)
        self._keeping = keeping
        me = identity(config, cluster, sum(stop_limits_s(config, keeping.active)))
        state = initial_state(me, self.clock.now(), runs.highest_epoch())
        fencing = fencing_of(config, self.clock, self.changed, self.log)
        board = BoardKeeper(
            documents,
            self.clock,
            config.timing,
            config.node.name,
            self.changed,
            own_file=lambda beat: snapshot.own_file(beat),  # noqa: PLW0108 - it is made from board
            holds_lease=lambda: snapshot.holds_lease(),  # noqa: PLW0108
            log=self.log,
        )
        snapshot = Snapshot(
            about(config, cluster.cluster_id, self._announced.users),
            self.clock,
            board,
            keeping.active,
            keeping.others,
            self.wishes,
            store.abandoned,
            guard.details,
            fencing.details,
        )
        self._chronicle.recall(snapshot)
        held = HeldServicesFile(Path(config.run_dir))
        console = Console(snapshot, board, self.clock, self.log, fencing, held, self._leave)
        keeping.overridden = lambda epoch: board.orders is not None and board.orders.overrides(epoch)
        keeping.peers = lambda: tuple(
            heard.file.address for name, heard in board.heard.items() if name != config.node.name
        )

        self.failback = failback_of(config, snapshot, board, self.clock, self.log)

        def seen(after: State, obs: Observation, decision: Decision) -> None:
            self.reporter.seen(snapshot, after, obs, decision)
            keeping.notice(after, obs.intent)
            self.no_suspend.notice(after)

        self._heartbeat = heartbeat = Heartbeat(
            World(self.clock, store, runs, guard, keeping, fencing, board),
            state,
            self.changed,
            seen,
            self.wishes,
        )
        try:
            await self.doors.open(snapshot, self._chronicle.answering(console.handle))
            await self._until_told(heartbeat, (store.changed, guard.changed), keeping, board, guard)
        finally:
            await self.doors.close()
            await fencing.close()
        return EXIT_DETACHED if self.wishes.leave is Leave.DETACH else 0

    async def _until_told(
        self,
        heartbeat: Heartbeat,
        events: tuple[asyncio.Event, ...],
        keeping: Keeping,
        board: BoardKeeper,
        guard: GuardLink,
    ) -> None:
        """From here on services run; in the end the gate, then the guard, go with a daemon that released."""
        keeper = GuardKeeper(self.config, guard, self.log)
        keeping.active.bar = Watched(self.config, guard.details).bar
        keeper.start()
        guard.open()
        try:
            await self._beat(heartbeat, events, keeping, board, keeper)
            if self._gives_back(board):
                await keeping.released()
        finally:
            if self.wishes.leave in (Leave.RELEASE, Leave.DETACH):
                await keeper.end()
            await keeping.close()
            await guard.close()

    async def _beat(
        self,
        heartbeat: Heartbeat,
        events: tuple[asyncio.Event, ...],
        keeping: Keeping,
        board: BoardKeeper,
        keeper: GuardKeeper,
    ) -> None:
        """The heartbeat with all that runs beside it; ends when it ends, or when any of them breaks."""
        async with asyncio.TaskGroup() as tasks:
            beside = [tasks.create_task(pump(event, self.changed), name="pump") for event in events]
            beside += [tasks.create_task(loop, name="keeping") for loop in keeping.loops()]
            for part in (keeping.active, keeping.others):
                for unit in part.units:
                    beside.append(tasks.create_task(pump(unit.service.changed, part.poke), name="pump"))
            beside.append(tasks.create_task(board.run(), name="board"))
            beside.append(tasks.create_task(keeper.run(), name="guard-keeper"))
            beside.append(tasks.create_task(self.no_suspend.run(), name="no-suspend"))
            beside.append(tasks.create_task(self._announced.run(), name="announcing"))
            if self.failback is not None:
                beside.append(tasks.create_task(self.failback.run(), name="failback"))
            await heartbeat.run()
            if self._gives_back(board):
                await keeping.stop_others()
            for task in beside:
                task.cancel()

    def _gives_back(self, board: BoardKeeper) -> bool:
        """Whether nothing of acmd's may stay. In maintenance of all everything stays exactly as it is."""
        return self.wishes.leave is Leave.RELEASE and not board.intent().all_disabled

    # -- signals and the end ----------------------------------------------------------------------

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._leave, Leave.RELEASE)
        loop.add_signal_handler(signal.SIGTERM, self._on_sigterm)
        loop.add_signal_handler(signal.SIGUSR2, self._leave, Leave.ADOPT)
        loop.add_signal_handler(signal.SIGHUP, self._on_sighup)

    def _on_sigterm(self) -> None:
        """A stop releases; a restart, by PID 1's own word, leaves everything to the next daemon."""
        unit = os.environ.get("ACMD_UNIT", "acmd.service")
        if "INVOCATION_ID" not in os.environ:
            self._leave(Leave.RELEASE)
            return
        asking = asyncio.get_running_loop().create_task(is_restart(unit), name="ask-pid1")
        asking.add_done_callback(lambda task: self._leave(Leave.ADOPT if task.result() else Leave.RELEASE))

    def _leave(self, how: Leave) -> None:
        if self.wishes.leave is not Leave.NO:
            return
        self.log("leaving", how=how.value)
        self.notifier.stopping()
        self.wishes.leave = how
        self.changed.set()

    def _on_sighup(self) -> None:
        if self._reloading is None or self._reloading.done():
            self._reloading = asyncio.get_running_loop().create_task(self._reload(), name="reload")

    async def _reload(self) -> None:
        """Take over what can change without touching the lease; refuse the rest by name."""
        try:
            new = await asyncio.to_thread(load_apart, self.config.file)
        except AcmdError as error:
            self.log("reload-refused", level="error", because=error.what, remedy=error.remedy)
            return
        taken, refused = differences(self.config, new)
        for name in refused:
            self.log("reload-needs-restart", level="warning", key=name, remedy="systemctl restart acmd")
        self.config = with_reloadable(self.config, new)
        self.log.set_level(self.config.log.level)
        if self._keeping is not None and self._heartbeat is not None:
            self._keeping.reload(self.config)
            stops_s = sum(stop_limits_s(self.config, self._keeping.active))
            self._heartbeat.give_up_within(give_up_limit_ns(self.config, stops_s))
        self.doors.reload()
        self.log("reloaded", taken=",".join(taken) or "nothing", refused=",".join(refused) or "nothing")
