"""Services of kind `command`: a foreground program that acmd starts, owns, and can kill with its children.

Between acmd and the program stands a runner (`runner.py`), which registers the service in the run
directory and outlives the daemon. What this driver knows of a service it reads there, so a daemon
that comes later finds, stops and kills it just the same. An exit is heard through a pidfd at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from acmd import small_file
from acmd.descriptors import for_services
from acmd.drivers.command.launch import Watch, read_all, reap, spawn_runner
from acmd.guard import cgroups, processes
from acmd.guard.processes import Entry
from acmd.ports import ServiceStatus

ORDER_LIMIT_BYTES = 60_000  # fits into a pipe, so that writing it never blocks
_SEARCH_S = 0.05
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Command:
    """What is run, and where. `run_dir` holds `gate` and `services/`; an empty `log` means acmd's journal."""

    name: str
    argv: tuple[str, ...]
    run_dir: str
    node: str
    runs_on: str = "active"
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: str = ""
    log: str = ""
    user: str = ""  # whom it runs as; "" for the daemon's own user
    cgroup_parent: str = ""  # writable, cgroup v2; "" for sessions and marks instead
    start_limit_s: float = 5.0
    stop_limit_s: float = 10.0


class CommandService:
    """Implements `ports.Service`."""

    def __init__(self, command: Command) -> None:
        self.name = command.name
        self.changed = asyncio.Event()
        self._command = command
        self._services_dir = f"{command.run_dir}/services"
        self._path = f"{self._services_dir}/{command.name}.json"
        self._moved = asyncio.Event()
        self._watches: dict[tuple[int, int], Watch] = {}
        self._known: processes.Known = set()
        self._starting = False
        self._asked_path = Path(f"{self._services_dir}/{command.name}.asked")
        self._asked_to_end = str(small_file.load(self._asked_path).get("mark", ""))  # the run that acmd ended
        self._refused = ""
        self._starts = 0

    def set_limits(self, start_limit_s: float, stop_limit_s: float) -> None:
        """From the next start and stop on."""
        self._command = replace(self._command, start_limit_s=start_limit_s, stop_limit_s=stop_limit_s)

    # -- looking ----------------------------------------------------------------------------------

    async def observe(self) -> ServiceStatus:
        """What is there now. What cannot be known has `processes` and `jobs` True."""
        status = ServiceStatus(self.name, self._command.runs_on, jobs=self._starting)
        status.restarts = max(0, self._starts - 1)
        try:
            entry = processes.read_entry(self._path)
            if entry is not None:
                self._describe(entry, status)
            else:
                status.state, status.detail = ("failed", self._refused) if self._refused else ("stopped", "")
        except (OSError, ValueError) as problem:
            status.processes = status.jobs = True
            status.detail = f"cannot tell what runs: {self._path}: {problem}"
        return status

    def _describe(self, entry: Entry, status: ServiceStatus) -> None:
        """Fill in the status of a registered run. Raises OSError."""
        runner_lives = processes.lives(entry.pid, entry.start)
        main_lives = not entry.done and processes.lives(entry.main, entry.main_start)
        if runner_lives:
            self._watch(entry.pid, entry.start)
            if main_lives:
                self._watch(entry.main, entry.main_start)
            status.processes = True
        else:
            reap(entry.pid, entry.start)
            status.processes = not entry.done and bool(self._members(entry))
            if not status.processes:
                entry = self._finish(processes.read_entry(self._path) or entry)
        asked = self._asked_to_end == entry.mark
        if status.processes:
            status.state = "running" if main_lives and not asked else "stopping"
            if runner_lives and not entry.main and not asked:
                status.state = "starting"
            status.pids = (entry.main,) if main_lives else (entry.pid,)
            status.since_s = _age_s(entry.start)
        else:
            status.state = "stopped" if asked else "failed"
        status.detail = self._refused or _ending(entry)

    def _members(self, entry: Entry) -> list[int]:
        """All processes of a run, the runner included. Raises OSError."""
        found = cgroups.pids(entry.cgroup) if entry.cgroup else []
        everybody = processes.table()
        found += [stat.pid for stat in processes.members(entry, everybody, self._known)]
        return [pid for pid in set(found) if pid in everybody]

    def _watch(self, pid: int, start: int) -> None:
        watch = self._watches.get((pid, start))
        if watch is None:
            with contextlib.suppress(ProcessLookupError):
                self._watches[(pid, start)] = Watch(pid, start, self._moved, self.changed)

    def _finish(self, entry: Entry) -> Entry:
        """Nothing of this run lives: say so in the registry and leave no control group behind."""
        if not entry.done:
            entry = entry._replace(done=True)
            processes.write_entry(self._services_dir, entry)
        self._known = set()
        self._watches = {key: watch for key, watch in self._watches.items() if watch.listens}
        # During a start the group is the next run's, which may not have joined it yet.
        if entry.cgroup and not self._starting and os.path.isdir(entry.cgroup):
            for directory, _, _ in os.walk(entry.cgroup, topdown=False):
                with contextlib.suppress(OSError):  # not empty yet: the next look tries again
                    os.rmdir(directory)
        return entry

    # -- starting ---------------------------------------------------------------------------------

    async def start(self, epoch: int) -> bool:
        """Start it unless it runs under this epoch already. True once the program was executed.

        False: something of another run lives, the gate refused, or the program cannot be executed.
        """
        before = await self.observe()
        if before.processes:
            entry = processes.read_entry(self._path) if not before.jobs else None
            return before.state == "running" and entry is not None and entry.epoch == epoch
        self._starting, self._refused = True, ""
        try:
            self._refused = await self._launch(epoch)
            if self._refused:
                await self._gone(time.monotonic() + self._command.start_limit_s)
        except OSError as problem:
            self._refused = f"cannot be started: {problem}"
        finally:
            self._starting = False
        self._starts += not self._refused
        await self.observe()  # begins to watch
        self.changed.set()
        return not self._refused

    async def _launch(self, epoch: int) -> str:
        """Spawn the runner and wait for its answer: "" or why the program does not run."""
        command = self._command
        group = f"{command.cgroup_parent}/{command.name}" if command.cgroup_parent else ""
        order = {
            "name": command.name,
            "runs_on": command.runs_on,
            "mark": uuid.uuid4().hex,
            "epoch": epoch,
            "cgroup": group,
            "descriptors": for_services(),
            "gate": f"{command.run_dir}/gate",
            "services_dir": self._services_dir,
            "argv": command.argv,
            "cwd": command.cwd,
            "log": command.log,
            "user": command.user,
            "stop_limit_s": command.stop_limit_s,
            "environment": {
                **command.environment,
                "ACMD_EPOCH": str(epoch),
                "ACMD_NODE": command.node,
                "ACMD_SERVICE": command.name,
            },
        }
        wire = json.dumps(order).encode()
        if len(wire) > ORDER_LIMIT_BYTES:
            return f"arguments and environment of {len(wire)} bytes are more than {ORDER_LIMIT_BYTES}"
        os.makedirs(self._services_dir, mode=0o700, exist_ok=True)
        if group:
            os.makedirs(group, exist_ok=True)
        pid, heard = spawn_runner(wire)
        answer = b""
        try:
            async with asyncio.timeout(command.start_limit_s):
                answer = await read_all(heard)
        except TimeoutError:
            return f"the runner did not answer within {command.start_limit_s:g} s"
        finally:
            os.close(heard)
            if not answer:  # also when this task was cancelled: it must not start by itself later
                await self.kill()
                os.kill(pid, signal.SIGKILL)
            stat = processes.read_stat(pid)
            if stat is not None:
                self._watch(pid, stat.start)
        if not answer:
            return "the runner ended without an answer"
        return str(json.loads(answer).get("refused", ""))

    # -- ending -----------------------------------------------------------------------------------

    async def stop(self) -> bool:
        """SIGTERM to all of it but the runner, and wait for its end up to the stop limit."""
        end = time.monotonic() + self._command.stop_limit_s
        if self._end_with(signal.SIGTERM):
            return await self._gone(end)
        return not (await self.observe()).processes

    async def kill(self) -> None:
        """SIGKILL to all of it, runner and escaped children included. Does not wait."""
        self._end_with(signal.SIGKILL)

    def _end_with(self, number: int) -> bool:
        """Send a signal to every process of the run. False when there is none, or nothing can be known."""
        try:
            entry = processes.read_entry(self._path)
            if entry is None or entry.done:
                return False
            self._ended(entry.mark)
            if number == signal.SIGKILL:
                if entry.cgroup:
                    cgroups.kill(entry.cgroup)
                processes.kill_all(entry, self._known)
                return True
            for pid in self._members(entry):
                stat = processes.read_stat(pid)
                if pid != entry.pid and stat is not None:
                    processes.send(pid, stat.start, number)
        except (OSError, ValueError):
            return False  # what cannot be known shows in `observe`, and the guard has its own eyes
        return True

    def _ended(self, mark: str) -> None:
        """That this run was to end is known to the next daemon as well: it did not fail."""
        if self._asked_to_end != mark:
            self._asked_to_end = mark
            with contextlib.suppress(OSError):  # a full disk keeps nothing from ending
                small_file.save(self._asked_path, {"mark": mark})

    async def _gone(self, end: float) -> bool:
        """Wait until nothing lives. Leftovers that no runner watches over are looked for by time."""
        while True:
            self._moved.clear()
            status = await self.observe()
            left = end - time.monotonic()
            if not status.processes or left <= 0:
                return not status.processes
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, _SEARCH_S)):
                    await self._moved.wait()

    def close(self) -> None:
        """Stop watching; the service itself goes on."""
        for watch in self._watches.values():
            watch.close()
        self._watches.clear()


def _age_s(start_ticks: int) -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME) - start_ticks / _TICKS_A_SECOND


def _ending(entry: Entry) -> str:
    if entry.refused:
        return entry.refused
    if entry.exit is None:
        return "its runner was killed" if entry.done else ""
    if entry.exit < 0:
        return f"killed by {signal.Signals(-entry.exit).name}"
    return f"exited with status {entry.exit}"
