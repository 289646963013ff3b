"""The node journal and the hooks of a daemon: built, run beside the heartbeat, and asked by clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from acmd.config.model import Config
from acmd.core.calls import StorageFault
from acmd.core.observation import Leave
from acmd.core.timing import NS_PER_S
from acmd.daemon.past import past_of
from acmd.drivers.hook import MarkFile, run_hook
from acmd.drivers.journal_directory import JobRunner, JournalDirectory
from acmd.drivers.journal_file import JournalFile
from acmd.log import Logger
from acmd.tasks.hooks import Hook, Hooks
from acmd.tasks.journal import Journal
from acmd.tasks.snapshot import Snapshot

JOURNAL_FILE, MARK_FILE = "events.jsonl", "hooks.json"
SHARE_EVERY_BEATS = 3
LAST_WORDS_S = 1.0  # for the last events to reach shared storage, and hooks to be told, after a release
HOOKS_SETTLE_S = 3.0
EPOCHS_LIMIT = 100
EVENTS_LIMIT = 500
RECALLED = 21  # epochs: twenty hand-overs
RECALL_AFTER_S, RECALL_AGAIN_S = 2.0, 5.0
FRESH_S = 2.0  # an answer from shared storage serves all who ask within this time

Handle = Callable[[Mapping[str, Any], str], Awaitable[dict[str, Any]]]


class Chronicle:
    """Made once the state directory is there; hears everything that is logged from then on."""

    def __init__(self, config: Config, log: Logger) -> None:
        state_dir = Path(config.state_dir)
        self._config = config
        self._log = log
        self._file = JournalFile(state_dir / JOURNAL_FILE)
        self.journal = Journal(self._file, config.node.name, time.time)
        self._hooks = Hooks(
            [Hook(frozenset(h.on), h.command, h.timeout_s, h.repeat_s) for h in config.hooks],
            {"ACMD_NODE": config.node.name, "ACMD_CLUSTER": config.cluster.name},
            MarkFile(state_dir / MARK_FILE),
            run_hook,
            log,
        )
        self._shelf: JournalDirectory | None = None
        self._cluster_id = ""
        self._history: tuple[float, dict[str, Any]] = (-FRESH_S, {})
        self._ignored: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._hooks.catch_up(self.journal.entries, time.time())
        self.journal.listeners.append(self._hooks.listen)
        log.tap = self.journal.note
        for loop in self._hooks.loops():
            self._begin(loop, "hook")

    def join(self, cluster_id: str, runner: JobRunner) -> None:
        """From now on the newest events are shown on shared storage, too."""
        timing = self._config.timing
        self._cluster_id = cluster_id
        self._shelf = JournalDirectory(runner, self._config.node.name, timing.call_limit_ns / NS_PER_S)
        every_s = max(1.0, SHARE_EVERY_BEATS * timing.heartbeat_ns / NS_PER_S)
        sharing = self.journal.share(self._shelf, cluster_id, every_s, self._log)
        self._begin(sharing, "journal")

    def recall(self, snapshot: Snapshot) -> None:
        """What happened before this daemon is shown, too, once shared storage has told it."""
        self._begin(self._recall(snapshot), "recall")

    async def _recall(self, snapshot: Snapshot) -> None:
        await asyncio.sleep(RECALL_AFTER_S)  # a daemon that adopts has its renewal to make first
        found = await self._past({"n": RECALLED})
        while "error" in found:
            await asyncio.sleep(RECALL_AGAIN_S)
            found = await self._past({"n": RECALLED})
        clock = snapshot.clock
        snapshot.succession.recall(found["epochs"], clock.now(), clock.wall_time())

    def _begin(self, loop: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(loop, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A mistake in what only tells must not end the daemon; it is said, and told no more."""
        if not task.cancelled() and task.exception() is not None:
            self._log("chronicle-broken", part=task.get_name(), error=repr(task.exception()))

    async def close(self, how: Leave) -> None:
        """The last words. A daemon that is to be followed at once waits for none."""
        try:
            if how is Leave.RELEASE:
                if self._shelf is not None:
                    try:
                        async with asyncio.timeout(LAST_WORDS_S):
                            await self.journal.show(self._shelf, self._cluster_id)
                    except TimeoutError:
                        pass
                await self._hooks.settle(HOOKS_SETTLE_S)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._log.tap = None
            self._file.close()

    # -- the control socket -----------------------------------------------------------------------

    def answering(self, otherwise: Handle) -> Handle:
        """A handler that answers `events` and `history`, and leaves the rest to another."""

        async def handle(request: Mapping[str, Any], who: str) -> dict[str, Any]:
            if request["do"] == "events":
                return self._events(request)
            if request["do"] == "history":
                return await self._past(request)
            return await otherwise(request, who)

        return handle

    def _events(self, request: Mapping[str, Any]) -> dict[str, Any]:
        after = _number(request.get("after"), -1)
        found = self.journal.after(after, max(1, min(_number(request.get("n"), 50), EVENTS_LIMIT)))
        return {"node": self._config.node.name, "events": [entry.plain() for entry in found]}

    async def _past(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Epochs, and the nodes' events in order, as far as shared storage shows them."""
        at, answer = self._history
        if time.monotonic() - at >= FRESH_S:
            answer = await self._read_past()
            self._history = time.monotonic(), answer
        if "error" in answer:
            return answer
        newest = max(1, min(_number(request.get("n"), 20), EPOCHS_LIMIT))
        return {**answer, "epochs": answer["epochs"][-newest:]}

    async def _read_past(self) -> dict[str, Any]:
        if self._shelf is None:
            return {"error": "the daemon has not reached the shared directory yet", "remedy": "try later"}
        try:
            found = await past_of(self._shelf, self._config.cluster.name, self._cluster_id, EPOCHS_LIMIT)
        except StorageFault as failure:
            return {
                "error": f"the shared directory cannot be read: {failure}",
                "remedy": "`acmd events` shows this node's own journal meanwhile",
            }
        for node, because in found["ignored"].items():
            if node not in self._ignored:
                self._ignored.add(node)
                self._log("journal-ignored", node=node, because=because)
        return found


def _number(value: Any, otherwise: int) -> int:
    return value if type(value) is int else otherwise
